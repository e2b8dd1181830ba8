"""What lenders contribute: applications, loans opened, loans closed, as columns.

Invariants:
- A lender's own number of an application or loan (`reference`) tells two of them apart; the same
  one twice counts once, and its earliest telling counts. A closing carries its opening's number.
- What an answer holds depends on no row's place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.borrowing.terms import LONGEST_OPEN, NIGHT, TTL_DAYS, WEEKEND, IdKind, Kind
from shared.errors import PeerError

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
NEVER = np.int64(1) << 40
"""The closing day of a loan that nobody closed."""
LAST_BAND = 5


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Columns of equal length n, all int64: `subject`, `lender` indices; `kind`; `day`; `id_kind`
    of the subject's token; `bits` NIGHT and WEEKEND of an application; `band` of a loan's amount;
    `reference` the lender's own number. PeerError when a column is not what it should be.
    """

    subject: Ints
    kind: Ints
    day: Ints
    lender: Ints
    id_kind: Ints
    bits: Ints
    band: Ints
    reference: Ints

    def __post_init__(self) -> None:
        columns = {name: _whole(name, getattr(self, name)) for name in self.__slots__}
        if len({len(column) for column in columns.values()}) > 1:
            raise _bad("columns of different lengths")
        for name, (low, high) in _RANGES.items():
            column = columns[name]
            if len(column) and not (low <= column.min() and column.max() < high):
                raise _bad(f"a {name} outside {low}…{high - 1}")
            object.__setattr__(self, name, np.ascontiguousarray(column, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.subject)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Events:
        """Rows of (subject, kind, day, lender, id_kind, bits, band, reference)."""
        table = np.array(rows, dtype=np.int64).reshape(len(rows), len(cls.__slots__))
        return cls(*table.T)

    def take(self, which: NDArray[Any]) -> Events:
        """The rows at these indices, or where this mask holds."""
        return Events(*(getattr(self, name)[which] for name in self.__slots__))

    def then(self, later: Events) -> Events:
        """These rows followed by the others."""
        pairs = ((getattr(self, name), getattr(later, name)) for name in self.__slots__)
        return Events(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, slots=True, eq=False)
class Loans:
    """One row for each loan: (n,) int64 each; `closed` is NEVER where nobody told of it."""

    subject: Ints
    lender: Ints
    opened: Ints
    closed: Ints
    band: Ints

    def take(self, which: NDArray[Any]) -> Loans:
        """The rows at these indices, or where this mask holds."""
        return Loans(*(getattr(self, name)[which] for name in self.__slots__))

    def told_at(self, day: Ints) -> Mask:
        """Where a loan is within its term on `day`, (n,): open, or not long over."""
        began, ended = day - self.opened, day - self.closed
        still_open = (ended < 1) & (began <= LONGEST_OPEN)
        return (began >= 1) & (still_open | ((ended >= 1) & (ended <= TTL_DAYS)))


def applications(events: Events) -> Events:
    """Each application once."""
    return _first(events.take(events.kind == Kind.APPLICATION))


def loans(events: Events) -> Loans:
    """Each loan once, with its closing; a closing of a loan that nobody opened is left out."""
    opened = _first(events.take(events.kind == Kind.OPENED))
    closed = _first(events.take(events.kind == Kind.CLOSED))
    day = np.full(len(opened), NEVER)
    mine, theirs = _matched(opened, closed)
    day[mine] = closed.day[theirs]
    return Loans(opened.subject, opened.lender, opened.day, day, opened.band)


def kept(events: Events, today: int) -> Mask:
    """Which rows are within their term, (n,); the others are to be deleted."""
    over = today - events.day > TTL_DAYS
    result = ~over
    opening, closing = events.kind == Kind.OPENED, events.kind == Kind.CLOSED
    opened, closed = events.take(opening), _first(events.take(closing))
    ended = np.full(len(opened), NEVER)
    mine, theirs = _matched(opened, closed)
    ended[mine] = closed.day[theirs]
    open_still = (ended == NEVER) & (today - opened.day <= LONGEST_OPEN)
    result[opening] = open_still | ((ended != NEVER) & (today - ended <= TTL_DAYS))
    return result


def _first(events: Events) -> Events:
    """Of rows about the same thing the earliest, whatever their order."""
    order = np.lexsort(
        (events.band, events.bits, events.day, events.subject, events.reference, events.lender)
    )
    ordered = events.take(order)
    names = _names(ordered)
    fresh = np.ones(len(ordered), dtype=bool)
    fresh[1:] = (names[1:] != names[:-1]).any(axis=1)
    return ordered.take(fresh)


def _matched(opened: Events, closed: Events) -> tuple[Ints, Ints]:
    """Rows i, j with opened[i] and closed[j] of one loan; each loan is once in `closed`."""
    table = np.concatenate([_names(opened), _names(closed)])
    _, number = np.unique(table, axis=0, return_inverse=True)
    number = number.reshape(-1)
    mine, theirs = number[: len(opened)], number[len(opened) :]
    place = np.full(int(number.max()) + 1 if len(number) else 1, -1)
    place[theirs] = np.arange(len(theirs))
    rows = np.flatnonzero(place[mine] >= 0)
    return rows, place[mine[rows]]


def _names(events: Events) -> Ints:
    return np.stack([events.lender, events.reference, events.subject], axis=1)


_MOST = 1 << 62
_RANGES: dict[str, tuple[int, int]] = {
    "subject": (0, 1 << 40),
    "kind": (0, len(Kind)),
    "day": (0, 1 << 30),
    "lender": (0, 1 << 15),
    "id_kind": (0, len(IdKind)),
    "bits": (0, (NIGHT | WEEKEND) + 1),
    "band": (0, LAST_BAND + 1),
    "reference": (0, _MOST),
}


def _whole(name: str, values: ArrayLike) -> NDArray[Any]:
    column = np.asarray(values)
    if column.ndim != 1 or (column.size and column.dtype.kind not in "iu"):
        raise _bad(f"a {name} column that is no list of whole numbers")
    return column


def _bad(what: str) -> PeerError:
    return PeerError(
        f"borrowing events have {what}",
        remedy="contribute the columns that shared/borrowing describes",
    )
