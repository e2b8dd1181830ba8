"""The last sum of a run: how good and bad test rows are spread over logits and scores.

From these counts alone come the pooled AUC (with its certified error), KS, gain, calibration and
cut-off tables, and the learning curve, without a row moving.

Invariants:
- Test rows are counted in this stage only, so no two totals differ by a lender's test rows.
- No count of a lender of 1 … minimum cell - 1 rows leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.statistics.layout import Layout
from shared.statistics.scores import (
    LOGIT_BINS,
    SCORE_BINS,
    SCORE_LOW,
    logit_histogram,
    score_histogram,
    score_of_logit,
)
from shared.training.question import Question
from shared.training.rows import LenderRows
from shared.training.small_cells import joined_small_cells


@dataclass(frozen=True, eq=False)
class LearningPoint:
    """Good and bad test rows per logit bin, (2, 1000), after `round` rounds of training."""

    round: int
    histogram: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Test rows, good (row 0) and bad (row 1): by bin of the shared and the personal logit, and by
    point of the personal score; `drift`: training rows by point of the shared score; `learning`:
    the learning curve, from the start to the finished model.
    """

    shared: NDArray[np.int64]
    personal: NDArray[np.int64]
    score: NDArray[np.int64]
    drift: NDArray[np.int64]
    learning: tuple[LearningPoint, ...]


def evaluation_question(points: tuple[int, ...]) -> Question:
    """What is asked when training is over; `points`: rounds at which the curve is measured."""
    purpose = (
        "good and bad test rows per bin of the logit, of the finished model and of earlier "
        "rounds', and per point of the score"
    )
    return Question("evaluation", "counts", _layout(len(points)).length, 0, 1.0, purpose)


def evaluation_answer(
    rows: LenderRows,
    shared: NDArray[np.float64],
    personal: NDArray[np.float64],
    staged: NDArray[np.int64],
    minimum_cell: int = 1,
) -> NDArray[np.int64]:
    """A lender's counts: shared logits of all its rows, personal logits of its test rows, counts
    of its test rows (points, 2, 1000) for the learning curve.
    """
    test, bad = rows.roles.test, rows.bad[rows.roles.test]
    score = score_of_logit(shared[rows.roles.training]) - SCORE_LOW
    counts = {
        "shared": logit_histogram(shared[test], bad),
        "personal": logit_histogram(personal, bad),
        "score": score_histogram(score_of_logit(personal), bad),
        "drift": np.bincount(score, minlength=SCORE_BINS).astype(np.int64),
        "learning": staged,
    }
    kept = {name: joined_small_cells(part, minimum_cell) for name, part in counts.items()}
    return _layout(len(staged)).flatten(kept)


def evaluation_from(total: NDArray[np.int64], points: tuple[int, ...]) -> Evaluation:
    """The released total of the last stage, with the learning curve of these rounds."""
    fields = _layout(len(points)).unflatten(total)
    curve = zip(points, fields.pop("learning"), strict=True)
    return Evaluation(**fields, learning=tuple(LearningPoint(*point) for point in curve))


def _layout(points: int) -> Layout:
    return Layout(
        (
            ("shared", (2, LOGIT_BINS)),
            ("personal", (2, LOGIT_BINS)),
            ("score", (2, SCORE_BINS)),
            ("drift", (SCORE_BINS,)),
            ("learning", (points, 2, LOGIT_BINS)),
        )
    )
