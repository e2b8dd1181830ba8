"""What gradient boosting does with all rows in one place, and with one lender's rows alone.

The pooled model is what nobody in a consortium may build: it reads every lender's rows, and exists
to show what is lost by not pooling. The local model is what a lender has today, and what it must
beat to gain by joining; so it is tuned to be good on few rows, not left at the usual settings.

Invariants:
- The number of rounds is chosen on training rows only; test rows are only scored.
- Test labels are never read.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from server.simulation.lightgbm_parameters import LightgbmParameters
from server.simulation.lightgbm_rows import (
    Floats,
    LightgbmRows,
    cross_validated,
    feature_matrix,
    fitted,
)
from shared.schema import Table

MIN_OF_EACH_CLASS = 5
"""With fewer bad or fewer good training rows a reference is a constant."""

_REFIT = 1.1  # a model on all rows may run a little longer than one on a part of them
_MIN_ROUNDS = 10

_POOLED_PARTS = 8
_POOLED_FEW_ROWS = 15_000  # one eighth of fewer rows is too noisy to stop on: take each in turn

# What a lender usually has: the settings of docs/decisions/0009, early stopping on one fifth.
_USUAL = LightgbmParameters(num_leaves=8, min_data_in_leaf=20, lambda_l2=10.0)
_USUAL_LARGE = replace(_USUAL, num_leaves=15)
_USUAL_PARTS = 5

# Chosen on splits 10–14 of the demo's lenders, among some forty variants. Small leaves and little
# shrinkage matter most: with 20 rows or more in a leaf the lenders of a few hundred rows lose three
# points of AUC. Averaging both readings of categories is worth .003. Mean AUC over the twelve
# lenders on fresh splits 20–24: .775, where usual settings with one early stop gave .754.
_LOCAL = LightgbmParameters(num_leaves=8, min_data_in_leaf=3, lambda_l2=0.3)
_LOCAL_LARGE = replace(_LOCAL, num_leaves=15)
_LOCAL_LARGE_ROWS = 4000
_LOCAL_PARTS = 4
_LOCAL_REFITS = 4
_SEED_STEP = 1_000_003  # so that the refits of one seed are not those of the next


def pooled_lightgbm(
    train: Table,
    test: Table,
    parameters: LightgbmParameters,
    seed: int,
    *,
    lenders: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
    threads: int = 2,
) -> Floats:
    """Logits, float64, shape (test.rows,), of LightGBM trained on all lenders' rows.

    One eighth of the training rows, chosen by `seed`, stops the training (below 15,000 rows: each
    eighth in turn); then all rows are fitted for 1.1 times as many rounds. With `lenders` (lender
    numbers of the training and of the test rows) the lender is one more category. A constant with
    fewer than `MIN_OF_EACH_CLASS` rows of a class.
    """
    train_lenders, test_lenders = lenders or (None, None)
    rows, target = LightgbmRows.of(train, train_lenders), feature_matrix(test, test_lenders)
    if _too_few(rows):
        return np.full(test.rows, rows.constant_logit())
    rounds, _ = _pooled_rounds(rows, parameters, seed=seed, threads=threads)
    return _refitted(rows, target, parameters, rounds, seed, threads)


def _pooled_rounds(
    rows: LightgbmRows, parameters: LightgbmParameters, *, seed: int, threads: int
) -> tuple[float, float]:
    """Best rounds of the pooled model and its AUC there, on held-back training rows."""
    used = _POOLED_PARTS if len(rows.bad) < _POOLED_FEW_ROWS else 1
    return cross_validated(
        rows,
        parameters,
        parts=_POOLED_PARTS,
        used=used,
        metric="auc",
        seed=seed,
        threads=threads,
    )


def local_lightgbm(train: Table, test: Table, seed: int, *, threads: int = 1) -> Floats:
    """Logits, float64, shape (test.rows,), of LightGBM as a lender usually trains it on its rows.

    Usual settings for a few thousand rows; one fifth, chosen by `seed`, stops the training; then
    all rows are fitted for 1.1 times as many rounds. A constant with fewer than
    `MIN_OF_EACH_CLASS` rows of a class.
    """
    rows, target = LightgbmRows.of(train), feature_matrix(test)
    if _too_few(rows):
        return np.full(test.rows, rows.constant_logit())
    parameters = _USUAL if len(rows.bad) < _LOCAL_LARGE_ROWS else _USUAL_LARGE
    rounds, _ = cross_validated(
        rows,
        parameters,
        parts=_USUAL_PARTS,
        used=1,
        metric="auc",
        seed=seed,
        threads=threads,
    )
    return _refitted(rows, target, parameters, rounds, seed, threads)


def tuned_local_lightgbm(train: Table, test: Table, seed: int, *, threads: int = 1) -> Floats:
    """Logits, float64, shape (test.rows,), of LightGBM trained on one lender's own rows.

    The best number of rounds by log loss, a mean over four held-back quarters, times 1.1; then the
    mean logit of four models on all rows, two of which read categories as such and two as numbers
    (their level codes), which few rows can split on more safely. A constant with fewer than
    `MIN_OF_EACH_CLASS` rows of a class.
    """
    rows, target = LightgbmRows.of(train), feature_matrix(test)
    if _too_few(rows):
        return np.full(test.rows, rows.constant_logit())
    parameters = _LOCAL if len(rows.bad) < _LOCAL_LARGE_ROWS else _LOCAL_LARGE
    as_numbers = replace(rows, categories=())
    rounds, _ = cross_validated(
        as_numbers,
        parameters,
        parts=_LOCAL_PARTS,
        used=_LOCAL_PARTS,
        metric="binary_logloss",
        seed=seed,
        threads=threads,
    )
    logits = [
        _refitted(reading, target, parameters, rounds, seed + _SEED_STEP * refit, threads)
        for refit, reading in enumerate([as_numbers, rows] * (_LOCAL_REFITS // 2))
    ]
    mean: Floats = np.mean(logits, axis=0)
    return mean


def _too_few(rows: LightgbmRows) -> bool:
    bads = int(rows.bad.sum())
    return min(bads, len(rows.bad) - bads) < MIN_OF_EACH_CLASS


def _refitted(
    rows: LightgbmRows,
    target: Floats,
    parameters: LightgbmParameters,
    best_rounds: float,
    seed: int,
    threads: int,
) -> Floats:
    rounds = max(_MIN_ROUNDS, round(best_rounds * _REFIT))
    model = fitted(rows, parameters, rounds, seed=seed, threads=threads)
    logits: Floats = model.predict(target, raw_score=True, num_threads=threads)
    return logits
