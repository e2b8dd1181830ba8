"""A table as LightGBM wants it, and how many rounds it needs on held-back rows.

Invariants:
- Category columns are native categories; a missing value is NaN and a level nobody listed is a
  level of its own.
- Rows are never weighted, and the same arguments and seed give the same model.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from server.simulation.lightgbm_parameters import LightgbmParameters
from shared.errors import InternalError, OperatorError
from shared.schema import Column, Table

_MAX_ROUNDS = 2000
_PATIENCE = 50

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LightgbmRows:
    """`features` float64 (n, F), `bad` 0/1 (n,), and which columns are categories."""

    features: Floats
    bad: NDArray[np.int8]
    categories: tuple[int, ...]

    @classmethod
    def of(cls, table: Table, lender: NDArray[np.int64] | None = None) -> Self:
        """A labelled table; `lender` (n,), if given, is one more category."""
        if table.bad is None:
            raise InternalError("a reference learns from labelled rows only")
        kinds = [column.kind == "category" for column in table.schema.columns]
        kinds += [True] * (lender is not None)
        categories = tuple(np.flatnonzero(kinds).tolist())
        return cls(feature_matrix(table, lender), table.bad, categories)

    def take(self, index: NDArray[Any]) -> Self:
        """The rows of `index` (positions or mask), in that order."""
        return type(self)(self.features[index], self.bad[index], self.categories)

    def constant_logit(self) -> float:
        """Log odds of the bad rate, half a row added to each class so that it is finite."""
        bads = float(self.bad.sum())
        return float(np.log((bads + 0.5) / (len(self.bad) - bads + 0.5)))


def feature_matrix(table: Table, lender: NDArray[np.int64] | None = None) -> Floats:
    """All features, float64 (n, F), in the schema's order; `lender` last, if given."""
    columns = [_column(table, column) for column in table.schema.columns]
    return np.column_stack([*columns, *([] if lender is None else [lender.astype(np.float64)])])


def lightgbm() -> Any:
    """The library; raises OperatorError when the optional group is not installed."""
    try:
        return importlib.import_module("lightgbm")
    except ImportError as error:
        raise OperatorError(
            "the references of a simulation need LightGBM, which is not installed",
            remedy="pip install 'lianfang[simulate]'",
        ) from error


def fitted(
    rows: LightgbmRows, parameters: LightgbmParameters, rounds: int, *, seed: int, threads: int
) -> Any:
    """A LightGBM booster after exactly `rounds` rounds on all of `rows`."""
    settings = parameters.settings(seed=seed, threads=threads)
    return lightgbm().train(settings, _data(rows, settings), rounds)


def cross_validated(
    rows: LightgbmRows,
    parameters: LightgbmParameters,
    *,
    parts: int,
    used: int,
    metric: str,
    seed: int,
    threads: int,
) -> tuple[float, float]:
    """The best number of rounds and the metric there, both means over held-back parts.

    The rows are dealt into `parts` by `seed`; each of the first `used` is held back once. `metric`
    is `auc` (higher is better) or `binary_logloss` (lower is better).
    """
    fold = folds(rows.bad, parts, seed)
    settings = parameters.settings(seed=seed, threads=threads, metric=metric)
    runs = [
        _early_stopped(rows.take(fold != part), rows.take(fold == part), settings, metric)
        for part in range(used)
    ]
    best_rounds, best_metric = np.mean(runs, axis=0).tolist()
    return best_rounds, best_metric


def folds(bad: NDArray[np.int8], count: int, seed: int) -> NDArray[np.int64]:
    """A fold number, 0 … count-1, per row, int64 (n,); each class is spread evenly over folds."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(bad), dtype=np.int64)
    for value in (0, 1):
        members = rng.permutation(np.flatnonzero(bad == value))
        fold[members] = np.arange(len(members)) % count
    return fold


def _column(table: Table, column: Column) -> Floats:
    values = table.values[column.name].astype(np.float64)
    return np.where(values < 0, np.nan, values) if column.kind == "category" else values


def _early_stopped(
    train: LightgbmRows, held_back: LightgbmRows, settings: dict[str, object], metric: str
) -> tuple[int, float]:
    library = lightgbm()
    data = _data(train, settings)
    validation = library.Dataset(held_back.features, held_back.bad, reference=data)
    stop = library.early_stopping(_PATIENCE, verbose=False)
    booster = library.train(settings, data, _MAX_ROUNDS, [validation], callbacks=[stop])
    return int(booster.best_iteration), float(booster.best_score["valid_0"][metric])


def _data(rows: LightgbmRows, settings: dict[str, object]) -> Any:
    return lightgbm().Dataset(
        rows.features, rows.bad, categorical_feature=list(rows.categories), params=settings
    )
