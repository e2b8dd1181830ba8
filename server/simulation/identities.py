"""Synthetic applicants for a book's rows: who stands behind which application, and who is a fraud.

    planted    of a lender's older bad rows: borrowers it found to be frauds, and files
    applicants a lender's newest rows: whom it screens

What follows from what, for the habits of `HABITS`:
- A planted fraud applies again at `shops` other lenders, in turn under its own name (`name`), with
  another resident id and the card and device it had (`card`), with the device alone (`device`).
- The first fraud of each lender comes back to that lender under its own name.
- The phone number of each lender's last fraud was given up and re-issued to an innocent applicant
  of another lender.
- One innocent applicant in `twice` also applies at another lender, as the same person; one in
  `household` uses the device of the applicant before.

Invariants:
- Of the real table only this is used: which lender holds a row, and whether it is bad. No real row
  is changed, and nothing made here goes into a model.
- No identifier can be a real person's: resident ids have a right check digit under region codes
  that begin with 99, phones begin with 160 and cards with 9000, none of which is assigned.
- The same seed gives the same people. A text is never shown by `repr`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from shared.tokens.identifiers.bank_card import passes_luhn
from shared.tokens.identifiers.resident_id import check_character

KINDS = ("resident_id", "phone", "device", "bank_card")
_KEPT = {
    "name": ("resident_id", "bank_card"),
    "card": ("bank_card", "device"),
    "device": ("device",),
}
_FIRST_BIRTH, _BIRTH_DAYS = date(1950, 1, 1), 18_000
_STREAM = 4  # keeps these draws apart from those of split and training under the same seed


@dataclass(frozen=True)
class Habits:
    """How many, see above: `applicants`, `planted` per lender at most, the rest as named there."""

    applicants: int = 120
    planted: int = 2
    shops: int = 2
    twice: int = 20
    household: int = 40


HABITS = Habits()


@dataclass(frozen=True)
class Applicant:
    """`row`: of the book; `texts`: an identifier of each of `KINDS`; `fraud`: a planted one."""

    row: int
    texts: Mapping[str, str] = field(repr=False)
    fraud: bool = False


@dataclass(frozen=True)
class Cast:
    """By lender code: `planted` frauds that it knows, and the `applicants` it screens, in order."""

    planted: Mapping[str, tuple[Applicant, ...]]
    applicants: Mapping[str, tuple[Applicant, ...]]


def cast_of(
    lender: NDArray[np.object_],
    bad: NDArray[np.int8],
    order: NDArray[np.intp],
    *,
    seed: int,
    habits: Habits = HABITS,
) -> Cast:
    """The people of a book: `lender` and `bad` by row, `order` its rows from old to new."""
    rng = np.random.default_rng((seed, _STREAM))
    known, newest = _chosen(lender, bad, order, habits, rng)
    everybody = [*_flat(known), *_flat(newest)]
    people = iter(_people(len(everybody), rng))
    planted = {
        code: tuple(Applicant(row, next(people), fraud=True) for row in rows)
        for code, rows in known.items()
    }
    applicants = {
        code: [Applicant(row, next(people)) for row in rows] for code, rows in newest.items()
    }
    _share(applicants, habits)
    _shop(planted, applicants, habits, rng)
    return Cast(planted, {code: tuple(rows) for code, rows in applicants.items()})


def _chosen(
    lender: NDArray[np.object_],
    bad: NDArray[np.int8],
    order: NDArray[np.intp],
    habits: Habits,
    rng: np.random.Generator,
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Rows of planted frauds and of applicants, by lender; a third of its rows at most apply."""
    known, newest = {}, {}
    for code in sorted(set(lender.tolist())):
        rows = order[lender[order] == code]
        count = min(habits.applicants, len(rows) // 3)
        older = rows[: len(rows) - count]
        charged_off = older[bad[older] == 1]
        some = rng.permutation(charged_off)[: habits.planted]
        known[code] = sorted(int(row) for row in some)
        newest[code] = [int(row) for row in rows[len(rows) - count :]]
    return known, newest


def _share(applicants: dict[str, list[Applicant]], habits: Habits) -> None:
    """What innocent people share: an applicant at two lenders, a device in a household."""
    codes = list(applicants)
    for here, code in enumerate(codes):
        there = applicants[codes[(here + 1) % len(codes)]]
        mine = applicants[code]
        for at in range(0, min(len(mine), len(there)) - 1, habits.twice):
            there[at + 1] = replace(there[at + 1], texts=mine[at].texts)
        for at in range(habits.household - 1, len(mine), habits.household):
            device = {"device": mine[at - 1].texts["device"]}
            mine[at] = replace(mine[at], texts={**mine[at].texts, **device})


def _shop(
    planted: Mapping[str, Sequence[Applicant]],
    applicants: dict[str, list[Applicant]],
    habits: Habits,
    rng: np.random.Generator,
) -> None:
    """Let frauds take the places of applicants that stand alone, and re-issue phone numbers."""
    free = {code: iter(_free_places(applicants[code], habits, rng)) for code in applicants}
    traces = cycle(_KEPT.values())
    for code, frauds in planted.items():
        others = [other for other in applicants if other != code]
        for number, known in enumerate(frauds):
            if number == 0:
                _take(applicants[code], free[code], known, _KEPT["name"])
            for other in rng.permutation(others)[: habits.shops]:
                _take(applicants[other], free[other], known, next(traces))
        for known in frauds[-1:] if others else ():
            other = str(rng.permutation(others)[0])
            _take(applicants[other], free[other], known, ("phone",), fraud=False)


def _free_places(
    rows: Sequence[Applicant], habits: Habits, rng: np.random.Generator
) -> Sequence[int]:
    """In a drawn order, places whose people share nothing with anybody."""
    shared = {*range(0, len(rows), habits.twice), *range(1, len(rows), habits.twice)}
    for at in range(habits.household - 1, len(rows), habits.household):
        shared |= {at - 1, at}
    return [int(at) for at in rng.permutation(len(rows)) if int(at) not in shared]


def _take(
    rows: list[Applicant],
    free: Iterator[int],
    known: Applicant,
    kept: Sequence[str],
    *,
    fraud: bool = True,
) -> None:
    """Give an applicant these identifiers of a fraud's, and its place if it is the fraud."""
    at = next(free, None)
    if at is not None:
        texts = {**rows[at].texts, **{kind: known.texts[kind] for kind in kept}}
        rows[at] = replace(rows[at], texts=texts, fraud=fraud)


def _people(count: int, rng: np.random.Generator) -> Iterator[dict[str, str]]:
    """Identifiers of as many people, all different."""
    region = rng.integers(0, 10**4, count)
    born = rng.integers(0, _BIRTH_DAYS, count)
    order = 2 * rng.integers(0, 500, count) + 1  # an id that ends in 000 looks rounded
    phone = rng.choice(10**8, count, replace=False)
    device = rng.choice(10**12, count, replace=False)
    card = rng.choice(10**11, count, replace=False)
    for at in range(count):
        birth = _FIRST_BIRTH + timedelta(days=int(born[at]))
        digits = f"99{region[at]:04d}{birth:%Y%m%d}{order[at]:03d}"
        yield {
            "resident_id": digits + check_character(digits),
            "phone": f"160{phone[at]:08d}",
            "device": f"fp-simulation:dev{device[at]:012d}",
            "bank_card": _with_luhn(f"9000{card[at]:011d}"),
        }


def _with_luhn(digits: str) -> str:
    return next(card for last in range(10) if passes_luhn(card := f"{digits}{last}"))


def _flat(rows: Mapping[str, Sequence[int]]) -> list[int]:
    return [row for of_lender in rows.values() for row in of_lender]
