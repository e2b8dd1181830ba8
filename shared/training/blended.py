"""Family "blend": boosted trees and a network, weighed by summed losses on validation rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.model.part import Part
from shared.model.transform import Transform
from shared.training.boosted import BoostedFamily
from shared.training.census import Census
from shared.training.networked import NetworkFamily
from shared.training.preparation import MOST_LOSS
from shared.training.question import Question, fraction_bits
from shared.training.rows import LenderRows

SHARES = np.linspace(0.0, 1.0, 11)
"""Shares of the network that are tried."""


class BlendFamily:
    """Trains the trees, then the network, then asks which mixture has the least loss."""

    def __init__(
        self, transform: Transform, census: Census, seed: int, rounds: int | None = None
    ) -> None:
        self._trees = BoostedFamily(transform, census, seed, rounds)
        self._network = NetworkFamily(transform, census, seed, rounds)
        self._bits = fraction_bits(census.largest, census.lenders, MOST_LOSS)
        self._share: float | None = None

    @property
    def points(self) -> tuple[int, ...]:
        """The trees'."""
        return self._trees.points

    @property
    def finished(self) -> bool:
        """True when the mixture is chosen."""
        return self._share is not None

    @property
    def steps(self) -> int:
        """Questions in all."""
        return self._trees.steps + self._network.steps + 1

    @property
    def fingerprint(self) -> str:
        """The trees'."""
        return self._trees.fingerprint

    def question(self) -> Question:
        """The part's own question; at the end the mixture's losses."""
        part = self._part()
        if part is not None:
            return part.question()
        purpose = "log loss on validation rows for eleven mixtures of trees and network"
        return Question("blend", "losses", len(SHARES), self._bits, float(MOST_LOSS), purpose)

    def answer(self, rows: LenderRows) -> NDArray[np.int64]:
        """The part's answer, or summed losses, cut off at 16 a row."""
        part = self._part()
        if part is not None:
            return part.answer(rows)
        chosen = rows.roles.validation
        trees, network = self._trees.logit(rows)[chosen], self._network.logit(rows)[chosen]
        sign = np.where(rows.bad[chosen] == 1, -1.0, 1.0)
        scale = float(2**self._bits)
        losses = [
            np.minimum(np.logaddexp(0.0, sign * ((1 - s) * trees + s * network)), MOST_LOSS)
            for s in SHARES
        ]
        return np.array([np.rint(loss.sum() * scale) for loss in losses], dtype=np.int64)

    def absorb(self, total: NDArray[np.int64]) -> None:
        """The part's total, or the choice of the mixture (the least loss; ties: fewer network)."""
        part = self._part()
        if part is not None:
            part.absorb(total)
        else:
            self._share = float(SHARES[int(np.argmin(total))])

    def logit(self, rows: LenderRows) -> NDArray[np.float64]:
        """The mixture's logit; before it is chosen, the trees'."""
        if self._share is None:
            return self._trees.logit(rows)
        return (1 - self._share) * self._trees.logit(rows) + self._share * self._network.logit(rows)

    def staged_counts(self, rows: LenderRows) -> NDArray[np.int64]:
        """The trees'."""
        return self._trees.staged_counts(rows)

    def parts(self) -> tuple[Part, ...]:
        """Both parts with their weights."""
        share = self._share or 0.0
        trees, network = self._trees.parts()[0], self._network.parts()[0]
        return (Part(trees.module, 1 - share), Part(network.module, share, network.pieces))

    def _part(self) -> BoostedFamily | NetworkFamily | None:
        if not self._trees.finished:
            return self._trees
        return self._network if not self._network.finished else None
