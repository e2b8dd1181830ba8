"""The frozen transform: a lender's table as bin codes, the same at every lender.

Invariants:
- The transform is a pure function of released totals; two lenders holding the same totals hold
  the same transform, and a row's codes do not depend on any other row.
- Every column has at most `MAX_BINS` codes, so a code fits one byte. The last code of a column is
  "missing"; a category level that nobody had at training time has the code before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, OperatorError
from shared.schema import Table

MAX_BINS = 256


@dataclass(frozen=True)
class NumberBins:
    """A number column cut at ascending `edges`: code i holds edges[i-1] < x <= edges[i].

    Codes: 0 … len(edges) for values, len(edges)+1 for missing.
    """

    name: str
    edges: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in pairwise(self.edges))
        if not rising or not all(map(isfinite, self.edges)):
            raise OperatorError(
                f"column {self.name}: bin edges must be finite and ascending",
                remedy="take a fresh copy of the model",
            )

    @property
    def size(self) -> int:
        """Number of codes, missing included."""
        return len(self.edges) + 2

    def codes(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Bin codes, uint8, shape (n,), of float64 values, shape (n,), NaN meaning missing."""
        code = np.searchsorted(np.asarray(self.edges), values, side="left")
        return np.where(np.isnan(values), self.size - 1, code).astype(np.uint8)

    def labels(self) -> list[str]:
        """One plain text per code, for charts."""
        if not self.edges:
            return ["any value", "missing"]
        edges = [f"{edge:g}" for edge in self.edges]
        inner = [f"{low} – {high}" for low, high in pairwise(edges)]
        return [f"≤ {edges[0]}", *inner, f"> {edges[-1]}", "missing"]


@dataclass(frozen=True)
class CategoryBins:
    """A category column whose levels are ordered by their summed bad rate.

    `order[i]` is the schema level (its index) with code i. Levels under the minimum cell count are
    left out of `order` and share the code len(order) with levels nobody has seen; the last code,
    len(order)+1, is missing.
    """

    name: str
    levels: tuple[str, ...]
    order: tuple[int, ...]

    def __post_init__(self) -> None:
        known = set(self.order) <= set(range(len(self.levels)))
        if not known or len(set(self.order)) != len(self.order):
            raise OperatorError(
                f"column {self.name}: the order must name levels, each once",
                remedy="take a fresh copy of the model",
            )

    @property
    def size(self) -> int:
        """Number of codes, rare/unseen and missing included."""
        return len(self.order) + 2

    def codes(self, values: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Bin codes, uint8, shape (n,), of schema codes: -1 missing, len(levels) unseen."""
        lookup = np.full(len(self.levels) + 2, len(self.order), dtype=np.uint8)
        lookup[list(self.order)] = np.arange(len(self.order))
        lookup[-1] = self.size - 1
        return lookup[values]

    def labels(self) -> list[str]:
        """One plain text per code, for charts."""
        return [*(self.levels[i] for i in self.order), "rare or unseen", "missing"]


Bins = NumberBins | CategoryBins


@dataclass(frozen=True)
class Transform:
    """All columns' bins, in the schema's order."""

    columns: tuple[Bins, ...]

    def __post_init__(self) -> None:
        for column in self.columns:
            if column.size > MAX_BINS:
                raise InternalError(
                    f"column {column.name} has {column.size} codes, over {MAX_BINS}"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Codes per column, shape (F,)."""
        return np.array([column.size for column in self.columns], dtype=np.int64)

    @property
    def is_category(self) -> NDArray[np.bool_]:
        """Which columns are categories, shape (F,)."""
        return np.array([isinstance(column, CategoryBins) for column in self.columns], dtype=bool)

    def codes(self, table: Table) -> NDArray[np.uint8]:
        """Bin codes of a table, uint8, shape (F, n): column-major, as the trees read it."""
        out = np.empty((len(self.columns), table.rows), dtype=np.uint8)
        for row, column in zip(out, self.columns, strict=True):
            row[:] = column.codes(table.values[column.name])
        return out

    def to_dict(self) -> dict[str, object]:
        """JSON-ready form; `transform_from` is its inverse."""
        return {"columns": [_column_to_dict(column) for column in self.columns]}


def _column_to_dict(column: Bins) -> dict[str, object]:
    if isinstance(column, NumberBins):
        return {"name": column.name, "edges": list(column.edges)}
    return {"name": column.name, "levels": list(column.levels), "order": list(column.order)}


def transform_from(document: Mapping[str, object]) -> Transform:
    """Inverse of `Transform.to_dict`; raises OperatorError when the document is not one."""
    columns = document.get("columns")
    if not isinstance(columns, list):
        raise OperatorError(
            "a transform needs a list of columns", remedy="use the saved model file"
        )
    return Transform(tuple(_column_from(column) for column in columns))


def _column_from(column: Mapping[str, object]) -> Bins:
    match column:
        case {"name": str(name), "edges": list(edges)}:
            return NumberBins(name, tuple(float(edge) for edge in edges))
        case {"name": str(name), "levels": list(levels), "order": list(order)}:
            return CategoryBins(name, tuple(map(str, levels)), tuple(int(i) for i in order))
    raise OperatorError("a transform's column has neither edges nor levels")
