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
from shared.training.census import Census
from shared.training.network_training import NetworkSettings, NetworkTraining
from shared.training.question import Question
from shared.training.rows import LenderRows

SMALL_ROWS, LARGE_ROWS, MANY_LEVELS = 15_000, 100_000, 20


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
    """Weights and optimiser moments, one question a round."""

    def __init__(
        self, transform: Transform, census: Census, seed: int, rounds: int | None = None
    ) -> None:
        many = any(b.size > MANY_LEVELS for b in transform.columns if hasattr(b, "order"))
        settings = network_settings(census.rows, rounds, many_levels=many)
        self._transform = transform
        self._training = NetworkTraining(
            transform, settings, census.rows, census.bad, seed, census.lenders
        )

    @property
    def points(self) -> tuple[int, ...]:
        """Every round, or fewer."""
        return self._training.points

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
        return self._training.question()

    def answer(self, rows: LenderRows) -> NDArray[np.int64]:
        """One local epoch over the training rows."""
        if rows.features is None:
            rows.features = self._features(rows.table.take(rows.roles.training))
        bad = rows.bad[rows.roles.training]
        return self._training.answer(rows.features, bad, rows.secret)

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Average weights and moments."""
        self._training.absorb(total)

    def logit(self, rows: LenderRows) -> NDArray[np.float64]:
        """Logit of all rows with the averaged weights so far."""
        if "network" not in rows.cache or not self.finished:
            rows.cache["network"] = self._logit(rows.table)
        return rows.cache["network"]

    def staged_counts(self, rows: LenderRows) -> NDArray[np.int64]:
        """Test rows per logit bin with the weights of each point; rows are encoded once."""
        modules = self._training.staged_modules()
        counts = np.zeros((len(modules), 2, LOGIT_BINS), dtype=np.int64)
        for start in range(0, len(rows.roles.test), BLOCK_ROWS):
            block = rows.roles.test[start : start + BLOCK_ROWS]
            seen = torch.from_numpy(self._training.features.matrix(rows.table.take(block)))
            for total, module in zip(counts, modules, strict=True):
                total += logit_histogram(module.logit(seen).numpy(), rows.bad[block])
        return counts

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
