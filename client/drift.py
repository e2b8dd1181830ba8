"""How a lender's own rows differ from the consortium's: population stability, at the lender.

Invariants:
- The lender compares its own counts with released totals; nothing is sent.
- Codes are grouped into about ten groups of equal weight in the consortium before comparing: with
  hundreds of bins a small book would look shifted by chance alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.statistics.psi import psi

GROUPS = 10


def grouped(total: NDArray[np.int64], own: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Both count vectors, (size,), summed over about ten neighbouring groups of equal weight."""
    weight = np.cumsum(total) - total
    group = np.minimum(weight * GROUPS // max(1, int(total.sum())), GROUPS - 1)
    return tuple(np.bincount(group, part, GROUPS).astype(np.int64) for part in (total, own))


def drift(total: NDArray[np.int64], own: NDArray[np.int64]) -> float | None:
    """Population stability index of own counts against the consortium's; None with no rows."""
    if not own.sum() or not total.sum():
        return None
    return psi(*grouped(total, own)).value


def column_drift(total: NDArray[np.int64], codes: NDArray[np.uint8]) -> float | None:
    """The same for one column: released counts (2, size), own codes (n,). Missing is its own."""
    both = total.sum(axis=0)
    own = np.bincount(codes, minlength=len(both)).astype(np.int64)
    if not own.sum():
        return None
    known, missing = grouped(both[:-1], own[:-1]), (both[-1:], own[-1:])
    return psi(*(np.append(a, b) for a, b in zip(known, missing, strict=True))).value
