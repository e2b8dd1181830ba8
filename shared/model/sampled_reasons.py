"""Shapley values of a network's logit, by sampling orders of columns.

For each sampled order the columns are switched, one by one, from a background row to the row being
explained; a column's value is its mean effect when switched (Castro, Gómez, Tejada, Computers &
Operations Research 36, 2009). Background rows are drawn from the released bins, column by column,
so no lender's rows are needed.

Invariants:
- Additive without sampling error: the values and the base sum to the logit, for every sample.
- The same seed gives the same values; more orders make them steadier (error ∝ 1/√orders).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.model.part import Part
from shared.model.transform import Bins, NumberBins, Transform
from shared.schema import Table

ORDERS = 32


def sampled_contributions(
    part: Part, transform: Transform, table: Table, *, orders: int = ORDERS, seed: int = 0
) -> tuple[NDArray[np.float64], float]:
    """Logit moved by each column, (n, F), and the mean background logit they start from.

    The base is one number for all rows: what a row's own background draws differ from it is spread
    evenly over the columns.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    moved = np.zeros((table.rows, len(transform.columns)))
    start = np.zeros(table.rows)
    for _ in range(orders):
        current = _background(transform, table, generator)
        before = part.logit(transform, current)
        start += before / orders
        for column in generator.permutation(len(transform.columns)):
            name = transform.columns[column].name
            current = replace(current, values=current.values | {name: table.values[name]})
            after = part.logit(transform, current)
            moved[:, column] += (after - before) / orders
            before = after
    base = float(start.mean()) if table.rows else 0.0
    return moved + (start - base)[:, None] / len(transform.columns), base


def _background(transform: Transform, table: Table, generator: np.random.Generator) -> Table:
    values = {bins.name: _drawn(bins, table.rows, generator) for bins in transform.columns}
    return replace(table, values=values)


def _drawn(bins: Bins, rows: int, generator: np.random.Generator) -> NDArray[Any]:
    if isinstance(bins, NumberBins):
        edges = np.asarray(bins.edges or (0.0,))
        return edges[generator.integers(0, len(edges), rows)]
    order = np.asarray(bins.order or (len(bins.levels),), dtype=np.int16)
    return order[generator.integers(0, len(order), rows)]
