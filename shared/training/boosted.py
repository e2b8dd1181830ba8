"""Family "boosted": boosted trees, with the learning curve riding along in the same sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.model.part import Part
from shared.model.transform import Transform
from shared.statistics.scores import LOGIT_BINS, logit_histogram
from shared.training.boosting import Boosting, BoostingRows, BoostingSettings
from shared.training.family import LearningPoint
from shared.training.preparation import Census
from shared.training.question import Question, fraction_bits
from shared.training.rows import LenderRows

LEARNING_EVERY = 4
SMALL_ROWS = 15_000


def boosting_settings(rows: int, rounds: int | None) -> BoostingSettings:
    """The recipe for `rows` training rows in all lenders together (docs/model-boosted.md)."""
    if rows < SMALL_ROWS:
        recipe = BoostingSettings(trees=1200, depth=4, per_round=20)
    else:
        recipe = BoostingSettings()
    if rounds is None:
        return recipe
    return BoostingSettings(rounds * recipe.per_round, recipe.depth, recipe.per_round)


class BoostedFamily:
    """Every `LEARNING_EVERY`-th answer also counts good and bad test rows per logit bin."""

    def __init__(
        self, transform: Transform, census: Census, seed: int, rounds: int | None = None
    ) -> None:
        settings = boosting_settings(census.rows, rounds)
        self._transform = transform
        self._boosting = Boosting(transform, settings, census.base, seed)
        self._bits = fraction_bits(census.rows)
        self._learning: list[LearningPoint] = []

    @property
    def learning(self) -> list[LearningPoint]:
        """The learning curve so far."""
        return self._learning

    @property
    def finished(self) -> bool:
        """True when every round is done."""
        return self._boosting.finished

    @property
    def steps(self) -> int:
        """Questions in all."""
        return self._boosting.settings.rounds

    @property
    def fingerprint(self) -> str:
        """The next trees' digest: floating-point steering must come out alike everywhere."""
        return self._boosting.structure.digest()

    def question(self) -> Question:
        """Leaf sums of the next trees."""
        measured = 2 * LOGIT_BINS if self._measures() else 0
        return Question(
            f"trees/{self._boosting.round}",
            self._boosting.length + measured,
            self._bits,
            "sums of gradients and Hessians per leaf of the next trees"
            + ("; good and bad test rows per logit bin" if measured else ""),
            counts_from=self._boosting.length,
        )

    def answer(self, rows: LenderRows) -> NDArray[np.int64]:
        """Leaf sums over the training rows; test rows are only counted."""
        state = self._rows(rows)
        sums = self._boosting.answer(state, rows.bad, rows.roles.training, self._bits)
        if not self._measures():
            return sums
        test = rows.roles.test
        return np.concatenate([sums, logit_histogram(state.logit[test], rows.bad[test]).ravel()])

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Newton step; keep the learning curve."""
        if self._measures():
            histogram = total[self._boosting.length :].reshape(2, LOGIT_BINS)
            self._learning.append(LearningPoint(self._boosting.round, histogram))
        self._boosting.absorb(total[: self._boosting.length], self._bits)

    def logit(self, rows: LenderRows) -> NDArray[np.float64]:
        """Logit of all rows after the trees so far."""
        state = self._rows(rows)
        self._boosting.catch_up(state)
        return state.logit

    def parts(self) -> tuple[Part, ...]:
        """The trees."""
        return (Part(self._boosting.module),)

    def _measures(self) -> bool:
        return self._boosting.round % LEARNING_EVERY == 0

    def _rows(self, rows: LenderRows) -> BoostingRows:
        if rows.boosting is None:
            rows.boosting = self._boosting.rows(self._transform.codes(rows.table))
        return rows.boosting
