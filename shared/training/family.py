"""What every model family offers the rounds: the same four calls, whatever it learns.

    question() → what is asked next          answer(rows) → a lender's whole numbers
    absorb(total) → take the released sum    logit(rows)  → the shared logit of a lender's rows

Invariants:
- A family is a pure fold over released totals: two copies that absorbed the same totals ask the
  same question and score alike.
- `answer` and `logit` may cache in `rows`, never in the family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.model.part import Part
from shared.training.question import Question
from shared.training.rows import LenderRows


@dataclass(frozen=True)
class LearningPoint:
    """Good and bad test rows per logit bin, (2, 1000), before round `round`."""

    round: int
    histogram: NDArray[np.int64]


class Family(Protocol):
    """A model in training."""

    @property
    def learning(self) -> list[LearningPoint]:
        """The learning curve so far."""
        ...

    @property
    def finished(self) -> bool:
        """True when nothing is left to ask."""
        ...

    @property
    def steps(self) -> int:
        """Questions in all."""
        ...

    @property
    def fingerprint(self) -> str:
        """What two copies must have derived alike beside the totals; "" where nothing is."""
        ...

    def question(self) -> Question:
        """What is asked next."""
        ...

    def answer(self, rows: LenderRows) -> NDArray[np.int64]:
        """A lender's numbers for the question at hand."""
        ...

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Take the released total of the question at hand."""
        ...

    def logit(self, rows: LenderRows) -> NDArray[np.float64]:
        """Shared logit of PD of all the lender's rows, (n,), with what is learned so far."""
        ...

    def parts(self) -> tuple[Part, ...]:
        """The trained modules with their weights in the shared logit."""
        ...
