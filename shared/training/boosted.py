"""Family "boosted": boosted trees, one question a round; with few rows one more, how many to keep.

Invariants:
- While trees are grown, sums of gradients and nothing else are asked for.
- Trees are cut off only where the recipe decides on the rounds: rounds of an agreement are kept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shared.model.part import Part
from shared.model.transform import Transform
from shared.statistics.scores import logit_histogram
from shared.training.boosting import Boosting, BoostingRows, BoostingSettings
from shared.training.census import Census
from shared.training.cut import cut_answer, cut_from, cut_points, cut_question
from shared.training.family import learning_points
from shared.training.question import Question, fraction_bits
from shared.training.rows import LenderRows

SMALL_ROWS = 15_000


def boosting_settings(rows: int, rounds: int | None) -> BoostingSettings:
    """The recipe for `rows` training rows in all lenders together (docs/model-boosted.md)."""
    if rows < SMALL_ROWS:
        recipe = BoostingSettings(trees=2400, depth=4, per_round=20, l2=5.0)
    else:
        recipe = BoostingSettings()
    if rounds is None:
        return recipe
    return replace(recipe, trees=rounds * recipe.per_round)


class BoostedFamily:
    """Sums of gradients over the training rows while it trains, then where to cut."""

    def __init__(
        self, transform: Transform, census: Census, seed: int, rounds: int | None = None
    ) -> None:
        settings = boosting_settings(census.rows, rounds)
        self._transform = transform
        self._boosting = Boosting(transform, settings, census.base, seed)
        self._bits = fraction_bits(census.largest, census.lenders)
        self._census = census
        self._cuts = rounds is None and census.rows < SMALL_ROWS
        self._kept: int | None = None if self._cuts else settings.rounds

    @property
    def points(self) -> tuple[int, ...]:
        """Every fourth round, or fewer, of those that are kept."""
        return learning_points(self._kept or self._boosting.settings.rounds)

    @property
    def finished(self) -> bool:
        """True when every round is done and it is known how many are kept."""
        return self._boosting.finished and self._kept is not None

    @property
    def steps(self) -> int:
        """Questions in all."""
        return self._boosting.settings.rounds + self._cuts

    @property
    def fingerprint(self) -> str:
        """The next trees' digest: floating-point steering must come out alike everywhere."""
        return self._boosting.structure.digest()

    def question(self) -> Question:
        """Leaf sums of the next trees; after the last ones where to cut."""
        if self._boosting.finished:
            return cut_question(self._boosting.settings.rounds, self._census)
        return Question(
            stage=f"trees/{self._boosting.round}",
            kind="gradients",
            length=self._boosting.length,
            fraction_bits=self._bits,
            clip=1.0,  # |PD − label| < 1 and PD · (1 − PD) ≤ 1/4
            purpose="sums of gradients and Hessians per leaf of the next trees",
        )

    def answer(self, rows: LenderRows) -> NDArray[np.int64]:
        """Leaf sums over the training rows, or losses on the validation rows."""
        state = self._rows(rows)
        if not self._boosting.finished:
            return self._boosting.answer(state, rows.bad, rows.roles.training, self._bits)
        chosen, points = rows.roles.validation, cut_points(self._boosting.settings.rounds)
        staged = self._boosting.staged_logits(np.ascontiguousarray(state.codes[:, chosen]), points)
        return cut_answer(staged, rows.bad[chosen], self._census)

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Newton step, or the cut."""
        if not self._boosting.finished:
            self._boosting.absorb(total, self._bits)
            return
        self._kept = cut_from(total, self._boosting.settings.rounds)
        self._boosting.cut(self._kept)

    def logit(self, rows: LenderRows) -> NDArray[np.float64]:
        """Logit of all rows after the trees so far."""
        state = self._rows(rows)
        self._boosting.catch_up(state)
        return state.logit

    def staged_counts(self, rows: LenderRows) -> NDArray[np.int64]:
        """Test rows per logit bin after each point's trees; every tree is walked once."""
        test = rows.roles.test
        codes = np.ascontiguousarray(self._rows(rows).codes[:, test])
        staged = self._boosting.staged_logits(codes, self.points)
        return np.stack([logit_histogram(logit, rows.bad[test]) for logit in staged])

    def parts(self) -> tuple[Part, ...]:
        """The trees."""
        return (Part(self._boosting.module),)

    def _rows(self, rows: LenderRows) -> BoostingRows:
        if rows.boosting is None:
            rows.boosting = self._boosting.rows(self._transform.codes(rows.table))
        return rows.boosting
