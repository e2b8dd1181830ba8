"""The label contract: what "bad" means, the same at every lender.

Lenders differ in how they count days past due and define bad; a consortium fails there first. So
the definition travels with the schema and is hashed with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import OperatorError


@dataclass(frozen=True)
class LabelContract:
    """Which texts of `column` are bad, good or indeterminate, and how that was observed.

    `dpd_threshold` is in days past due, `performance_window_months` in months after the
    observation date (None where the label is not defined that way, e.g. a charge-off);
    `bad_rate_low` and `bad_rate_high` (0 … 1) are the band in which a lender's own bad rate is
    unremarkable. Rows with an indeterminate label are dropped. Raises OperatorError when the
    lists overlap or the band is not one.
    """

    column: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    indeterminate: tuple[str, ...] = ()
    dpd_threshold: int | None = None
    performance_window_months: int | None = None
    observation_date: str = ""
    currency: str = ""
    bad_rate_low: float = 0.0
    bad_rate_high: float = 1.0

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise OperatorError(
                f"label {self.column!r}: {problem}",
                remedy="mend [label] in the consortium's schema; every lender needs the same",
            )

    def _problem(self) -> str:
        if not self.column:
            return "the column has no name"
        if not self.bad or not self.good:
            return "name at least one bad and one good value"
        values = [*self.bad, *self.good, *self.indeterminate]
        if len(set(values)) != len(values):
            return "a value is listed twice among bad, good and indeterminate"
        if not 0.0 <= self.bad_rate_low <= self.bad_rate_high <= 1.0:
            return "bad_rate_low and bad_rate_high must satisfy 0 <= low <= high <= 1"
        return ""
