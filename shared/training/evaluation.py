"""The last sum of a run: how good and bad test rows are spread over logits and scores.

From these counts alone come the pooled AUC (with its certified error), KS, gain, calibration and
cut-off tables, without a row moving.
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

_LAYOUT = Layout(
    (
        ("shared", (2, LOGIT_BINS)),
        ("personal", (2, LOGIT_BINS)),
        ("score", (2, SCORE_BINS)),
        ("drift", (SCORE_BINS,)),
    )
)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Test rows, good (row 0) and bad (row 1): by bin of the shared and the personal logit, and by
    point of the personal score; `drift`: training rows by point of the shared score.
    """

    shared: NDArray[np.int64]
    personal: NDArray[np.int64]
    score: NDArray[np.int64]
    drift: NDArray[np.int64]


def evaluation_question() -> Question:
    """What is asked when training is over."""
    purpose = "good and bad test rows per bin of the logit and per point of the score"
    return Question("evaluation", _LAYOUT.length, 0, purpose, counts_from=0)


def evaluation_answer(
    shared: NDArray[np.float64],
    personal: NDArray[np.float64],
    bad: NDArray[np.int8],
    training: NDArray[np.float64],
) -> NDArray[np.int64]:
    """A lender's counts: logits (n,) and labels (n,) of its test rows; shared logits of its
    training rows.
    """
    score = score_of_logit(training) - SCORE_LOW
    return _LAYOUT.flatten(
        {
            "shared": logit_histogram(shared, bad),
            "personal": logit_histogram(personal, bad),
            "score": score_histogram(score_of_logit(personal), bad),
            "drift": np.bincount(score, minlength=SCORE_BINS).astype(np.int64),
        }
    )


def evaluation_from(total: NDArray[np.int64]) -> Evaluation:
    """The released total of the last stage."""
    return Evaluation(**_LAYOUT.unflatten(total))
