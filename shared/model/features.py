"""Piecewise-linear features: a lender's table as the float matrix the network reads.

Invariants:
- The features are a pure function of the frozen transform and of the row itself: no lender scales
  by its own statistics, so a row gives the same features at every lender.
- Every feature lies in [0, 1], whatever the units of the column.
- The matrix holds 4·n·D bytes. Nothing here keeps rows, so a caller with a million rows passes them
  in blocks (`Table.take`).

Encoding after Gorishniy, Rubachev, Babenko, "On Embeddings for Numerical Features in Tabular Deep
Learning" (NeurIPS 2022, arXiv 2203.05556), section 3.2, with federated quantiles as knots.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.model.transform import Bins, CategoryBins, NumberBins, Transform
from shared.schema import Table


@dataclass(frozen=True)
class PiecewiseLinear:
    """Features of a table under a frozen `transform`; at most `pieces` ramps for a number column.

    A number column with knots t[0] < … < t[m-1] (an evenly spaced subset of its edges) gives
    - m-1 ramps, clip((x - t[i]) / (t[i+1] - t[i]), 0, 1): how far x has climbed each piece;
    - one step, x > t[m-1]: the upper tail, and all there is when a column has a single edge;
    - one missing flag; when it is set, the others are 0.
    A column without edges has the flag only. A category column gives one 0/1 feature per code:
    the levels in the transform's order, "rare or unseen", missing.
    """

    transform: Transform
    pieces: int = 16

    def __post_init__(self) -> None:
        if self.pieces < 1:
            raise InternalError(f"a number column needs at least one piece, not {self.pieces}")

    @property
    def width(self) -> int:
        """Number of features D."""
        return sum(_width(column, self.pieces) for column in self.transform.columns)

    def matrix(self, table: Table) -> NDArray[np.float32]:
        """Features of `table`, float32, shape (table.rows, D), in the transform's column order."""
        out = np.zeros((table.rows, self.width), dtype=np.float32)
        start = 0
        for column in self.transform.columns:
            stop = start + _width(column, self.pieces)
            block, values = out[:, start:stop], table.values[column.name]
            if isinstance(column, CategoryBins):
                block[np.arange(table.rows), column.codes(values)] = 1.0
            else:
                _write_number(block, values, column, self.pieces)
            start = stop
        return out


def _width(column: Bins, pieces: int) -> int:
    if isinstance(column, CategoryBins):
        return column.size
    knots = len(_knots(column, pieces))
    return knots + 1


def _knots(column: NumberBins, pieces: int) -> NDArray[np.float64]:
    """At most pieces+1 of the column's edges, evenly spaced by position, both ends included."""
    edges = np.asarray(column.edges, dtype=np.float64)
    if len(edges) <= pieces + 1:
        return edges
    return edges[np.linspace(0, len(edges) - 1, pieces + 1).round().astype(np.intp)]


def _write_number(
    block: NDArray[np.float32], values: NDArray[np.float64], column: NumberBins, pieces: int
) -> None:
    """Fill one number column's features, float32, shape (n, its width), which arrive as zeros."""
    missing = np.isnan(values)
    block[:, -1] = missing
    knots = _knots(column, pieces)
    if not len(knots):
        return
    known = np.where(missing, knots[0], values)
    block[:, :-2] = np.clip((known[:, None] - knots[:-1]) / np.diff(knots), 0.0, 1.0)
    block[:, -2] = known > knots[-1]
