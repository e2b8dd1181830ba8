"""The personal layer: what a lender adds to the shared model for its own applicants. Never sent.

    personal logit = (1 − w) · (shared + intercept + residual trees) + w · own local model

The residual trees continue the shared logit on the lender's own rows; the local model is trained on
the lender's own rows alone; both are the shared family's trees with one lender in the sum. The
weight w is chosen on the lender's own validation rows, which the shared model has never seen.

Invariants:
- w maximises the validation rows' log likelihood plus a normal prior around `PRIOR_WEIGHT`: a few
  rows cannot move it, many rows that speak clearly can (to 0 the shared model alone, to 1 the local
  model alone), so joining cannot make a lender much worse off than its own local model.
- A lender with one class or fewer than `LEAST_ROWS` rows gets its intercept only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shared.model.reasons import shapley_table
from shared.model.shared_model import SharedModel
from shared.model.transform import Transform
from shared.model.trees import BoostedTrees, Codes
from shared.schema import Table
from shared.training.boosting import Boosting, BoostingRows, BoostingSettings
from shared.training.question import fraction_bits
from shared.training.rows import LenderRows

LEAST_ROWS = 50
PRIOR_WEIGHT, PRIOR_DEVIATION = 0.4, 0.2
WEIGHTS = np.arange(21) / 20
RESIDUAL = BoostingSettings(trees=400, depth=6, per_round=20, learning_rate=0.2, l2=30.0)
LOCAL = BoostingSettings(trees=800, depth=6, per_round=20, learning_rate=0.15, l2=8.0)

Logits = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PersonalLayer:
    """One lender's own layer. `local_weight` is w; residual and local are None with few rows."""

    intercept: float
    local_weight: float = 0.0
    residual: BoostedTrees | None = None
    local: BoostedTrees | None = None

    def logit(self, shared: Logits, codes: Codes) -> Logits:
        """Personal logit (n,) from the shared logit (n,) and bin codes (F, n)."""
        leaning = shared + self.intercept
        if self.residual is None or self.local is None:
            return leaning
        seen = torch.from_numpy(codes)
        leaning = leaning + self.residual(seen).numpy()
        own = self.local(seen).numpy()
        return np.asarray((1 - self.local_weight) * leaning + self.local_weight * own)

    def explain(
        self, moved: NDArray[np.float64], base: float, codes: Codes
    ) -> tuple[NDArray[np.float64], float]:
        """How far each column moved the personal logit, (n, F), and where it starts; from the
        same of the shared logit. Exact Shapley values, as the layer is a sum of trees.
        """
        base += self.intercept
        if self.residual is None or self.local is None:
            return moved, base
        seen, w = torch.from_numpy(codes), self.local_weight
        residual, local = shapley_table(self.residual), shapley_table(self.local)
        leaning = moved + residual.contributions(self.residual, seen)
        own = local.contributions(self.local, seen)
        return (1 - w) * leaning + w * own, (1 - w) * (base + residual.base) + w * local.base


@dataclass(frozen=True, eq=False)
class PersonalModel:
    """The shared model with a lender's own layer on top."""

    shared: SharedModel
    layer: PersonalLayer

    def logit(self, table: Table) -> Logits:
        """Personal logit of PD, float64 (n,)."""
        return self.layer.logit(self.shared.logit(table), self.shared.transform.codes(table))


def fit_personal(rows: LenderRows, transform: Transform, shared: Logits) -> PersonalLayer:
    """Fit on a lender's rows, given the shared logit (n,) of all of them.

    Trained twice: on the training rows to choose w on the validation rows, then on both.
    """
    training, validation = rows.roles.training, rows.roles.validation
    both = np.sort(np.concatenate([training, validation]))
    bad = rows.bad
    if len(both) < LEAST_ROWS or bad[training].min(initial=1) >= bad[training].max(initial=0):
        return PersonalLayer(_intercept(shared[both], bad[both]))
    codes = transform.codes(rows.table)
    trial = _trained(transform, codes, bad, shared, training, rows.secret)
    weight = _weight(trial, shared[validation], codes[:, validation], bad[validation])
    final = _trained(transform, codes, bad, shared, both, rows.secret)
    return PersonalLayer(final.intercept, weight, final.residual, final.local)


def _trained(
    transform: Transform,
    codes: Codes,
    bad: NDArray[np.int8],
    shared: Logits,
    index: NDArray[np.intp],
    secret: int,
) -> PersonalLayer:
    own, labels = np.ascontiguousarray(codes[:, index]), bad[index]
    intercept = _intercept(shared[index], labels)
    residual = _boosted(transform, RESIDUAL, own, labels, 0.0, shared[index] + intercept, secret)
    prior = float(np.log(labels.sum() / (len(labels) - labels.sum())))
    local = _boosted(transform, LOCAL, own, labels, prior, np.full(len(labels), prior), secret)
    return PersonalLayer(intercept, PRIOR_WEIGHT, residual, local)


def _boosted(
    transform: Transform,
    settings: BoostingSettings,
    codes: Codes,
    bad: NDArray[np.int8],
    base: float,
    start: Logits,
    secret: int,
) -> BoostedTrees:
    """The shared family's own training with this lender's sums only, from the logit `start`."""
    boosting = Boosting(transform, settings, base, secret)
    state, everybody = BoostingRows(codes, start.copy()), np.arange(len(bad))
    bits = fraction_bits(len(bad))
    while not boosting.finished:
        boosting.absorb(boosting.answer(state, bad, everybody, bits), bits)
    return boosting.module


def _intercept(shared: Logits, bad: NDArray[np.int8]) -> float:
    """Newton steps on the log loss of logit + b, with five rows' worth of pull towards zero."""
    shift = 0.0
    for _ in range(20):
        pd = 1.0 / (1.0 + np.exp(-(shared + shift)))
        shift += float((bad - pd).sum() - 0.25 * shift) / (float((pd * (1 - pd)).sum()) + 5.0)
    return shift


def _weight(trial: PersonalLayer, shared: Logits, codes: Codes, bad: NDArray[np.int8]) -> float:
    if trial.residual is None or trial.local is None or not len(bad):
        return PRIOR_WEIGHT
    seen = torch.from_numpy(np.ascontiguousarray(codes))
    leaning = shared + trial.intercept + trial.residual(seen).numpy()
    own = trial.local(seen).numpy()
    sign = np.where(bad == 1, -1.0, 1.0)
    support = [
        -np.logaddexp(0.0, sign * ((1 - w) * leaning + w * own)).sum()
        - 0.5 * ((w - PRIOR_WEIGHT) / PRIOR_DEVIATION) ** 2
        for w in WEIGHTS
    ]
    return float(WEIGHTS[int(np.argmax(support))])
