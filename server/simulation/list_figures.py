"""What lenders were told about applicants, and what they should have been told, in numbers.

Invariants:
- An answer differs when its class, strength or dispute does, or when there is one too many or few.
- The figures name no identifier and follow from book and seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.simulation.identities import Applicant
from server.simulation.naive_list import Expected, Listed
from shared.blacklist.answer import Answer

_TOTALS = ("filed", "screened", "hits", "others", "innocent")


@dataclass(frozen=True)
class Told:
    """What one lender was told, and what it should have been told; by its applicants' places.
    `asked`: how many identifiers were tokenised.
    """

    code: str
    applicants: Sequence[Applicant]
    filed: int
    answers: Mapping[int, Answer]
    expected: Mapping[int, Expected]
    asked: int

    def differences(self) -> int:
        """Answers that are not the expected ones."""
        places = {*self.answers, *self.expected}
        return sum(_shown(self.answers.get(at)) != _shown(self.expected.get(at)) for at in places)

    def others(self) -> int:
        """Hits that this lender's own filings do not give."""
        known = {at for at, one in self.expected.items() if one.own}
        return len({*self.answers} - known)

    def innocent(self) -> list[Answer]:
        """Answers about applicants who are not the fraud."""
        return [one for at, one in self.answers.items() if not self.applicants[at].fraud]


def figures_of(told: Sequence[Told], listed: Sequence[Listed]) -> dict[str, Any]:
    """JSON-ready sums over lenders, and each lender's own."""
    lenders = [_lender(one) for one in told]
    innocent = [answer for one in told for answer in one.innocent()]
    classes = Counter(str(a.hit_class) for one in told for a in one.answers.values())
    withdrawn = sum(entry.withdrawn for entry in listed)
    disputed = sum(entry.disputed for entry in listed)
    return {name: sum(one[name] for one in lenders) for name in _TOTALS} | {
        "active": len(listed) - withdrawn - disputed,
        "disputed": disputed,
        "withdrawn": withdrawn,
        "innocent_weak": sum(answer.strength == "weak" for answer in innocent),
        "classes": dict(sorted(classes.items())),
        "differences": sum(one.differences() for one in told),
        "tokenised": sum(one.asked for one in told),
        "lenders": lenders,
    }


def _lender(one: Told) -> dict[str, Any]:
    strengths = Counter(str(answer.strength) for answer in one.answers.values())
    return {
        "code": one.code,
        "filed": one.filed,
        "screened": len(one.applicants),
        "hits": len(one.answers),
        "others": one.others(),
        "strong": strengths["strong"],
        "single": strengths["single"],
        "weak": strengths["weak"],
        "innocent": len(one.innocent()),
    }


def _shown(one: Answer | Expected | None) -> tuple[str, str, bool] | None:
    return None if one is None else (str(one.hit_class), str(one.strength), one.disputed)
