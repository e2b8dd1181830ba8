"""How many of a small consortium's trees are kept: one more sum, after the last tree.

With few rows some books still gain from the last trees and others have long been over-fitted.
Summed losses on validation rows, which no tree has seen, tell which.

Invariants:
- Only sums over lenders are used: validation losses after each of a fixed list of rounds.
- At least a third of the rounds is kept: a few dozen validation rows would sometimes stop a model
  that has learned next to nothing (measured: docs/model-boosted.md, "Few rows").
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from shared.training.census import Census
from shared.training.preparation import MOST_LOSS
from shared.training.question import Question, fraction_bits

EVERY = 4
"""Rounds between two places to cut."""


def cut_points(rounds: int) -> tuple[int, ...]:
    """After how many of `rounds` rounds the model may end: from a third on, the last one always."""
    return (*range(-(-rounds // 3), rounds, EVERY), rounds)


def cut_question(rounds: int, census: Census) -> Question:
    """Asked once, when every tree is trained."""
    purpose = "log loss on validation rows for each number of trees that could be kept"
    length = len(cut_points(rounds))
    return Question("cut", "losses", length, _bits(census), float(MOST_LOSS), purpose)


def cut_answer(
    staged: Iterable[NDArray[np.float64]], bad: NDArray[np.int8], census: Census
) -> NDArray[np.int64]:
    """A lender's summed losses, cut off at 16 a row, as whole numbers, one for each point.

    `staged`: logits (v,) of its validation rows after each of `cut_points`; labels `bad` (v,).
    """
    sign, scale = np.where(bad == 1, -1.0, 1.0), float(2 ** _bits(census))
    rows = (np.minimum(np.logaddexp(0.0, sign * logit), MOST_LOSS) for logit in staged)
    return np.array([np.rint(row.sum() * scale) for row in rows], dtype=np.int64)


def cut_from(total: NDArray[np.int64], rounds: int) -> int:
    """Rounds to keep: those of least loss, the fewest of equals; half where there are no rows."""
    if not total.any():
        return -(-rounds // 2)
    return cut_points(rounds)[int(np.argmin(total))]


def _bits(census: Census) -> int:
    return fraction_bits(census.largest, census.lenders, MOST_LOSS)
