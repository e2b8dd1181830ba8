"""The personal layer: what a lender adds to the shared model for its own applicants. Never sent.

    personal logit = (1 − w) · (shared + intercept + r · residual trees) + w · own local model

The residual trees continue the shared logit on the lender's own rows; the local model is trained on
the lender's own rows alone; both are the shared family's trees with one lender in the sum. The
scale r and a common w are chosen by all lenders' summed validation losses (`mixture.py`); then each
lender moves w where its own validation rows, which the shared model has never seen, say so.

Invariants:
- w maximises the validation rows' log likelihood plus a normal prior around the common w: a few
  rows cannot move it, many rows that speak clearly can (to 0 the shared model alone, to 1 the local
  model alone), so joining cannot make a lender much worse off than its own local model.
- A lender with one class or fewer than `LEAST_ROWS` rows gets its intercept only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from shared.model.reasons import shapley_table
from shared.model.shared_model import SharedModel
from shared.model.transform import Transform
from shared.model.trees import BoostedTrees, Codes
from shared.schema import Table
from shared.training.boosting import Boosting, BoostingRows, BoostingSettings
from shared.training.mixture import RESIDUALS, WEIGHTS, Mixture
from shared.training.preparation import MOST_LOSS
from shared.training.question import fraction_bits
from shared.training.rows import LenderRows

LEAST_ROWS = 50
PRIOR_DEVIATION = 0.2
_PULL = 0.25  # Hessian of one row at even odds
RESIDUAL = BoostingSettings(trees=400, depth=6, per_round=20, learning_rate=0.2, l2=30.0)
LOCAL = BoostingSettings(trees=800, depth=6, per_round=20, learning_rate=0.15, l2=8.0)

Logits = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PersonalLayer:
    """One lender's own layer. `local_weight` is w, `residual_scale` is r; residual and local are
    None with few rows.
    """

    intercept: float
    local_weight: float = 0.0
    residual_scale: float = 1.0
    residual: BoostedTrees | None = None
    local: BoostedTrees | None = None

    def logit(self, shared: Logits, codes: Codes) -> Logits:
        """Personal logit (n,) from the shared logit (n,) and bin codes (F, n)."""
        leaning = shared + self.intercept
        if self.residual is None or self.local is None:
            return leaning
        seen = torch.from_numpy(codes)
        leaning = leaning + self.residual_scale * self.residual(seen).numpy()
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
        leaning = moved + self.residual_scale * residual.contributions(self.residual, seen)
        own = local.contributions(self.local, seen)
        start = base + self.residual_scale * residual.base
        return (1 - w) * leaning + w * own, (1 - w) * start + w * local.base


@dataclass(frozen=True, eq=False)
class PersonalModel:
    """The shared model with a lender's own layer on top."""

    shared: SharedModel
    layer: PersonalLayer

    def logit(self, table: Table) -> Logits:
        """Personal logit of PD, float64 (n,)."""
        return self.layer.logit(self.shared.logit(table), self.shared.transform.codes(table))


@dataclass(frozen=True, eq=False)
class Trial:
    """A layer trained on the training rows, and what it says of the validation rows.

    shared (with intercept), residual and local logits, each (v,), and labels, (v,).
    """

    shared: Logits
    residual: Logits
    local: Logits
    bad: NDArray[np.int8]

    def losses(self, residual: float) -> NDArray[np.float64]:
        """Summed log loss of the validation rows for each weight of `WEIGHTS`, (21,)."""
        sign = np.where(self.bad == 1, -1.0, 1.0)
        leaning = self.shared + residual * self.residual
        mixed = [(1 - w) * leaning + w * self.local for w in WEIGHTS]
        rows = [np.minimum(np.logaddexp(0.0, sign * logit), MOST_LOSS) for logit in mixed]
        return np.array([row.sum() for row in rows])

    def table(self) -> NDArray[np.float64]:
        """Losses for every mixture, (3, 21), as `mixture_answer` takes them."""
        return np.stack([self.losses(float(residual)) for residual in RESIDUALS])


def try_personal(rows: LenderRows, transform: Transform, shared: Logits) -> Trial | None:
    """Train a layer on the training rows and score the validation rows, given the shared logit
    (n,) of all rows. None for a lender with one class or few rows.
    """
    training, validation = rows.roles.training, rows.roles.validation
    if _too_few(rows):
        return None
    codes = transform.codes(rows.table)
    layer = _trained(transform, codes, rows.bad, shared, training, rows.secret)
    assert layer.residual is not None  # _trained always gives both
    assert layer.local is not None
    seen = torch.from_numpy(np.ascontiguousarray(codes[:, validation]))
    return Trial(
        shared[validation] + layer.intercept,
        layer.residual(seen).numpy(),
        layer.local(seen).numpy(),
        rows.bad[validation],
    )


def fit_personal(
    rows: LenderRows, transform: Transform, shared: Logits, mixture: Mixture, trial: Trial | None
) -> PersonalLayer:
    """Fit on a lender's training and validation rows, given the shared logit (n,) of all rows.

    `mixture` is the consortium's; with a `trial` the lender moves its weight where its own
    validation rows say so.
    """
    both = np.sort(np.concatenate([rows.roles.training, rows.roles.validation]))
    if trial is None:
        return PersonalLayer(_intercept(shared[both], rows.bad[both]))
    codes = transform.codes(rows.table)
    final = _trained(transform, codes, rows.bad, shared, both, rows.secret)
    weight = _weight(trial, mixture)
    return replace(final, local_weight=weight, residual_scale=mixture.residual)


def _too_few(rows: LenderRows) -> bool:
    labels = rows.bad[rows.roles.training]
    return len(labels) < LEAST_ROWS or labels.min(initial=1) >= labels.max(initial=0)


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
    return PersonalLayer(intercept, residual=residual, local=local)


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
    bits = fraction_bits(len(bad), lenders=1)
    while not boosting.finished:
        boosting.absorb(boosting.answer(state, bad, everybody, bits), bits)
    return boosting.module


def _intercept(shared: Logits, bad: NDArray[np.int8]) -> float:
    """Newton steps on the log loss of logit + b, with one row's worth of pull towards zero."""
    shift = 0.0
    for _ in range(20):
        pd = 1.0 / (1.0 + np.exp(-(shared + shift)))
        shift += float((bad - pd).sum() - _PULL * shift) / (float((pd * (1 - pd)).sum()) + _PULL)
    return shift


def _weight(trial: Trial, mixture: Mixture) -> float:
    """The weight of greatest posterior: own validation rows, normal prior around the mixture's."""
    prior = 0.5 * ((WEIGHTS - mixture.weight) / PRIOR_DEVIATION) ** 2
    return float(WEIGHTS[int(np.argmin(trial.losses(mixture.residual) + prior))])
