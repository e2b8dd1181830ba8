"""Population stability index of two count vectors over the same bins.

Invariants:
- Never negative, symmetric, and zero for equal counts.
- Half a row is added to every bin on both sides, so an empty bin is finite, not infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np

from shared.statistics.measured import Counts, good_and_bad

PSI_WATCH = 0.10
PSI_SHIFTED = 0.25
_SMOOTHING = 0.5

Verdict = Literal["stable", "watch", "shifted", "unknown"]


@dataclass(frozen=True)
class Stability:
    """The index and how much of it samples of this size show with no shift at all.

    `by_chance` is (bins - 1)(1/n + 1/m), the mean of the index when both samples of n and m rows
    come from one population (Yurdakul 2018, chi-square approximation, good from about five rows a
    bin): compare before calling a small book shifted.
    """

    value: float
    by_chance: float

    @property
    def verdict(self) -> Verdict:
        """Below 0.10 stable, from 0.25 shifted, between them watch; unknown when empty."""
        if np.isnan(self.value):
            return "unknown"
        if self.value >= PSI_SHIFTED:
            return "shifted"
        return "watch" if self.value >= PSI_WATCH else "stable"


def psi(expected: Counts, actual: Counts) -> Stability:
    """Sum over bins of (a - e) ln(a / e), with e and a the smoothed shares per bin.

    Bins empty on both sides are left out. With no rows on either side the result is NaN.
    Raises PeerError when shapes differ or a count is negative or not finite.
    """
    before, after = good_and_bad(expected, actual)
    held = before + after > 0
    before, after = before[held], after[held]
    n, m, bins = float(before.sum()), float(after.sum()), len(before)
    if n == 0 or m == 0:
        return Stability(nan, nan)
    e = (before + _SMOOTHING) / (n + _SMOOTHING * bins)
    a = (after + _SMOOTHING) / (m + _SMOOTHING * bins)
    return Stability(float(((a - e) * np.log(a / e)).sum()), (bins - 1) * (1 / n + 1 / m))
