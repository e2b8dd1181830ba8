"""How well a score ranks bad above good, from good and bad totals per bin.

Invariants:
- Bins ascend in risk (for score points, reverse the histogram first). Rows in one bin count as
  tied; the certified error is all that the ties could hide.
- Bad is the positive class. Totals may be counts or sums of weights.
- With no good or no bad rows every measure is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.statistics.measured import Counts, Measured, good_and_bad


@dataclass(frozen=True)
class KolmogorovSmirnov:
    """Largest gap between the good and bad distributions.

    The gap on raw rows lies within [value, value + bound]. `bin` is the last bin to approve at
    the largest gap, -1 when there is none.
    """

    value: float
    bound: float
    bin: int


@dataclass(frozen=True)
class RocCurve:
    """Rates when declining from the riskiest bin down; both shape (B + 1,), from 0 to 1."""

    false_positive: NDArray[np.float64]
    true_positive: NDArray[np.float64]


@dataclass(frozen=True)
class GainRow:
    """What the riskiest `share` of the rows holds.

    `gain` is the share of all bad rows among them, ties within the cut bin spread evenly;
    any other order within that bin gives a gain in [low, high]. `lift` is gain / share.
    """

    share: float
    gain: float
    low: float
    high: float
    lift: float


@dataclass(frozen=True)
class CutoffTable:
    """Row b: approve bins 0 … b. Exact, no interpolation; all shape (B,).

    `bad_rate` is NaN where nobody is approved; `bad_caught` is the share of all bad rows declined.
    """

    approval_rate: NDArray[np.float64]
    bad_rate: NDArray[np.float64]
    bad_caught: NDArray[np.float64]


def auc(good: Counts, bad: Counts) -> Measured:
    """Area under the ROC curve: P(bad row is riskier) + P(tied) / 2.

    Rows of one bin could be ordered either way on raw scores: each such good-bad pair adds at
    most 1/2 to the error, so the half-width is sum(good * bad) / 2 / (all good * all bad).
    """
    goods, bads = good_and_bad(good, bad)
    pairs = goods.sum() * bads.sum()
    if pairs == 0:
        return Measured(nan, nan)
    tied = float(goods @ bads)
    safer = np.cumsum(goods) - goods
    return Measured((float(bads @ safer) + tied / 2) / pairs, tied / 2 / pairs)


def gini(good: Counts, bad: Counts) -> Measured:
    """2 AUC - 1, in [-1, 1], with twice the AUC's half-width."""
    area = auc(good, bad)
    return Measured(2 * area.value - 1, 2 * area.half_width)


def ks(good: Counts, bad: Counts) -> KolmogorovSmirnov:
    """Two-sided Kolmogorov-Smirnov statistic of the good and bad distributions, in [0, 1].

    Between two bin borders the gap can rise at most to "all good of the bin first" and fall at
    most to "all bad first"; the bound is the furthest of these beyond the largest border gap.
    """
    goods, bads = good_and_bad(good, bad)
    if goods.sum() == 0 or bads.sum() == 0:
        return KolmogorovSmirnov(nan, nan, -1)
    good_share, bad_share = goods / goods.sum(), bads / bads.sum()
    gap = np.cumsum(good_share) - np.cumsum(bad_share)
    before = np.append(0.0, gap[:-1])
    largest = int(np.argmax(np.abs(gap)))
    value = float(abs(gap[largest]))
    furthest = float(max((before + good_share).max(), (bad_share - before).max()))
    return KolmogorovSmirnov(value, max(0.0, min(furthest, 1.0) - value), largest)


def roc(good: Counts, bad: Counts) -> RocCurve:
    """ROC points at every bin border, declining the riskiest first."""
    goods, bads = good_and_bad(good, bad)
    return RocCurve(_share_from_the_top(goods), _share_from_the_top(bads))


def gain_table(good: Counts, bad: Counts, shares: Sequence[float]) -> tuple[GainRow, ...]:
    """Gain and lift of the riskiest `shares` of all rows, each in (0, 1].

    Raises InternalError when a share is outside (0, 1].
    """
    goods, bads = good_and_bad(good, bad)
    if any(not 0 < share <= 1 for share in shares):
        raise InternalError(f"expected shares in (0, 1], got {list(shares)}")
    if goods.sum() == 0 or bads.sum() == 0:
        return tuple(GainRow(share, nan, nan, nan, nan) for share in shares)
    return tuple(_gain_row(goods[::-1], bads[::-1], share) for share in shares)


def cutoff_table(good: Counts, bad: Counts) -> CutoffTable:
    """Approval rate, bad rate among approved and share of bad declined, at every cut-off."""
    goods, bads = good_and_bad(good, bad)
    approved = np.cumsum(goods + bads)
    approved_bad = np.cumsum(bads)
    rows, bad_rows = (goods + bads).sum(), bads.sum()
    return CutoffTable(
        approval_rate=_ratio(approved, np.full_like(approved, rows)),
        bad_rate=_ratio(approved_bad, approved),
        bad_caught=1 - _ratio(approved_bad, np.full_like(approved, bad_rows)),
    )


def _gain_row(goods: NDArray[np.float64], bads: NDArray[np.float64], share: float) -> GainRow:
    """One row, bins descending in risk."""
    taken = np.cumsum(goods + bads)
    wanted = share * taken[-1]
    cut = min(int(np.searchsorted(taken, wanted)), len(taken) - 1)
    all_bad = bads.sum()
    above = bads[:cut].sum()
    room = wanted - (taken[cut] - goods[cut] - bads[cut])  # rows taken out of the cut bin
    even = above + bads[cut] * room / (goods[cut] + bads[cut])
    fewest, most = above + max(0.0, room - goods[cut]), above + min(bads[cut], room)
    gain, low, high = (float(min(x / all_bad, 1.0)) for x in (even, fewest, most))
    return GainRow(share, gain, low, high, gain / share)


def _share_from_the_top(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    cumulated = np.append(0.0, np.cumsum(counts[::-1]))
    return _ratio(cumulated, np.full_like(cumulated, cumulated[-1]))


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """part / whole, NaN where the whole is zero."""
    return np.divide(part, whole, out=np.full_like(part, nan), where=whole > 0)
