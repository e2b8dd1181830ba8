"""One feature column as the consortium declares it.

Invariants:
- A column is a number (unit, optional range) or a category (a closed list of levels).
- A category has at most `MAX_LEVELS` levels, so that level codes with "unseen" and "missing" fit
  one byte at every lender.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.errors import OperatorError

MAX_LEVELS = 250
BOOLEAN_LEVELS = frozenset({"yes", "no"})

Kind = Literal["number", "category"]


@dataclass(frozen=True)
class Column:
    """A declared feature.

    `low` and `high` are inclusive and in `unit`; `missing` lists texts that mean "no value" here
    (beside the empty cell); `levels` are canonical texts, in the order of their codes; `aliases`
    are other header texts for the same column; `monotone` is the agreed direction of risk: +1 more
    is riskier, -1 more is safer, 0 none; `empty`: "refused" where an empty cell of a number is an
    error, not "no value". Raises OperatorError when these contradict each other.
    """

    name: str
    kind: Kind
    unit: str = ""
    low: float | None = None
    high: float | None = None
    missing: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    description: str = ""
    monotone: int = 0
    empty: str | None = None  # a schema that does not use it keeps its digest

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise OperatorError(
                f"column {self.name!r}: {problem}",
                remedy="mend this column in the consortium's schema; every lender needs the same",
            )

    @property
    def is_boolean(self) -> bool:
        """Whether the levels are exactly yes and no, so that 是/否, Y/N, 1/0 … are read too."""
        return frozenset(self.levels) == BOOLEAN_LEVELS

    def _problem(self) -> str:
        if not self.name or self.name != self.name.strip():
            return "the name is empty or has spaces around it"
        if self.monotone not in (-1, 0, 1):
            return f"monotone must be -1, 0 or 1, not {self.monotone}"
        if self.empty not in (None, "refused"):
            return f"empty must be 'refused' or absent, not {self.empty!r}"
        if self.kind == "number":
            return self._number_problem()
        if self.kind == "category":
            return self._category_problem()
        return f"kind must be number or category, not {self.kind!r}"

    def _number_problem(self) -> str:
        if self.levels:
            return "a number has no levels"
        if self.low is not None and self.high is not None and self.low > self.high:
            return f"low {self.low:g} is above high {self.high:g}"
        return ""

    def _category_problem(self) -> str:
        if self.low is not None or self.high is not None or self.monotone or self.empty:
            return "a category has no low, high, monotone or empty"
        if not 1 <= len(self.levels) <= MAX_LEVELS:
            return f"a category needs 1 to {MAX_LEVELS} levels, not {len(self.levels)}"
        if len(set(self.levels)) != len(self.levels):
            return "a level is listed twice"
        if both := set(self.levels) & set(self.missing):
            return f"{sorted(both)[0]!r} is both a level and a missing code"
        return ""
