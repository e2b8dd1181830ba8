"""A measure with its certified error, and the totals measures are read from.

Invariants:
- A half-width is a theorem about the totals, not an estimate: the value on raw rows lies within
  value ± half_width. It says nothing about sampling.
- What cannot be measured (an empty total, one class only) is NaN on both, never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import PeerError

Counts = NDArray[np.int64] | NDArray[np.float64]
"""Non-negative totals per bin, shape (B,): whole rows, or sums of positive weights."""


@dataclass(frozen=True)
class Measured:
    """A value read from totals; the value on raw rows is within `half_width` of it."""

    value: float
    half_width: float

    @property
    def low(self) -> float:
        """Lower certified end."""
        return self.value - self.half_width

    @property
    def high(self) -> float:
        """Upper certified end."""
        return self.value + self.half_width


def good_and_bad(good: Counts, bad: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both totals as float64 vectors, shape (B,); float64 holds counts up to 2**53 exactly.

    Raises PeerError when shapes differ or a value is negative or not finite.
    """
    if good.shape != bad.shape or good.ndim != 1:
        raise PeerError(f"expected two vectors of one length, got {good.shape} and {bad.shape}")
    for total in (good, bad):
        if not np.isfinite(total).all() or (total < 0).any():
            raise PeerError("a total per bin is negative or not finite")
    return good.astype(np.float64), bad.astype(np.float64)
