"""Synthetic lenders for the researcher's references: a label that three features explain."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.schema import Column, LabelContract, Schema, Table

MakeTable = Callable[..., Table]

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number"),
        Column("age", "number"),
        Column("region", "category", levels=("north", "east", "south", "west")),
    ),
    label=LabelContract("bad_flag", bad=("1",), good=("0",)),
    row_key="loan_id",
)


@pytest.fixture
def make_table() -> MakeTable:
    """make_table(rows, seed, scale=1.0) → a labelled table with missing and unseen values."""
    return _make_table


def _make_table(rows: int, seed: int, scale: float = 1.0) -> Table:
    rng = np.random.default_rng(seed)
    income, age = rng.normal(size=rows), rng.normal(size=rows)
    region = rng.integers(0, 4, rows)
    logit = 1.5 * income * (age > 0) - 1.2 * (region == 2) + 0.5
    bad = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    return Table(
        SCHEMA,
        {
            "income": _with(income * scale, rng.random(rows) < 0.05, np.nan),
            "age": age,
            "region": _with(region, rng.random(rows) < 0.05, -1).astype(np.int16),
        },
        bad,
        np.arange(rows),
    )


def _with(values: NDArray, where: NDArray, value: float) -> NDArray:
    return np.where(where, value, values)
