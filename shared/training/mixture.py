"""How much lenders, all together, should lean on their own models: one more sum.

A lender's personal layer mixes the shared logit, residual trees on it, and the lender's own local
model. A lender alone has too few validation rows to choose the mixture; their summed losses choose
a common one, around which each lender then adjusts a little (`client/personal.py`).

Invariants:
- Only sums over lenders are used: validation losses for each mixture of a fixed table.
- Where lenders are alike the sum picks the shared model, where they differ their own models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.training.census import Census
from shared.training.preparation import MOST_LOSS
from shared.training.question import Question, fraction_bits

WEIGHTS = np.arange(21) / 20
"""Weights of the local model that are tried, 0 … 1."""
RESIDUALS = np.array([0.0, 0.5, 1.0])
"""Scales of the residual trees that are tried."""


@dataclass(frozen=True)
class Mixture:
    """personal logit = (1 − weight) · (shared + residual · residual trees) + weight · local."""

    weight: float
    residual: float


UNTOLD = Mixture(0.4, 1.0)
"""Where no lender has validation rows (measured on the demo, docs/decisions/0005)."""


def mixture_question(census: Census) -> Question:
    """Asked once, when the shared model is trained."""
    purpose = "log loss on validation rows for each mixture of shared, residual and local model"
    length = len(RESIDUALS) * len(WEIGHTS)
    return Question("mixture", "losses", length, _bits(census), float(MOST_LOSS), purpose)


def mixture_answer(losses: NDArray[np.float64], census: Census) -> NDArray[np.int64]:
    """A lender's summed losses, float64 (3, 21) by residual scale and weight, as whole numbers."""
    return np.rint(losses.reshape(-1) * float(2 ** _bits(census))).astype(np.int64)


def mixture_from(total: NDArray[np.int64]) -> Mixture:
    """The mixture of least loss; of equal ones the one that leans least on the lender's own."""
    if not total.any():
        return UNTOLD
    residual, weight = divmod(int(np.argmin(total)), len(WEIGHTS))
    return Mixture(float(WEIGHTS[weight]), float(RESIDUALS[residual]))


def _bits(census: Census) -> int:
    return fraction_bits(census.largest, census.lenders, MOST_LOSS)
