"""The exact counts behind an answer. They stay with who counts; an answer holds bands.

Invariants:
- A row depends on its own subject, day and asker alone, and on no event's place or repetition.
- Nothing the asker contributed counts.
- NO_RECORD in a whole row: nobody else has anything in term. In one cell: nothing to measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.cells import CELLS, PLACE
from shared.borrowing.events import Events, Loans, applications, loans
from shared.borrowing.terms import (
    APPLICATION_WINDOWS,
    CLASSES,
    LOAN_WINDOWS,
    MONTH,
    NIGHT,
    NO_RECORD,
    TTL_DAYS,
    WEEKEND,
    WINDOWS,
    LenderClass,
)

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
NOBODY = -1
"""An asker without events of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Queries, (m,) each: subject, day, asking lender or NOBODY."""

    subject: Ints
    day: Ints
    asker: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of one kind joined to queries: `query` 0 … m-1, `lender`, its class, `age` in days."""

    query: Ints
    lender: Ints
    of: Ints
    age: Ints

    def take(self, which: NDArray[Any]) -> _Rows:
        return _Rows(self.query[which], self.lender[which], self.of[which], self.age[which])


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Events made ready to be asked about: each application and loan once, by subject."""

    applications: Events
    loans: Loans

    @classmethod
    def of(cls, events: Events) -> Told:
        """Of any rows, in any order."""
        made, held = applications(events), loans(events)
        return cls(
            made.take(np.argsort(made.subject, kind="stable")),
            held.take(np.argsort(held.subject, kind="stable")),
        )


def tally(told: Told, asked: Asked, classes: NDArray[np.uint8]) -> Ints:
    """Exact values, (m, CELLS): counts; days; thousandths, rounded up; a band of amounts.

    `classes`: the class of each lender, (lenders,).
    """
    queries = len(asked.subject)
    out = np.zeros((len(CELLS), queries), dtype=np.int64).T  # columns are written one by one
    asks, bits = _applications(told.applications, asked, classes)
    held, ended, band = _loans(told.loans, asked, classes)
    _counts(out, "app", asks, APPLICATION_WINDOWS)
    _counts(out, "loan", held, LOAN_WINDOWS)
    _open(out, held.take(ended < 1))
    for name, bit in (("night", NIGHT), ("weekend", WEEKEND)):
        _set(out, f"app_{name}_orgnum", APPLICATION_WINDOWS, asks.take((bits & bit) != 0))
    _intervals(out, asks)
    _shares(out)
    _amounts(out, held, band)
    out[:, PLACE["app_months"]] = _months(asks, queries)
    out[:, PLACE["app_days_since"]] = _since(asks, queries)
    out[:, PLACE["loan_days_since"]] = _since(held, queries)
    known = np.zeros(queries, dtype=bool)
    known[asks.query] = known[held.query] = True
    out[~known] = NO_RECORD
    return out


def _applications(made: Events, asked: Asked, classes: NDArray[np.uint8]) -> tuple[_Rows, Ints]:
    """Others' applications in term, and their bits."""
    query, row = _joined(asked.subject, made.subject)
    age = asked.day[query] - made.day[row]
    there = (age >= 1) & (age <= TTL_DAYS) & (made.lender[row] != asked.asker[query])
    query, row, age = query[there], row[there], age[there]
    lender = made.lender[row]
    return _Rows(query, lender, classes[lender].astype(np.int64), age), made.bits[row]


def _loans(made: Loans, asked: Asked, classes: NDArray[np.uint8]) -> tuple[_Rows, Ints, Ints]:
    """Others' loans in term, the days since each ended (below 1: open), their bands."""
    query, row = _joined(asked.subject, made.subject)
    day = asked.day[query]
    there = made.take(row).told_at(day)
    there &= made.lender[row] != asked.asker[query]
    query, row, day = query[there], row[there], day[there]
    lender = made.lender[row]
    told = _Rows(query, lender, classes[lender].astype(np.int64), day - made.opened[row])
    return told, day - made.closed[row], made.band[row]


def _joined(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """All (i, j) with left[i] == right[j]; `right` ascends."""
    low = np.searchsorted(right, left, side="left")
    sizes = np.searchsorted(right, left, side="right") - low
    first = np.repeat(np.arange(len(left)), sizes)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return first, np.repeat(low, sizes) + offset


def _counts(out: Ints, what: str, told: _Rows, windows: tuple[str, ...]) -> None:
    """Distinct lenders and rows, by window and class."""
    nearest = _by_lender(told)
    for window in windows:
        days = WINDOWS[window]
        for of in CLASSES:
            for name, rows in (("orgnum", nearest), ("allnum", told)):
                which = (rows.age <= days) & _is(rows.of, of)
                out[:, PLACE[f"{what}_{name}_{window}_{of}"]] = _count(out, rows.query[which])


def _open(out: Ints, told: _Rows) -> None:
    each = _by_lender(told)
    for of in CLASSES:
        for name, rows in (("orgnum", each), ("allnum", told)):
            out[:, PLACE[f"open_{name}_{of}"]] = _count(out, rows.query[_is(rows.of, of)])


def _set(out: Ints, what: str, windows: tuple[str, ...], told: _Rows) -> None:
    """Distinct lenders, by window."""
    nearest = _by_lender(told)
    for window in windows:
        there = nearest.age <= WINDOWS[window]
        out[:, PLACE[f"{what}_{window}"]] = _count(out, nearest.query[there])


def _intervals(out: Ints, told: _Rows) -> None:
    """Fewest and most days between an application and the next; none where there are no two."""
    order = np.lexsort((told.age, told.query))
    query, age = told.query[order], told.age[order]
    same = query[1:] == query[:-1]
    who, gap, older = query[1:][same], np.diff(age)[same], age[1:][same]
    for window in APPLICATION_WINDOWS:
        there = older <= WINDOWS[window]
        fewest = np.full(len(out), np.iinfo(np.int64).max)
        most = np.full(len(out), np.int64(NO_RECORD))
        np.minimum.at(fewest, who[there], gap[there])
        np.maximum.at(most, who[there], gap[there])
        out[:, PLACE[f"app_max_interval_{window}"]] = most
        out[:, PLACE[f"app_min_interval_{window}"]] = np.where(most < 0, NO_RECORD, fewest)


def _shares(out: Ints) -> None:
    """Non-banks' part of the applications."""
    for window in APPLICATION_WINDOWS:
        of_all = out[:, PLACE[f"app_allnum_{window}_all"]]
        part = out[:, PLACE[f"app_allnum_{window}_nbank"]]
        share = -(-1000 * part // np.maximum(of_all, 1))
        out[:, PLACE[f"app_nonbank_share_{window}"]] = np.where(of_all > 0, share, NO_RECORD)


def _amounts(out: Ints, told: _Rows, band: Ints) -> None:
    for window in LOAN_WINDOWS:
        there = told.age <= WINDOWS[window]
        largest = np.full(len(out), np.int64(NO_RECORD))
        np.maximum.at(largest, told.query[there], band[there])
        out[:, PLACE[f"loan_amount_{window}"]] = largest


def _months(told: _Rows, queries: int) -> Ints:
    """Months of 30 days in a row, back from the day asked about, each with an application."""
    there = np.zeros((queries, TTL_DAYS // MONTH + 1), dtype=bool)
    there[told.query, (told.age - 1) // MONTH] = True
    return np.asarray(np.argmin(there, axis=1), dtype=np.int64)  # the last column is never reached


def _since(told: _Rows, queries: int) -> Ints:
    nearest = np.full(queries, np.iinfo(np.int64).max)
    np.minimum.at(nearest, told.query, told.age)
    return np.where(nearest == np.iinfo(np.int64).max, NO_RECORD, nearest)


def _by_lender(told: _Rows) -> _Rows:
    """The latest row of each query and lender."""
    order = np.lexsort((told.age, told.lender, told.query))
    ordered = told.take(order)
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(ordered.query) != 0) | (np.diff(ordered.lender) != 0)
    return ordered.take(fresh)


def _count(out: Ints, query: Ints) -> Ints:
    return np.asarray(np.bincount(query, minlength=len(out)), dtype=np.int64)


def _is(of: Ints, asked: str) -> Mask:
    """Which lenders are of an asked class."""
    match asked:
        case "all":
            return np.ones(len(of), dtype=bool)
        case "nbank":
            return np.asarray(of != LenderClass.BANK)
    return np.asarray(of == LenderClass[asked.upper()])
