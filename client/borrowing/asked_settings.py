"""Whose batches of tokens this lender answers: the section [asked] of `client.toml`.

    [asked]
    askers  = ["L01", "L02"]    whose batches are answered; "members": every lender's
    daily   = 4                 batches a day of one asker
    lenders = 4                 fewest lenders in a total; never fewer

Invariants:
- Without the section no batch is answered: each house decides by itself (decision 0025).
- What is misspelt is refused, never ignored. No setting goes below the floors of the profile, and
  sums of batches are over the same lenders whatever [floors] says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from client.settings import FILE, Standing, read_standing
from shared.borrowing.batch import LEAST_LENDERS
from shared.errors import OperatorError
from shared.identity.certificate import CODE
from shared.training.asked_run import AskedTerms

MOST_DAILY = 1000
_ENTRIES = ("askers", "daily", "lenders")


@dataclass(frozen=True)
class Willing:
    """`askers`: codes, or None: every member's; `daily`: batches a day of one asker."""

    askers: frozenset[str] | None
    daily: int = 4
    lenders: int = LEAST_LENDERS

    def answers(self, asker: str) -> bool:
        """Whether batches of this lender are answered at all."""
        return self.askers is None or asker in self.askers


@dataclass(frozen=True, kw_only=True)
class AskedSettings(Standing):
    """A lender's settings for one batch, its terms. `willing`: None, it answers none."""

    agreement: AskedTerms = field(repr=False)
    willing: Willing | None = None


def read_asked(
    folder: Path, terms: AskedTerms, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> AskedSettings:
    """The settings of a lender that joined; OperatorError names the file and the entry."""
    standing, section = read_standing(folder, terms.profile, clock=clock)
    willing = willing_of(folder / FILE, section) if section else None
    least = willing.lenders if willing else LEAST_LENDERS
    floors = replace(
        standing.floors,
        minimum_cohort=max(least, standing.floors.minimum_cohort),
        minimum_cell=1,
        same_lenders=standing.floors.same_lenders | {"counts"},
    )
    kept = {one.name: getattr(standing, one.name) for one in fields(standing)}
    return AskedSettings(**kept | {"floors": floors}, agreement=terms, willing=willing)


def willing_of(path: Path, section: dict[str, Any]) -> Willing:
    """What the section says; OperatorError names the entry that is wrong."""
    unknown = [name for name in section if name not in _ENTRIES]
    askers = section.get("askers")
    daily, lenders = section.get("daily", Willing.daily), section.get("lenders", LEAST_LENDERS)
    if unknown or not _is_askers(askers):
        raise _wrong(path, unknown[0] if unknown else "askers", known=not unknown)
    if type(daily) is not int or not 1 <= daily <= MOST_DAILY:
        raise _wrong(path, "daily")
    if type(lenders) is not int or lenders < LEAST_LENDERS:
        raise _wrong(path, "lenders")
    named = None if isinstance(askers, str) else frozenset(askers or ())
    return Willing(named, daily, lenders)


def _is_askers(askers: object) -> bool:
    if isinstance(askers, list):
        return all(isinstance(one, str) and CODE.fullmatch(one) for one in askers)
    return askers == "members"


def _wrong(path: Path, entry: str, *, known: bool = True) -> OperatorError:
    near = [] if known else get_close_matches(entry, _ENTRIES, 1)
    return OperatorError(
        f"{path}: [asked] {entry!r:.40} is {'wrong' if known else 'not known'}",
        remedy=(f"did you mean {near[0]}? " if near else "")
        + 'askers = ["L01"] or "members"; daily = 1 or more; '
        f"lenders = {LEAST_LENDERS} or more",
    )
