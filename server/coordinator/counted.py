"""Which lenders counts and losses are added up over: the same ones each time.

Two such sums over different lenders, told apart, would show what the difference holds; so lenders
let a sum of counts be opened only for the survivors of the first one they answered
(docs/decisions/0011-counts-need-the-same-lenders.md). In production that holds for all sums; in a
demo gradients and weights are asked of whoever is there.
"""

from __future__ import annotations

from collections.abc import Iterable

from server.coordinator.exchange import VoidStageError, void
from server.coordinator.remedies import refusals_in, revoked_in, to_blame

SAME_LENDERS = (
    "counts are added up over the same lenders each time, in production all sums are; with one "
    "missing, the difference to an earlier total would show its numbers"
)
NOT_COUNTED = "not among the lenders of the first count"
_REMEDY = "bring {} back, then run the same command with --resume; or start a new run without it"


class CountedLenders:
    """The lenders of this run's first count, empty before it; sums of `kinds` are over these."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds = kinds
        self.first: frozenset[str] = frozenset()

    def add(self, kind: str, members: Iterable[str]) -> None:
        """A round of this kind was added up."""
        if kind in self._kinds:
            self.first = self.first or frozenset(members)

    def allows(self, kind: str, members: Iterable[str]) -> bool:
        """Whether lenders let a sum over these be opened."""
        return kind not in self._kinds or not self.first or frozenset(members) == self.first

    def wanted(self, kind: str) -> frozenset[str]:
        """The lenders a round of this kind must have; empty when anybody will do."""
        return self.first if kind in self._kinds else frozenset()


def singled_out(where: str, missing: dict[str, str]) -> VoidStageError:
    """The void stage of a sum that would lay a lender bare."""
    lines = [f"{code}: {why}" for code, why in sorted(missing.items())]
    to_mend = to_blame(missing.items())
    gone = sorted(to_mend.keys() - refusals_in(missing).keys() - revoked_in(missing))
    remedy = _REMEDY.format(", ".join(gone) or "the missing lender")
    return void(where, SAME_LENDERS, lines, remedy)
