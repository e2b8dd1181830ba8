"""The references, computed once per run: local and pooled LightGBM, a typical FedAvg network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.simulation.book import Book
from server.simulation.fedavg_mlp import fedavg_mlp
from server.simulation.lightgbm_parameters import tuned_lightgbm
from server.simulation.outcome import Outcome, split, training_rows
from server.simulation.references import (
    local_lightgbm,
    pooled_lightgbm,
    tuned_local_lightgbm,
)
from server.simulation.study import Study

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Logits of the outcome's test rows, in its order; None where a reference was not asked for."""

    local: Floats | None = None
    tuned_local: Floats | None = None
    pooled: Floats | None = None
    knows_lender: Floats | None = None
    fedavg: Floats | None = None


def compare(book: Book, outcome: Outcome, study: Study) -> Comparison:
    """Train every reference the study asks for on the run's own split."""
    asked = study.references
    train, test = split(book, outcome)
    codes = np.unique(book.lender.astype(str), return_inverse=True)[1].astype(np.int64)
    mine, theirs = codes[training_rows(outcome)], codes[outcome.test]
    parameters, seed = tuned_lightgbm(asked.lightgbm).parameters, study.seed
    pooled = knows = local = tuned = fedavg = None
    if asked.pooled:
        # One thread each: a second one helps little here, and costs much on a busy machine.
        pooled = pooled_lightgbm(train, test, parameters, seed, threads=1)
        lenders = (mine, theirs)
        knows = pooled_lightgbm(train, test, parameters, seed, lenders=lenders, threads=1)
    if asked.local:
        local, tuned = np.empty(len(outcome.test)), np.empty(len(outcome.test))
        for lender in np.unique(theirs):
            own, own_test = train.take(mine == lender), test.take(theirs == lender)
            local[theirs == lender] = local_lightgbm(own, own_test, seed)
            tuned[theirs == lender] = tuned_local_lightgbm(own, own_test, seed)
    if asked.fedavg_mlp:
        present = [int(lender) for lender in np.unique(mine)]
        parts = fedavg_mlp(
            [train.take(mine == lender) for lender in present],
            [test.take(theirs == lender) for lender in present],
            seed=seed,
        )
        fedavg = np.zeros(len(outcome.test))
        for lender, logits in zip(present, parts, strict=True):
            fedavg[theirs == lender] = logits
    return Comparison(local, tuned, pooled, knows, fedavg)
