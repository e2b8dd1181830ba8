"""Training boosted trees from summed gradients: both halves of one round.

    lender      answer():  per leaf of the round's trees, sums of gradients and Hessians of its
                           own rows, as whole numbers                                   → sum
    everybody   absorb():  Newton step: leaf = −rate · G/(H + λ) / √(trees a round); steering;
                           the next round's trees

Invariants:
- Everything a copy of `Boosting` knows follows from its settings, its seed and the totals it has
  absorbed; two copies that absorbed the same totals are equal, bit for bit.
- Gradients are rounded row by row to whole multiples of 2**-bits, so the total does not depend on
  how rows are spread over lenders.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.model.structure import Steering, Structure, StructureSettings, draw
from shared.model.transform import Transform
from shared.model.trees import BoostedTrees, Codes


@dataclass(frozen=True)
class BoostingSettings:
    """`trees` in all, `per_round` at a time; `learning_rate` in (0, 1]; `l2` is λ > 0.

    `steering`: share of questions drawn from past gains. `subset_share`: share of a category
    column's questions that ask for a subset of its levels. `decay`: what a gain keeps per round.
    """

    trees: int = 2400
    depth: int = 7
    per_round: int = 30
    learning_rate: float = 0.15
    l2: float = 20.0
    steering: float = 0.7
    subset_share: float = 0.7
    decay: float = 0.9

    @property
    def rounds(self) -> int:
        """Rounds of training."""
        return math.ceil(self.trees / self.per_round)


@dataclass(eq=False)
class BoostingRows:
    """One lender's rows as the trees see them: codes uint8 (F, n), logit float64 (n,).

    `trees` are already in the logit; `pending` is the leaf index of the trees asked about last.
    """

    codes: Codes
    logit: NDArray[np.float64]
    trees: int = 0
    pending: tuple[int, Codes] | None = None


class Boosting:
    """One identical copy at the coordinator and at every lender. `base` is the prior's logit."""

    def __init__(
        self, transform: Transform, settings: BoostingSettings, base: float, seed: int
    ) -> None:
        self.settings = settings
        self.seed = seed
        self._sizes = transform.sizes
        self._is_category = transform.is_category
        self._steering = Steering.empty(self._sizes)
        self.module = BoostedTrees(settings.rounds * settings.per_round, settings.depth, base)
        self.round = 0
        self.structure = self._plant()

    @property
    def finished(self) -> bool:
        """True when every round has been absorbed."""
        return self.round == self.settings.rounds

    @property
    def length(self) -> int:
        """Whole numbers in one answer: G and H per leaf."""
        return 2 * self.settings.per_round << self.settings.depth

    def rows(self, codes: Codes) -> BoostingRows:
        """Start a lender's rows at the prior; codes uint8 (F, n)."""
        logit = np.full(codes.shape[1], float(self.module.base))
        return BoostingRows(codes, logit)

    def cut(self, rounds: int) -> None:
        """Keep the trees of the first `rounds` rounds; InternalError before the last round."""
        if not self.finished or not 1 <= rounds <= self.settings.rounds:
            raise InternalError(f"cannot cut to {rounds} rounds after {self.round}")
        self.module = self.module.first(rounds * self.settings.per_round)

    def catch_up(self, rows: BoostingRows) -> None:
        """Bring the rows' logits up to all the trees there are: absorbed so far, and kept."""
        if rows.trees > self.module.filled:  # some of the trees in the logit were cut off
            rows.logit[:], rows.trees, rows.pending = float(self.module.base), 0, None
        if rows.pending is not None and rows.pending[0] == rows.trees < self.module.filled:
            first, index = rows.pending
            self.module.add_leaves(rows.logit, index, first)
            rows.trees += len(index)
        self._advance(rows, self.module.filled)
        rows.pending = None

    def staged_logits(self, codes: Codes, rounds: Iterable[int]) -> Iterator[NDArray[np.float64]]:
        """Logits (n,) of rows with codes uint8 (F, n) after so many rounds each, ascending; none
        over the rounds absorbed. Every tree is walked once. Each logit is overwritten by the next.
        """
        rows = self.rows(codes)
        for done in rounds:
            self._advance(rows, done * self.settings.per_round)
            yield rows.logit

    def answer(
        self,
        rows: BoostingRows,
        bad: NDArray[np.int8],
        training: NDArray[np.intp],
        bits: int,
    ) -> NDArray[np.int64]:
        """G and H per leaf, int64 (2 · B · 2**D,), over the rows at positions `training`."""
        if self.finished:
            raise InternalError("boosting has no round left to answer")
        self.catch_up(rows)
        first = self.module.filled
        index = self.module.leaf_index(rows.codes, first, first + self.settings.per_round)
        rows.pending = (first, index)
        gradient, hessian = _derivatives(rows.logit[training], bad[training], bits)
        leaves = 2**self.settings.depth
        out = np.empty((2, self.settings.per_round, leaves))
        everything = len(training) == rows.codes.shape[1]
        for tree, nodes in enumerate(index):
            mine = nodes if everything else nodes[training]
            out[0, tree] = np.bincount(mine, gradient, leaves)
            out[1, tree] = np.bincount(mine, hessian, leaves)
        return out.astype(np.int64).reshape(-1)

    def absorb(self, total: NDArray[np.int64], bits: int) -> None:
        """Take a released total (2 · B · 2**D,): fill the planted trees, plant the next ones."""
        scaled = total.reshape(2, self.settings.per_round, -1) / float(2**bits)
        gradient, hessian = scaled[0], np.maximum(scaled[1], 0.0)
        newton = -self.settings.learning_rate * gradient / (hessian + self.settings.l2)
        self.module.fill(newton / math.sqrt(self.settings.per_round), hessian)
        gain = question_gain(gradient, hessian, self.settings.l2)
        self._steering.learn(self.structure, gain, self.settings.decay)
        self.round += 1
        if not self.finished:
            self.structure = self._plant()

    def _advance(self, rows: BoostingRows, trees: int) -> None:
        while rows.trees < trees:
            last = min(rows.trees + self.settings.per_round, trees)
            index = self.module.leaf_index(rows.codes, rows.trees, last)
            self.module.add_leaves(rows.logit, index, rows.trees)
            rows.trees = last

    def _plant(self) -> Structure:
        # Two unsteered rounds first: until then the gains are mostly noise.
        steering = self._steering if self.round >= 2 else None
        shape = StructureSettings(
            self.settings.per_round,
            self.settings.depth,
            self.settings.steering,
            self.settings.subset_share,
        )
        generator = np.random.Generator(np.random.PCG64([self.seed, self.round]))
        structure = draw(shape, self._sizes, self._is_category, steering, generator)
        self.module.plant(structure)
        return structure


def _derivatives(
    logit: NDArray[np.float64], bad: NDArray[np.int8], bits: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gradient and Hessian of the log loss, each row rounded to a whole number of 2**-bits."""
    pd = 1.0 / (1.0 + np.exp(-logit))
    scale = float(2**bits)
    return np.rint((pd - bad) * scale), np.rint(pd * (1.0 - pd) * scale)


def question_gain(
    gradient: NDArray[np.float64], hessian: NDArray[np.float64], l2: float
) -> NDArray[np.float64]:
    """Loss reduction by each level's question, float64 (B, D), from leaf sums (B, 2**D).

    Level by level from the leaves up: Σ over nodes of G_L²/(H_L+λ) + G_R²/(H_R+λ) − G²/(H+λ),
    negative terms cut off (Chen, Guestrin: XGBoost, KDD 2016, eq. 7).
    """
    levels: list[NDArray[np.float64]] = []
    while gradient.shape[1] > 1:
        left_g, right_g = gradient[:, 0::2], gradient[:, 1::2]
        left_h, right_h = hessian[:, 0::2], hessian[:, 1::2]
        gradient, hessian = left_g + right_g, left_h + right_h
        gain = left_g**2 / (left_h + l2) + right_g**2 / (right_h + l2)
        levels.insert(0, np.maximum(gain - gradient**2 / (hessian + l2), 0.0).sum(axis=1))
    return np.stack(levels, axis=1)
