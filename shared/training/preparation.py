"""Federated preprocessing: three sums that become the frozen transform.

    census   rows and bad rows by role; lenders by size class; numbers: counts on the public
             grid; categories: good and bad rows per level               → refined grids, levels
    refine   numbers: counts on the refined grids                        → quantile edges
    bins     every column: good and bad rows per final code              → WOE, IV, drift

Invariants:
- Only training rows are counted, except for the numbers of validation and test rows.
- Every count is a whole number; nothing but their sums over lenders is used.
- No cell of a lender of 1 … minimum cell - 1 rows leaves it; its rows by role and its size class
  are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError
from shared.model.transform import Bins, CategoryBins, NumberBins, Transform
from shared.schema import Column, Schema, Table
from shared.statistics.grid import (
    CELLS,
    MINIMUM_CELL,
    coarse_counts,
    quantile_edges,
    refined_counts,
    refined_grid,
)
from shared.statistics.layout import Layout
from shared.statistics.scores import class_counts
from shared.training.census import CENSUS_LENGTH, Census, census_counts, census_from
from shared.training.question import Question, fraction_bits
from shared.training.roles import Roles
from shared.training.small_cells import joined_small_cells, without_small_levels

BINS = 254
"""Bins of a number column, beside "missing"."""

MOST_LOSS = 16
"""A row's log loss is cut off here wherever losses are summed, so that sums stay in the ring."""

_PRIOR_ROWS = 10.0


@dataclass(frozen=True, eq=False)
class BinCounts:
    """Good (row 0) and bad (row 1) training rows per code, (2, size), by column name."""

    counts: dict[str, NDArray[np.int64]]


class Preparation:
    """One identical copy at the coordinator and at every lender."""

    STAGES = ("census", "refine", "bins")

    def __init__(self, schema: Schema, minimum_cell: int = 1) -> None:
        self._schema = schema
        self._minimum_cell = minimum_cell
        self._kinds = {column.name: column.kind for column in schema.columns}
        self._stage = 0
        self._grids: dict[str, NDArray[np.float64]] = {}
        self._orders: dict[str, tuple[int, ...]] = {}
        self.census: Census | None = None
        self.transform: Transform | None = None
        self.bins: BinCounts | None = None

    @property
    def finished(self) -> bool:
        """True when all three totals have been absorbed."""
        return self._stage == len(self.STAGES)

    def question(self) -> Question:
        """What is asked next."""
        purpose = {
            "census": "how many rows there are, and where each column's values lie",
            "refine": "counts on a finer grid, for the columns' quantiles",
            "bins": "good and bad rows per bin, for weight of evidence and drift",
        }
        stage = self.STAGES[self._stage]
        return Question(stage, "counts", self._layout().length, 0, 1.0, purpose[stage])

    def answer(self, table: Table, roles: Roles) -> NDArray[np.int64]:
        """A lender's counts for the question at hand."""
        bad = _labels(table)
        training = table.take(roles.training)
        counts: dict[str, NDArray[np.int64]] = {}
        match self.STAGES[self._stage]:
            case "census":
                for column in self._schema.columns:
                    counts |= _census_of(column, training)
            case "refine":
                counts = {
                    name: refined_counts(training.values[name], grid)
                    for name, grid in self._grids.items()
                }
            case _:
                counts = self._code_counts(training)
        counts = {name: self._blurred(name, part) for name, part in counts.items()}
        if self.STAGES[self._stage] == "census":
            counts[""] = census_counts(bad, roles)
        return self._layout().flatten(counts)

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Take the released total of the stage at hand; PeerError if it cannot be counts."""
        values = self._layout().unflatten(total)
        if (total < 0).any():
            raise PeerError(f"stage {self.STAGES[self._stage]}: a count is negative")
        match self.STAGES[self._stage]:
            case "census":
                self._absorb_census(values)
            case "refine":
                self.transform = Transform(tuple(self._bins_of(values)))
            case _:
                self.bins = BinCounts(values)
        self._stage += 1

    def _blurred(self, name: str, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """A column's counts without small cells."""
        least = self._minimum_cell
        if self._kinds[name] == "category":
            return without_small_levels(counts, least)
        if self._stage < 2:
            return joined_small_cells(counts, least)
        missing = without_small_levels(counts[:, -1:], least)
        return np.concatenate([joined_small_cells(counts[:, :-1], least), missing], axis=1)

    def _layout(self) -> Layout:
        fields: list[tuple[str, tuple[int, ...]]] = []
        match self.STAGES[self._stage]:
            case "census":
                fields.append(("", (CENSUS_LENGTH,)))
                for column in self._schema.columns:
                    fields += _census_fields(column)
            case "refine":
                fields += [(name, (len(grid) + 1,)) for name, grid in self._grids.items()]
            case _:
                fields += [(bins.name, (2, bins.size)) for bins in self._transform().columns]
        return Layout(tuple(fields))

    def _transform(self) -> Transform:
        if self.transform is None:
            raise InternalError("the transform is asked for before its quantiles are known")
        return self.transform

    def _code_counts(self, training: Table) -> dict[str, NDArray[Any]]:
        transform = self._transform()
        codes, bad = transform.codes(training), _labels(training)
        return {
            bins.name: class_counts(row.astype(np.int64), bad, bins.size)
            for bins, row in zip(transform.columns, codes, strict=True)
        }

    def _absorb_census(self, values: dict[str, NDArray[np.int64]]) -> None:
        census = census_from(values[""])
        if not 0 < census.bad < census.rows:
            raise PeerError(
                f"{census.bad} of {census.rows} training rows are bad: a model needs both classes"
            )
        fraction_bits(census.largest, census.lenders)  # now, not after the training: PeerError
        self.census = census
        for column in self._schema.columns:
            if column.kind == "number":
                self._grids[column.name] = refined_grid(values[column.name])
            else:
                self._orders[column.name] = _order(values[column.name], census.bad / census.rows)

    def _bins_of(self, values: dict[str, NDArray[np.int64]]) -> list[Bins]:
        return [
            NumberBins(
                column.name,
                quantile_edges(values[column.name], self._grids[column.name], BINS),
            )
            if column.kind == "number"
            else CategoryBins(column.name, column.levels, self._orders[column.name])
            for column in self._schema.columns
        ]


def _labels(table: Table) -> NDArray[np.int8]:
    if table.bad is None:
        raise InternalError("training needs a table with labels")
    return table.bad


def _census_fields(column: Column) -> list[tuple[str, tuple[int, ...]]]:
    if column.kind == "number":
        return [(column.name, (CELLS,))]
    return [(column.name, (2, len(column.levels) + 2))]


def _census_of(column: Column, training: Table) -> dict[str, NDArray[np.int64]]:
    values = training.values[column.name]
    if column.kind == "number":
        return {column.name: coarse_counts(values)}
    size = len(column.levels) + 2
    code = np.where(values < 0, size - 1, values).astype(np.int64)
    return {column.name: class_counts(code, _labels(training), size)}


def _order(counts: NDArray[np.int64], prior: float) -> tuple[int, ...]:
    """Levels with enough rows, ascending in smoothed bad rate; ties in the schema's order."""
    good, bad = counts[:, :-2]
    rows = good + bad
    rate = (bad + _PRIOR_ROWS * prior) / (rows + _PRIOR_ROWS)
    ranked = np.argsort(rate, kind="stable")
    return tuple(int(level) for level in ranked if rows[level] >= MINIMUM_CELL)
