"""Small cells: how a lender blurs its counts before they are added to the others'.

    minimum 3    cells in order   2 0 1 4 0 1 1   →   3 0 0 6 0 0 0
                 levels           2 0 1 4 0 1 1   →   0 0 0 4 0 0 0

Invariants:
- Every count that leaves is 0 or at least the minimum: a count of a few rows never leaves, not even
  into a sum. With a minimum of 1 every count leaves as it is.
- Cells in order (values, logits, scores) keep their total, so that what is read from them is not
  bent: leaving small cells out would take the rarer class out of every bin, and an AUC of .81 would
  read .98. Only a histogram of fewer rows than the minimum is left out.
- Numbers of rows by role and the lender's size class are no cells and stay exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def without_small_levels(counts: NDArray[np.int64], minimum: int) -> NDArray[np.int64]:
    """Counts of any shape, each of 1 … `minimum` - 1 replaced by 0: for levels, which have no
    neighbours.
    """
    return np.where(counts < minimum, 0, counts)


def joined_small_cells(counts: NDArray[np.int64], minimum: int) -> NDArray[np.int64]:
    """Histograms (…, cells), ascending in the last axis, each with its rows moved together.

    In order, every `minimum` rows (the last ones up to 2 · `minimum` - 1) move into the cell of the
    middle one. So at any border between cells fewer than `minimum` rows are on the other side.
    """
    if minimum == 1 or not counts.size:
        return counts
    flat = [_joined(one, minimum) for one in counts.reshape(-1, counts.shape[-1])]
    return np.stack(flat).reshape(counts.shape)


def share_in_doubt(total: NDArray[np.int64], lenders: int, minimum: int) -> float:
    """What joining adds to the certified error of AUC and KS of `total`: good and bad rows of so
    many lenders' joined cells, (2, cells). inf for a total without rows of one class.

    Put every row where the middle row of its group is. At any logit at most `minimum` - 1 rows of a
    class and lender have changed sides, or were left out altogether; so a cumulative share is off
    by at most lenders · (minimum - 1) / rows, and AUC and KS by no more than both classes' shares.
    """
    moved = lenders * (minimum - 1)
    if not moved:
        return 0.0
    return sum(moved / rows if rows else float("inf") for rows in total.sum(axis=1).tolist())


def _joined(counts: NDArray[np.int64], minimum: int) -> NDArray[np.int64]:
    """One histogram (cells,)."""
    upto = np.cumsum(counts)
    rows = int(upto[-1])
    groups = rows // minimum
    if not groups:
        return np.zeros_like(counts)
    first = np.arange(groups) * minimum
    size = np.diff(first, append=rows)
    cell = np.searchsorted(upto, first + size // 2, side="right")
    joined = np.zeros_like(counts)
    np.add.at(joined, cell, size)
    return joined
