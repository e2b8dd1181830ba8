"""How well a score ranks, and what one score gains over another on the same rows.

Invariants:
- A score is a risk: higher is worse. Only its order matters, ties count one half (AUC) or are
  crossed in one step (curves).
- A measure that needs both classes is None when there is only one.
- `weights` (shape (n,), above 0, default 1) re-weight rows, e.g. from a choice-based sample to the
  national bad rate; they weight the measure, and are not redrawn as if they were counts.

Unlike the measures of the consortium, which are sums over lenders, these are exact and see rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.errors import InternalError

Floats = NDArray[np.float64]

BOOTSTRAP_ROWS = 5000
"""Above this many rows `gain_interval` uses DeLong's variance instead of the bootstrap."""
CURVE_POINTS = 200
_Z95 = 1.959963984540054


class Interval(NamedTuple):
    """A gain in AUC and its 95 % confidence interval, all in -1 … 1."""

    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class SwapSet:
    """Who changes sides when the personal score replaces the local one at equal approval.

    `approved` rows are approved by each score (by both: `approved` less `swapped_in`); swapped in
    are those only the personal score approves, swapped out those only the local one does. Bad rates
    are 0 … 1, None where the set is empty; `local_bad_rate` and `personal_bad_rate` are over
    everything each score approves.
    """

    approval_rate: float
    approved: int
    swapped_in: int
    swapped_out: int
    bad_rate_in: float | None
    bad_rate_out: float | None
    local_bad_rate: float | None
    personal_bad_rate: float | None


def auc(bad: ArrayLike, score: ArrayLike, weights: ArrayLike | None = None) -> float | None:
    """Area under the ROC curve, 0 … 1: the chance that a bad row scores above a good one."""
    bads, goods = _stepwise(bad, score, weights)
    if not bads.sum() or not goods.sum():
        return None
    good_below = bads @ (goods.sum() - np.cumsum(goods) + goods / 2)  # steps run worst first
    return float(good_below / (bads.sum() * goods.sum()))


def ks(bad: ArrayLike, score: ArrayLike, weights: ArrayLike | None = None) -> float | None:
    """Kolmogorov-Smirnov distance, 0 … 1, between the scores of bad and of good rows."""
    bads, goods = _stepwise(bad, score, weights)
    if not bads.sum() or not goods.sum():
        return None
    return float(np.abs(np.cumsum(bads) / bads.sum() - np.cumsum(goods) / goods.sum()).max())


def roc_points(
    bad: ArrayLike,
    score: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    limit: int = CURVE_POINTS,
) -> Floats | None:
    """The ROC curve: (k, 2), k <= limit, of (share of goods, share of bads) above a cut-off.

    From (0, 0) to (1, 1), ascending in both; every point lies on the exact curve.
    """
    bads, goods = _stepwise(bad, score, weights)
    if not bads.sum() or not goods.sum():
        return None
    return _thinned(goods / goods.sum(), bads / bads.sum(), limit)


def gain_curve(
    bad: ArrayLike,
    score: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    limit: int = CURVE_POINTS,
) -> Floats | None:
    """The gain curve: (k, 2), k <= limit, of (share of all rows, share of bads) above a cut-off.

    What share of the bads is found by looking at the riskiest share of applicants.
    """
    bads, goods = _stepwise(bad, score, weights)
    if not bads.sum() or not goods.sum():
        return None
    both = bads + goods
    return _thinned(both / both.sum(), bads / bads.sum(), limit)


def gain_interval(
    bad: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    *,
    seed: int,
    draws: int = 1000,
    weights: ArrayLike | None = None,
) -> Interval | None:
    """AUC of `score_b` less AUC of `score_a` on the same rows, with a 95 % interval.

    Up to `BOOTSTRAP_ROWS` rows: percentiles of a paired bootstrap within each class. Above: a
    normal interval from the paired variance of DeLong, DeLong and Clarke-Pearson (Biometrics 44,
    1988), which agrees with the bootstrap there and needs no draws.
    """
    is_bad, weight = _rows(bad, score_a, weights)
    _rows(bad, score_b, weights)
    if is_bad.all() or not is_bad.any():
        return None
    a, b = np.asarray(score_a, dtype=np.float64), np.asarray(score_b, dtype=np.float64)
    if len(is_bad) > BOOTSTRAP_ROWS:
        return _delong(is_bad, a, b, weight)
    return _bootstrap(is_bad, a, b, weight, draws, np.random.default_rng(seed))


def swap_set(
    bad: ArrayLike,
    score_local: ArrayLike,
    score_personal: ArrayLike,
    approval_rate: float,
    *,
    weights: ArrayLike | None = None,
) -> SwapSet:
    """Approve the `approval_rate` (0 … 1) safest share by each score and compare who is in.

    Rows of equal score are taken in a fixed random order, so that a constant score approves an
    average applicant and not the top of the file. With weights, the share is one of weight, so the
    two scores may approve slightly different numbers of rows; `approved` is the local score's.
    """
    is_bad, weight = _rows(bad, score_local, weights)
    _rows(bad, score_personal, weights)
    if not 0 <= approval_rate <= 1:
        raise InternalError(f"approval rate must be in 0 … 1, not {approval_rate}")
    local = _approved(score_local, weight, approval_rate)
    personal = _approved(score_personal, weight, approval_rate)
    entering, leaving = personal & ~local, local & ~personal
    return SwapSet(
        approval_rate=approval_rate,
        approved=int(local.sum()),
        swapped_in=int(entering.sum()),
        swapped_out=int(leaving.sum()),
        bad_rate_in=_bad_rate(is_bad, weight, entering),
        bad_rate_out=_bad_rate(is_bad, weight, leaving),
        local_bad_rate=_bad_rate(is_bad, weight, local),
        personal_bad_rate=_bad_rate(is_bad, weight, personal),
    )


def _rows(
    bad: ArrayLike, score: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.bool_], Floats]:
    is_bad, values = np.asarray(bad) == 1, np.asarray(score, dtype=np.float64)
    weight = np.ones(len(is_bad)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not is_bad.shape == values.shape == weight.shape or is_bad.ndim != 1:
        raise InternalError(f"labels {is_bad.shape}, scores {values.shape}, weights {weight.shape}")
    if not np.isfinite(values).all() or not (weight > 0).all():
        raise InternalError("a score is not finite or a weight is not above 0")
    return is_bad, weight


def _stepwise(bad: ArrayLike, score: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    """Weight of bad and of good rows at each distinct score, worst score first."""
    is_bad, weight = _rows(bad, score, weights)
    _, step = np.unique(-np.asarray(score, dtype=np.float64), return_inverse=True)
    steps = int(step.max(initial=-1)) + 1
    bads, goods = np.zeros(steps), np.zeros(steps)
    np.add.at(bads, step[is_bad], weight[is_bad])
    np.add.at(goods, step[~is_bad], weight[~is_bad])
    return bads, goods


def _thinned(across: Floats, up: Floats, limit: int) -> Floats:
    """Cumulated curve from (0, 0), at most `limit` points, evenly spaced along across + up."""
    points = np.zeros((len(across) + 1, 2))
    points[1:, 0], points[1:, 1] = np.cumsum(across), np.cumsum(up)
    points[-1] = 1.0
    if len(points) <= limit:
        return points
    kept = np.searchsorted(points.sum(axis=1), np.linspace(0.0, 2.0, limit))
    return points[np.unique(kept)]


def _approved(score: ArrayLike, weight: Floats, rate: float) -> NDArray[np.bool_]:
    tie_break = np.random.default_rng(0).random(len(weight))
    safest_first = np.lexsort((tie_break, np.asarray(score, dtype=np.float64)))
    middle = np.cumsum(weight[safest_first]) - weight[safest_first] / 2
    approved = np.zeros(len(weight), dtype=bool)
    approved[safest_first] = middle <= rate * weight.sum()
    return approved


def _bad_rate(is_bad: NDArray[np.bool_], weight: Floats, chosen: NDArray[np.bool_]) -> float | None:
    return float(np.average(is_bad[chosen], weights=weight[chosen])) if chosen.any() else None


def _bootstrap(
    is_bad: NDArray[np.bool_],
    a: Floats,
    b: Floats,
    weight: Floats,
    draws: int,
    rng: np.random.Generator,
) -> Interval:
    """One matrix product for all draws: a drawn AUC is counts · (who outranks whom) · counts.

    The difference of the two outranking matrices, (bads, goods), holds multiples of 1/2; single
    precision keeps gains to about 1e-6 and halves the time.
    """
    gap = _outranks(b[is_bad], b[~is_bad]) - _outranks(a[is_bad], a[~is_bad])
    bads = _drawn_weights(weight[is_bad], draws, rng)
    goods = _drawn_weights(weight[~is_bad], draws, rng)
    gains = np.einsum("dg,dg->d", bads @ gap, goods, dtype=np.float64)
    low, high = np.quantile(gains, [0.025, 0.975])
    return Interval(_gain(is_bad, a, b, weight), float(low), float(high))


def _outranks(bads: Floats, goods: Floats) -> NDArray[np.float32]:
    above = (bads[:, None] > goods).astype(np.float32)
    above += bads[:, None] >= goods
    return above / np.float32(2)


def _drawn_weights(weight: Floats, draws: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Shares of weight, (draws, n) float32, when n rows are redrawn with replacement."""
    n = len(weight)
    chosen = rng.integers(n, size=(draws, n)) + n * np.arange(draws)[:, None]
    counts = np.bincount(chosen.ravel(), minlength=draws * n).reshape(draws, n) * weight
    shares: NDArray[np.float32] = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def _delong(is_bad: NDArray[np.bool_], a: Floats, b: Floats, weight: Floats) -> Interval:
    gain = _gain(is_bad, a, b, weight)
    variance = 0.0
    for own in (is_bad, ~is_bad):
        share = weight[own] / weight[own].sum()
        placed = _placement(b, own, weight) - _placement(a, own, weight)
        spread = placed - share @ placed
        n = own.sum()
        variance += float((share * spread) @ (share * spread)) * n / max(n - 1, 1)
    half_width = _Z95 * float(np.sqrt(variance))
    return Interval(gain, gain - half_width, gain + half_width)


def _placement(score: Floats, own: NDArray[np.bool_], weight: Floats) -> Floats:
    """Per row of `own`, the share of the other class's weight that it scores above.

    Placements of goods point the other way round than those of bads; a variance does not mind.
    """
    order = np.argsort(score[~own])
    other, total = score[~own][order], np.concatenate([[0.0], np.cumsum(weight[~own][order])])
    below = total[np.searchsorted(other, score[own], side="left")]
    up_to = total[np.searchsorted(other, score[own], side="right")]
    placed: Floats = (below + up_to) / (2 * total[-1])
    return placed


def _gain(is_bad: NDArray[np.bool_], a: Floats, b: Floats, weight: Floats) -> float:
    before, after = auc(is_bad, a, weight), auc(is_bad, b, weight)
    if before is None or after is None:
        raise InternalError("a gain needs both classes")
    return after - before
