"""Family "network": the TabM-style network, weights and optimiser moments averaged."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from shared.model.part import Part
from shared.model.shared_model import BLOCK_ROWS
from shared.model.transform import Transform
from shared.schema import Table
from shared.statistics.scores import LOGIT_BINS, logit_histogram
from shared.training.family import LearningPoint
from shared.training.network_training import NetworkSettings, NetworkTraining
from shared.training.preparation import Census
from shared.training.question import Question
from shared.training.rows import LenderRows

SMALL_ROWS, LARGE_ROWS = 15_000, 100_000


def network_settings(rows: int, rounds: int | None, *, many_levels: bool) -> NetworkSettings:
    """The recipe for `rows` training rows in all lenders together (docs/model-network.md)."""
    small, large = rows < SMALL_ROWS, rows > LARGE_ROWS
    return NetworkSettings(
        rounds=rounds or (12 if large else 18),
        batch=512 if large else 128,
        dropout=0.3 if small else 0.15,
        pieces=64 if many_levels else 16,
    )


class NetworkFamily:
    """One question a round; the learning curve is counted on the weights the round starts from."""

    def __init__(
        self, transform: Transform, census: Census, seed: int, rounds: int | None = None
    ) -> None:
        many = any(b.size > 20 for b in transform.columns if hasattr(b, "order"))
        settings = network_settings(census.rows, rounds, many_levels=many)
        self._transform = transform
        self._training = NetworkTraining(transform, settings, census.rows, census.bad, seed)
        self._learning: list[LearningPoint] = []

    @property
    def learning(self) -> list[LearningPoint]:
        """The learning curve so far."""
        return self._learning

    @property
    def finished(self) -> bool:
        """True when every round is done."""
        return self._training.finished

    @property
    def steps(self) -> int:
        """Questions in all."""
        return self._training.rounds

    @property
    def fingerprint(self) -> str:
        """Nothing: the weights are the totals, divided exactly."""
        return ""

    def question(self) -> Question:
        """Weights and moments after one local epoch."""
        asked = self._training.question()
        return Question(
            f"network/{self._training.round}",
            asked.length + 2 * LOGIT_BINS,
            asked.fraction_bits,
            f"{asked.purpose}; good and bad test rows per logit bin",
            counts_from=asked.length,
        )

    def answer(self, rows: LenderRows) -> NDArray[np.int64]:
        """One local epoch over the training rows; test rows are only counted."""
        if rows.features is None:
            rows.features = self._features(rows.table.take(rows.roles.training))
        bad = rows.bad[rows.roles.training]
        sums = self._training.answer(rows.features, bad, rows.secret)
        test = rows.table.take(rows.roles.test)
        counts = logit_histogram(self._logit(test), rows.bad[rows.roles.test])
        return np.concatenate([sums, counts.ravel()])

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Average weights and moments; keep the learning curve."""
        histogram = total[self._training.length :].reshape(2, LOGIT_BINS)
        point = LearningPoint(self._training.round, histogram)
        self._training.absorb(total[: self._training.length])  # first: it may refuse the total
        self._learning.append(point)

    def logit(self, rows: LenderRows) -> NDArray[np.float64]:
        """Logit of all rows with the averaged weights so far."""
        if "network" not in rows.cache or not self.finished:
            rows.cache["network"] = self._logit(rows.table)
        return rows.cache["network"]

    def parts(self) -> tuple[Part, ...]:
        """The network."""
        return (Part(self._training.module(), 1.0, self._training.settings.pieces),)

    def _logit(self, table: Table) -> NDArray[np.float64]:
        part, out = self.parts()[0], np.empty(table.rows)
        for start in range(0, table.rows, BLOCK_ROWS):
            block = np.arange(start, min(start + BLOCK_ROWS, table.rows))
            out[block] = part.logit(self._transform, table.take(block))
        return out

    def _features(self, table: Table) -> torch.Tensor:
        blocks = [
            self._training.features.matrix(
                table.take(np.arange(i, min(i + BLOCK_ROWS, table.rows)))
            )
            for i in range(0, table.rows, BLOCK_ROWS)
        ]
        width = self._training.features.width
        return torch.from_numpy(np.concatenate([np.empty((0, width), np.float32), *blocks]))
