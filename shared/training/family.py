"""What every model family offers the rounds: the same four calls, whatever it learns.

    question() → what is asked next          answer(rows) → a lender's whole numbers
    absorb(total) → take the released sum    logit(rows)  → the shared logit of a lender's rows

and, when training is over, the learning curve: the model as it was after the rounds `points`,
counted on test rows (`staged_counts`).

Invariants:
- A family is a pure fold over released totals: two copies that absorbed the same totals ask the
  same question and score alike.
- `answer`, `logit` and `staged_counts` may cache in `rows`, never in the family.
- While it trains, a family asks for gradients or weights only. Counts of one and the same rows in
  several stages would tell, by their difference, the rows of a lender that was in one stage only.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.model.part import Part
from shared.training.question import Question
from shared.training.rows import LenderRows

LEARNING_EVERY = 4
"""Rounds between two points of a learning curve …"""
MOST_POINTS = 20
"""… and more where there would be more points than this, beside the start."""


def learning_points(rounds: int, every: int = LEARNING_EVERY) -> tuple[int, ...]:
    """After how many of `rounds` rounds the learning curve is measured: 0, …, `rounds`."""
    step = max(every, -(-rounds // MOST_POINTS))
    return (*range(0, rounds, step), rounds)


class Family(Protocol):
    """A model in training."""

    @property
    def points(self) -> tuple[int, ...]:
        """After how many rounds each the learning curve is measured, ascending from 0."""
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

    def staged_counts(self, rows: LenderRows) -> NDArray[np.int64]:
        """The lender's good and bad test rows per logit bin after each of `points` rounds,
        (points, 2, 1000). Only when training is over.
        """
        ...

    def parts(self) -> tuple[Part, ...]:
        """The trained modules with their weights in the shared logit."""
        ...
