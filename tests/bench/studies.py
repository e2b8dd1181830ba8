"""The data sets of the benches as studies: whose rows, how they are spread over lenders.

Invariants:
- The rows of a data set, their keys and the roles drawn from the seed are the same under every
  partition: only who holds them differs.
- Lenders are real where the data set names them (demo, pakdd) and made where it does not.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from client.table import read_raw
from server.simulation.study import DataSource, Partition, References, Study, read_study
from shared.training.agreement import Family
from tests.datasets import REPOSITORY, load

SETS = ("demo", "uci", "gmsc", "german", "polish1", "polish5", "pakdd")
Spread = Literal["iid", "dirichlet", "quantile"]
SPREADS: tuple[Spread, ...] = ("iid", "dirichlet", "quantile")
SKEWED_COLUMN = {"uci": "LIMIT_BAL", "gmsc": "age"}
"""Sets that are also spread unevenly, and the column whose quantiles make the feature skew."""

MADE_LENDERS = 8
DIRICHLET_ALPHA = 0.5
SMALLEST_SHOP = 300
"""Shops of pakdd with fewer rows are taken together as one lender: the smallest has one row."""


class MissingDataError(Exception):
    """A data set is not on this machine; the text says where it was looked for."""


def study_of(name: str, seed: int, spread: Spread, family: Family) -> tuple[pd.DataFrame, Study]:
    """The rows and the study of one run; raises MissingDataError. References are not trained."""
    none = References(lightgbm=name, fedavg_mlp=False, pooled=False, local=False)
    if name == "demo":
        study = read_study(REPOSITORY / "configs" / "demo.toml")
        study = replace(study, seed=seed, family=family, references=none, out_of_time=None)
        return read_raw(study.data.path).frame, study
    frame, data = _source(name, spread)
    return frame, Study(data, title=name, seed=seed, family=family, references=none)


def lenders_of(name: str, spread: Spread) -> str:
    """In plain words, who the lenders are."""
    real = {"demo": "its real lenders", "pakdd": f"its shops, those under {SMALLEST_SHOP} as one"}
    made = {
        "iid": "alike",
        "dirichlet": f"label skew, Dirichlet {DIRICHLET_ALPHA}",
        "quantile": f"size and feature skew by {SKEWED_COLUMN.get(name)}",
    }
    return real.get(name, f"{MADE_LENDERS} made, {made[spread]}")


def spreads_of(name: str, asked: tuple[Spread, ...]) -> tuple[Spread, ...]:
    """The spreads to run; a set without a column to skew by runs once, under the first name."""
    return asked if name in SKEWED_COLUMN else ("iid",)


def _source(name: str, spread: Spread) -> tuple[pd.DataFrame, DataSource]:
    try:
        found = load(name)
    except pytest.skip.Exception as missing:
        raise MissingDataError(f"{name}: {missing}") from missing
    frame = found.frame
    data = DataSource(
        Path(name), label=found.label, bad=found.bad, categories=tuple(found.categories)
    )
    if found.lender is None:
        column = SKEWED_COLUMN.get(name) if spread == "quantile" else None
        made = Partition(spread, MADE_LENDERS, DIRICHLET_ALPHA, column)
        return frame, replace(data, partition=made)
    rows = frame[found.lender].map(frame[found.lender].value_counts())
    frame = frame.assign(**{found.lender: frame[found.lender].mask(rows < SMALLEST_SHOP, "rest")})
    return frame, replace(data, lender=found.lender)
