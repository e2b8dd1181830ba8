"""Everybody of a simulation while it is being made: what they state, log in with and pay.

A *subject* is a borrower, an *attribute* something that several may share. Both are numbers. One
telephone or account has one number, whichever field names it: a payment to an account meets the
owner's own card, a contact's number meets the contact's own telephone. A guarantor is named by
telephone.

Invariants:
- Whatever a subject states on a form it states at every lender it applies to, but for gaps.
- Once frozen into `Traffic`, rows with their lender are all there is; nothing says why.
- Weeks count from 0; what would fall before or after the simulation's weeks is no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.rings.edges import amount_band
from shared.rings.kinds import Kind

Ints = NDArray[np.int64]
FORM = (
    Kind.DEVICE,
    Kind.BANK_CARD,
    Kind.PHONE,
    Kind.EMERGENCY_CONTACT,
    Kind.ADDR_UNIT,
    Kind.ADDR_BUILDING,
    Kind.EMPLOYER,
    Kind.WIFI,
    Kind.GUARANTOR,
)
"""What an application states; a payee is seen later."""
_STATED = 0.95  # of what there is to state, an application states this share
_LOGS_IN = {Kind.DEVICE: 0.5, Kind.WIFI: 0.4}  # chance to be seen again in some later week
_NOBODY = -1


@dataclass(frozen=True, eq=False)
class Traffic:
    """Rows of equal length: who (`subject`), what (`attribute`, `kind`), when (`week`), how much
    (`band`, 0 for none), and by whose books (`lender`, a place in `codes`).
    """

    subjects: int
    attributes: int
    weeks: int
    codes: tuple[str, ...]
    subject: Ints
    attribute: Ints
    kind: NDArray[np.uint8]
    week: NDArray[np.int16]
    band: NDArray[np.uint8]
    lender: NDArray[np.int16]


@dataclass(eq=False)
class World:
    """`lender`, `week` (first application), `bad` and `row` (of the book, -1 for none) by subject;
    `own` is what each states, (subjects, kinds of `FORM`), -1 for nothing.
    """

    codes: tuple[str, ...]
    weeks: int
    lender: Ints
    bad: NDArray[np.bool_]
    row: Ints
    rng: np.random.Generator
    week: Ints = field(init=False)
    own: Ints = field(init=False)
    attributes: int = 0
    _second: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)
    _extra: list[tuple[Ints, Ints, Ints, Ints]] = field(default_factory=list)
    _paid: list[tuple[Ints, Ints, Ints, NDArray[np.float64]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.week = self.rng.integers(0, self.weeks, self.subjects)
        self.own = np.full((self.subjects, len(FORM)), _NOBODY, dtype=np.int64)

    @property
    def subjects(self) -> int:
        """How many borrowers there are."""
        return len(self.lender)

    def fresh(self, count: int) -> Ints:
        """Numbers of attributes that nobody has yet."""
        first, self.attributes = self.attributes, self.attributes + count
        return np.arange(first, first + count, dtype=np.int64)

    def stated(self, kind: Kind) -> Ints:
        """What each subject states for `kind`, as a column that may be written to."""
        return self.own[:, FORM.index(kind)]

    def apply(self, subject: ArrayLike, lender: ArrayLike, week: ArrayLike) -> None:
        """Further applications, at other lenders."""
        who, where, when = _together(subject, lender, week)
        self._second.append((who, where, when))

    def use(self, subject: ArrayLike, attribute: ArrayLike, kind: Kind, week: ArrayLike) -> None:
        """Something used or stated besides the usual, seen by the subject's own lender."""
        who, what, which, when = _together(subject, attribute, int(kind), week)
        self._extra.append((who, what, which, when))

    def pay(
        self, subject: ArrayLike, account: ArrayLike, week: ArrayLike, amount: ArrayLike
    ) -> None:
        """Money from a subject to an account; `amount` in units of money, above 0."""
        who, where, when = _together(subject, account, week)
        sums = np.broadcast_to(np.asarray(amount, dtype=np.float64), who.shape)
        self._paid.append((who, where, when, sums))

    def account(self, subject: ArrayLike) -> Ints:
        """The subjects' own accounts."""
        return np.asarray(self.stated(Kind.BANK_CARD)[np.asarray(subject)])

    def frozen(self) -> Traffic:
        """All rows, shuffled: their order tells nothing."""
        parts = [*self._forms(), *self._besides(), *self._money()]
        subject, attribute, kind, week, band, lender = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        order = self.rng.permutation(len(subject))
        order = order[(week[order] >= 0) & (week[order] < self.weeks)]
        return Traffic(
            self.subjects,
            self.attributes,
            self.weeks,
            self.codes,
            subject[order],
            attribute[order],
            kind[order].astype(np.uint8),
            week[order].astype(np.int16),
            band[order].astype(np.uint8),
            lender[order].astype(np.int16),
        )

    def _forms(self) -> list[tuple[Ints, ...]]:
        everybody = np.arange(self.subjects)
        applied = [(everybody, self.lender, self.week), *self._second]
        who, where, when = (np.concatenate(column) for column in zip(*applied, strict=True))
        parts = []
        for kind in FORM:
            value = self.stated(kind)[who]
            kept = (value != _NOBODY) & (self.rng.random(len(who)) < _STATED)
            parts.append(_rows(who[kept], value[kept], kind, when[kept], where[kept]))
            if kind in _LOGS_IN:
                again = kept & (self.rng.random(len(who)) < _LOGS_IN[kind])
                later = when + self.rng.integers(1, 9, len(who))
                parts.append(_rows(who[again], value[again], kind, later[again], where[again]))
        return parts

    def _besides(self) -> list[tuple[Ints, ...]]:
        return [
            (who, what, kind, week, np.zeros_like(who), self.lender[who])
            for who, what, kind, week in self._extra
        ]

    def _money(self) -> list[tuple[Ints, ...]]:
        return [
            _rows(who, account, Kind.PAYEE, week, self.lender[who], amount_band(amount))
            for who, account, week, amount in self._paid
        ]


def _rows(
    who: Ints, what: Ints, kind: Kind, week: Ints, lender: Ints, band: NDArray[Any] | None = None
) -> tuple[Ints, ...]:
    some = np.zeros_like(who) if band is None else band.astype(np.int64)
    return who, what, np.full_like(who, int(kind)), week, some, lender


def _together(*columns: ArrayLike) -> tuple[Ints, ...]:
    """All as long as the longest."""
    arrays: Sequence[Ints] = [np.atleast_1d(np.asarray(one, dtype=np.int64)) for one in columns]
    return tuple(np.array(one) for one in np.broadcast_arrays(*arrays))
