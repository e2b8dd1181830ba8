"""Rows that were sampled by their outcome, weighed so that the known share of them is bad."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def weights(
    good: NDArray[np.float64], bad: NDArray[np.float64], prevalence: float | None
) -> tuple[float, float]:
    """Of a good and of a bad row, so that this share is bad and the number of rows stays; ones
    without a share, and where a class is missing.
    """
    goods, bads = float(good.sum()), float(bad.sum())
    if prevalence is None or not goods or not bads:
        return 1.0, 1.0
    rows = goods + bads
    return (1 - prevalence) * rows / goods, prevalence * rows / bads
