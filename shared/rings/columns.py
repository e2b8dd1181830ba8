"""Grouping of equally long columns without a Python loop over rows.

Groups are dense numbers from 0. Every sum here is of whole numbers below 2^53, hence exact and the
same in any order of the rows: that is what makes rings independent of the order of edges.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
AnyInts = npt.NDArray[Any]
Hashes = npt.NDArray[np.uint64]


def dense(*columns: AnyInts) -> tuple[Ints, Ints]:
    """Number of each row's tuple of values (0…g-1), and one row (the first) for each number."""
    key = columns[0].astype(np.int64)
    for column in columns[1:]:
        width = int(column.max()) + 1 if len(column) else 1
        if len(key) and int(key.max()) > (1 << 62) // width:
            key = np.unique(key, return_inverse=True)[1]
        key = key * width + column
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return inverse.astype(np.int64), first.astype(np.int64)


def distinct(*columns: AnyInts) -> Ints:
    """One row (the first) for each different tuple."""
    return dense(*columns)[1]


def count(groups: Ints, size: int) -> Ints:
    """Rows in each group, shape (size,)."""
    return np.bincount(groups, minlength=size)


def total(groups: Ints, values: npt.NDArray[Any], size: int) -> Floats:
    """Sum of values in each group, shape (size,); exact for whole numbers."""
    return np.bincount(groups, weights=values, minlength=size).astype(np.float64)


def most(groups: Ints, values: npt.NDArray[Any], size: int, empty: float) -> npt.NDArray[Any]:
    """Largest value of each group; `empty` where a group has no row."""
    result = np.full(size, empty, dtype=values.dtype)
    np.maximum.at(result, groups, values)
    return result


def least(groups: Ints, values: npt.NDArray[Any], size: int, empty: float) -> npt.NDArray[Any]:
    """Smallest value of each group; `empty` where a group has no row."""
    result = np.full(size, empty, dtype=values.dtype)
    np.minimum.at(result, groups, values)
    return result


def distinct_count(groups: Ints, members: AnyInts, size: int) -> Ints:
    """Different members of each group."""
    return count(groups[distinct(groups, members)], size)


def join(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Rows (i, j) with left[i] == right[j]; the number of results is the caller's to bound."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    low = np.searchsorted(ordered, left, side="left")
    high = np.searchsorted(ordered, left, side="right")
    sizes = high - low
    first = np.repeat(np.arange(len(left)), sizes)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return first.astype(np.int64), order[np.repeat(low, sizes) + offset].astype(np.int64)


def peak(groups: Ints, members: AnyInts, weeks: AnyInts, size: int, window: int) -> Ints:
    """Most distinct members that a group has in any `window` consecutive weeks, shape (size,).

    A member counts in the windows that end from its week to `window - 1` later, cut where its next
    appearance takes over; the running sum of starts and ends is then the count per window.
    """
    rows = distinct(groups, members, weeks)
    group, member, week = groups[rows], members[rows], weeks[rows].astype(np.int64)
    end = week + window
    same = (group[1:] == group[:-1]) & (member[1:] == member[:-1])
    end[:-1] = np.where(same, np.minimum(end[:-1], week[1:]), end[:-1])
    who = np.concatenate([group, group])
    when = np.concatenate([week, end])
    step = np.repeat(np.array([1, -1]), len(group))
    order = np.lexsort((step, when, who))
    running = np.cumsum(step[order])
    result = np.zeros(size, dtype=np.int64)
    if len(order):
        starts = np.flatnonzero(np.r_[True, who[order][1:] != who[order][:-1]])
        result[who[order][starts]] = np.maximum.reduceat(running, starts)
    return result


def splitmix(values: Hashes) -> Hashes:
    """The finaliser of splitmix64: every bit of the result depends on every bit put in."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
