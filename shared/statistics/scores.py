"""Logits, scores and tiers, and the histograms of good and bad rows over them.

Invariants:
- A logit is that of being bad: ln(PD / (1 - PD)). Bins of logits ascend in risk; score points
  ascend in quality; tier 1 is the best.
- Binning is monotone, so a histogram never swaps two rows' order; at worst it ties them.
- Row 0 of a histogram is good, row 1 is bad; adding histograms is counting rows together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError

LOGIT_BINS = 1000
LOGIT_LIMIT = 8.0
LOGIT_EDGES: NDArray[np.float64] = np.linspace(-LOGIT_LIMIT, LOGIT_LIMIT, LOGIT_BINS - 1)
"""Bin i holds LOGIT_EDGES[i-1] < logit <= LOGIT_EDGES[i]; bins 0 and 999 are the open ends."""
LOGIT_EDGES.setflags(write=False)
LOGIT_CENTRES: NDArray[np.float64] = np.concatenate(
    [[-LOGIT_LIMIT], (LOGIT_EDGES[:-1] + LOGIT_EDGES[1:]) / 2, [LOGIT_LIMIT]]
)
"""A logit standing for each bin; the open ends are represented by their inner edge."""
LOGIT_CENTRES.setflags(write=False)

SCORE_LOW, SCORE_HIGH = 300, 850
SCORE_BINS = SCORE_HIGH - SCORE_LOW + 1
SCORE_AT_BASE_ODDS, BASE_ODDS, POINTS_TO_DOUBLE_ODDS = 600.0, 20.0, 40.0

TIERS = 28
TIER_EDGES: NDArray[np.int64] = np.arange(320, 841, 20, dtype=np.int64)
"""A score on an edge belongs to the better tier; one tier is odds times the root of two."""
TIER_EDGES.setflags(write=False)


def logit_bin(logit: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each logit, 0 … 999, same shape. Raises InternalError when one is NaN."""
    if np.isnan(logit).any():
        raise InternalError("a logit is NaN")
    return np.searchsorted(LOGIT_EDGES, logit, side="left").astype(np.int64)


def logit_histogram(logit: NDArray[np.float64], bad: NDArray[np.int8]) -> NDArray[np.int64]:
    """Good and bad rows per logit bin, shape (2, 1000), of logits (n,) and labels 0/1 (n,)."""
    return class_counts(logit_bin(logit), bad, LOGIT_BINS)


def score_of_logit(logit: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole-point score 300 … 850 of each logit of being bad; infinities reach the ends.

    score = 600 + 40 / ln 2 * ln(odds / 20) with odds good to bad, hence -logit = ln odds.
    Raises InternalError when a logit is NaN.
    """
    if np.isnan(logit).any():
        raise InternalError("a logit is NaN")
    moderate = np.clip(logit, -50.0, 50.0)  # far past both ends of the scale, and cannot overflow
    slope = POINTS_TO_DOUBLE_ODDS / np.log(2.0)
    points = SCORE_AT_BASE_ODDS - slope * (moderate + np.log(BASE_ODDS))
    whole: NDArray[np.float64] = np.rint(points)
    return np.clip(whole, SCORE_LOW, SCORE_HIGH).astype(np.int64)


def score_of_pd(pd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole-point score 300 … 850 of each probability of default in [0, 1].

    Raises InternalError when a value is outside [0, 1] or NaN.
    """
    if not ((pd >= 0) & (pd <= 1)).all():
        raise InternalError("a probability of default is outside [0, 1]")
    with np.errstate(divide="ignore"):  # PD 0 and 1 have infinite logits, which the clip ends
        logit = np.log(pd) - np.log1p(-pd)
    return score_of_logit(logit)


def score_histogram(score: NDArray[np.int64], bad: NDArray[np.int8]) -> NDArray[np.int64]:
    """Good and bad rows per score point, shape (2, 551), column 0 being 300.

    Points ascend in quality: reverse the columns (`[:, ::-1]`) before asking `ranking`, which
    reads bins in ascending risk. Raises InternalError when a score is outside 300 … 850.
    """
    if ((score < SCORE_LOW) | (score > SCORE_HIGH)).any():
        raise InternalError(f"a score is outside {SCORE_LOW} … {SCORE_HIGH}")
    return class_counts(score - SCORE_LOW, bad, SCORE_BINS)


def tier_of_score(score: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tier 1 (best) … 28 of each score."""
    return (TIERS - np.searchsorted(TIER_EDGES, score, side="right")).astype(np.int64)


def tier_name(tier: int) -> str:
    """R01 (best) … R28. Raises InternalError for any other number."""
    if not 1 <= tier <= TIERS:
        raise InternalError(f"tiers run 1 … {TIERS}, got {tier}")
    return f"R{tier:02d}"


def class_counts(code: NDArray[np.int64], bad: NDArray[np.int8], size: int) -> NDArray[np.int64]:
    """Good and bad rows per code, shape (2, size), of codes 0 … size-1 (n,) and labels 0/1 (n,).

    Raises InternalError when the two differ in shape or a code or label is out of range.
    """
    if code.shape != bad.shape or code.ndim != 1:
        raise InternalError(f"codes {code.shape} and labels {bad.shape} must be two equal vectors")
    if ((code < 0) | (code >= size)).any() or ((bad != 0) & (bad != 1)).any():
        raise InternalError(f"expected codes 0 … {size - 1} and labels 0 or 1")
    both = code.astype(np.int64) + size * bad.astype(np.int64)
    return np.bincount(both, minlength=2 * size).astype(np.int64).reshape(2, size)
