"""Quantile edges of a column from two rounds of summed counts.

Invariants:
- Round one counts on a public grid, round two on a grid made from round one's total. Both are
  functions of totals alone, so edges do not depend on how rows are spread over lenders.
- A grid of g ascending points makes g + 1 cells; cell i holds grid[i-1] < x <= grid[i], as in the
  frozen transform. The two outer cells have no outer bound.
- Grid points come from integer arithmetic and one division, never from exp or log, whose last bit
  differs between machines: every lender must hold the very same grid.
- Missing values (NaN) are in no cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError

MINIMUM_CELL = 5
"""Fewest rows that may stand alone in a bin."""

_UNIT = 2000
"""The grid's points are whole multiples of 1/2000."""


def _public_grid() -> NDArray[np.float64]:
    """Linear up to 0.1 in steps of 0.0005, then every decade up to 1e9 in steps of 0.25-0.5 %.

    A decade runs 100, 100.5 … 200, 201 … 400, 402 … 998, so that round amounts and every whole
    number up to 400 are points themselves and edges read well.
    """
    decade = np.concatenate(
        [np.arange(200, 400), np.arange(400, 800, 2), np.arange(800, 2000, 4)]
    ).astype(np.int64)
    above = np.concatenate([decade * 10**power for power in range(10)])
    positive = np.concatenate([np.arange(1, 200), above, [_UNIT * 10**9]])
    return np.concatenate([-positive[::-1], [0], positive]) / _UNIT


GRID: NDArray[np.float64] = _public_grid()
GRID.setflags(write=False)
CELLS = len(GRID) + 1


def coarse_counts(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round one: rows per cell of the public grid, shape (CELLS,). NaN is not counted."""
    return refined_counts(values, GRID)


def refined_counts(values: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows per cell of an ascending grid, shape (len(grid) + 1,). NaN is not counted."""
    present = values[~np.isnan(values)]
    cell = np.searchsorted(grid, present, side="left")
    return np.bincount(cell, minlength=len(grid) + 1).astype(np.int64)


def refined_grid(coarse_total: NDArray[np.int64], cells: int = 2048) -> NDArray[np.float64]:
    """Round two's grid: finer where the rows are, ascending, at most 4 * `cells` points.

    A coarse cell holding a share s of the rows is cut into ceil(s * cells) equal parts, and
    neighbours are joined while they share one 1/cells of the rows, so that a refined cell holds
    about 1/cells of the rows or one value. Columns occupying at most `cells` coarse cells keep
    each of them. Sparse cells are never cut: outliers stay at the public resolution. Values
    closer together than 1/ceil(s * cells) of their coarse cell (of 0.0005 next to zero, of 0.5 %
    elsewhere) cannot be told apart.

    An empty total gives an empty grid. Raises PeerError when the total is not counts on `GRID`.
    """
    counts = _counts(coarse_total, CELLS)
    rows = int(counts.sum())
    occupied = np.flatnonzero(counts)
    if rows == 0:
        return np.empty(0)
    last = occupied
    if len(occupied) > cells:
        below = np.cumsum(counts)[occupied] - counts[occupied]
        quantum = below * cells // rows
        last = occupied[np.append(quantum[1:] != quantum[:-1], True)]
    points = [GRID[last[last < len(GRID)]]]
    parts = -(-counts * cells // rows)
    for cell in np.flatnonzero(parts > 1):
        if 0 < cell < len(GRID):
            low, high, k = GRID[cell - 1], GRID[cell], int(parts[cell])
            points.append(low + (high - low) * (np.arange(k) / k))
        elif cell == len(GRID):
            points.append(GRID[-1:])
    return np.unique(np.concatenate(points))


def quantile_edges(
    total: NDArray[np.int64], grid: NDArray[np.float64], bins: int
) -> tuple[float, ...]:
    """At most `bins` - 1 interior edges, ascending and unique, from counts on `grid`.

    Edge i is the first grid point at or below which lie i/bins of the rows, so the share of rows
    at or below it exceeds i/bins by less than one cell's share. A column occupying no more than
    `bins` cells is cut between all of them. No bin holds fewer than MINIMUM_CELL rows: an edge
    that would make one is left out. A constant or empty column has no edges.

    Raises PeerError when the total is not counts on this grid, InternalError when bins < 1.
    """
    if bins < 1:
        raise InternalError(f"expected at least one bin, got {bins}")
    counts = _counts(total, len(grid) + 1)
    below = np.cumsum(counts)[:-1]
    rows = int(counts.sum())
    occupied = np.flatnonzero(counts)
    if len(occupied) <= bins:
        chosen = occupied[:-1]
    else:
        asked = -(-np.arange(1, bins, dtype=np.int64) * rows // bins)
        chosen = np.unique(np.searchsorted(below, asked, side="left"))
    edges: list[float] = []
    held = 0
    for index in chosen[chosen < len(grid)]:
        if below[index] - held >= MINIMUM_CELL and rows - below[index] >= MINIMUM_CELL:
            edges.append(float(grid[index]))
            held = int(below[index])
    return tuple(edges)


def _counts(total: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    if total.shape != (length,) or not np.can_cast(total.dtype, np.int64, "safe"):
        raise PeerError(f"expected {length} integer counts, got {total.dtype} {total.shape}")
    if (total < 0).any():
        raise PeerError("a count is negative")
    return total.astype(np.int64)
