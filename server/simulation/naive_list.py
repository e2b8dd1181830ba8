"""The list as a researcher sees it who knows everybody: plain identifiers, compared one by one.

It is the naive twin of the exchange. Whoever could do this in earnest would have no need of tokens.

Invariants:
- Nothing of the exchange is used here: what it answers is compared with what this gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from server.simulation.identities import Applicant

_WORST_FIRST = ("fraud_confirmed", "mule_account", "malicious_evasion", "fraud_suspected")
_STRONG = frozenset({"resident_id", "bank_card"})


@dataclass
class Listed:
    """An entry in plain: who filed whom, as what."""

    contributor: str
    subject: Applicant = field(repr=False)
    list_class: str
    disputed: bool = False
    withdrawn: bool = False


@dataclass(frozen=True)
class Expected:
    """What an applicant's lender must be told; `own`: whether its own filings say so, too."""

    hit_class: str
    strength: str
    disputed: bool
    own: bool


def expected(
    lender: str, applicants: Sequence[Applicant], listed: Sequence[Listed]
) -> dict[int, Expected]:
    """The applicants with a hit, by their place."""
    by_text = _by_text([entry for entry in listed if not entry.withdrawn])
    found = {}
    for at, applicant in enumerate(applicants):
        matches = [
            (kind, entry)
            for kind, text in applicant.texts.items()
            for entry in by_text.get((kind, text), ())
        ]
        if matches:
            found[at] = _summed(lender, matches)
    return found


def _by_text(listed: Sequence[Listed]) -> Mapping[tuple[str, str], list[Listed]]:
    found: dict[tuple[str, str], list[Listed]] = {}
    for entry in listed:
        for identifier in entry.subject.texts.items():
            found.setdefault(identifier, []).append(entry)
    return found


def _summed(lender: str, matches: Sequence[tuple[str, Listed]]) -> Expected:
    worst = min((entry.list_class for _, entry in matches), key=_WORST_FIRST.index)
    shown = [(kind, entry) for kind, entry in matches if entry.list_class == worst]
    strong = len({kind for kind, _ in shown} & _STRONG)
    return Expected(
        hit_class=worst,
        strength=("weak", "single", "strong")[strong],
        disputed=any(entry.disputed for _, entry in shown),
        own=any(entry.contributor == lender for _, entry in matches),
    )
