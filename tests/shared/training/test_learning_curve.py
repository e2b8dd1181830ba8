"""The learning curve is counted in the one stage of evaluation, and is what it was while training.

So no two totals that are apart by a lender's dropping out tell that lender's test rows.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.model.trees import BoostedTrees
from shared.statistics.scores import LOGIT_BINS, logit_histogram
from shared.training.agreement import MOST_ROUNDS, Agreement, Family
from shared.training.evaluation import evaluation_question
from shared.training.family import MOST_POINTS, learning_points
from shared.training.run import Run
from tests.shared.training.synthetic_book import SCHEMA, Conducted, conduct, make_book, spread

BOOK = make_book(400)
TERMS = Agreement("curve", SCHEMA, seed=3)
ROUNDS: dict[Family, int] = {"boosted": 9, "network": 3, "blend": 5}


@lru_cache(maxsize=3)
def conducted(family: Family) -> Conducted:
    terms = replace(TERMS, family=family, rounds=ROUNDS[family])
    return conduct(terms, spread(BOOK, np.arange(BOOK.rows) % 3, 3, terms))


def histogram(run: Run, ours: Conducted) -> NDArray[np.int64]:
    """Test rows per logit bin as a copy of the run scores them now."""
    counts = [
        logit_histogram(run.logit(rows)[rows.roles.test], rows.bad[rows.roles.test])
        for rows in spread(BOOK, np.arange(BOOK.rows) % 3, 3, ours.run.agreement)
    ]
    return np.sum(counts, axis=0)


@pytest.mark.parametrize(
    ("family", "rounds"),
    [("boosted", [0, 4, 8, 9]), ("network", [0, 1, 2, 3]), ("blend", [0, 4, 5])],
)
def test_each_point_is_what_the_model_of_that_round_scored(
    family: Family, rounds: list[int]
) -> None:
    """Equal to the counts of a copy that has absorbed so many rounds; the first knows nothing."""
    ours = conducted(family)
    assert ours.run.evaluation is not None
    assert [point.round for point in ours.run.evaluation.learning] == rounds
    for point in ours.run.evaluation.learning:
        copy = Run(ours.run.agreement)
        for total in ours.totals[: 3 + point.round]:
            copy.absorb(total)
        expected = histogram(copy, ours)
        if family == "network":  # float32 products of other batches may differ in the last bit
            assert np.abs(np.cumsum(point.histogram - expected, axis=1)).max() <= 2
        else:
            np.testing.assert_array_equal(point.histogram, expected)


@pytest.mark.parametrize("family", ["boosted", "network"])
def test_the_last_point_is_the_finished_model(family: Family) -> None:
    """And every point counts every test row once, good and bad."""
    run = conducted(family).run
    assert run.evaluation is not None
    assert run.preparation.census is not None
    gap = run.evaluation.learning[-1].histogram - run.evaluation.shared
    assert np.abs(np.cumsum(gap, axis=1)).max() <= (2 if family == "network" else 0)
    for point in run.evaluation.learning:
        assert point.histogram.shape == (2, LOGIT_BINS)
        good, bad = point.histogram.sum(axis=1)
        assert (good + bad, bad) == (run.preparation.census.test, run.preparation.census.test_bad)


def test_it_rises() -> None:
    """The points differ, and the last one parts good from bad better than the first."""
    run = conducted("boosted").run
    assert run.evaluation is not None
    spreads = [np.ptp(np.flatnonzero(p.histogram.sum(axis=0))) for p in run.evaluation.learning]
    assert spreads[0] == 0
    assert (np.diff(spreads) > 0).all()


@given(st.integers(1, MOST_ROUNDS), st.sampled_from([1, 4]))
def test_points_are_few_whatever_the_rounds(rounds: int, every: int) -> None:
    """From 0 to the end, no denser than asked, and the stage stays far below a million numbers."""
    points = learning_points(rounds, every)
    assert points[0] == 0
    assert points[-1] == rounds
    assert list(points) == sorted(set(points))
    assert (np.diff(points[:-1]) >= every).all()
    assert len(points) <= MOST_POINTS + 1
    assert evaluation_question(points).length < 50_000


def test_every_tree_is_walked_once_for_the_whole_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the points are not twice the work."""
    ours, walked = conducted("boosted"), []
    plain = BoostedTrees.leaf_index

    def counted(trees: BoostedTrees, codes: NDArray[np.uint8], first: int, last: int) -> object:
        walked.extend(range(first, last))
        return plain(trees, codes, first, last)

    monkeypatch.setattr(BoostedTrees, "leaf_index", counted)
    assert ours.run.family is not None
    ours.run.family.staged_counts(ours.lenders[0])
    assert walked == list(range(ours.run.model().parts[0].module.trees))


def test_counting_the_curve_leaves_the_lenders_logits_as_they_were() -> None:
    """It scores the test rows from the start, in rows of its own."""
    for family in ROUNDS:
        ours = conducted(family)
        before = ours.run.logit(ours.lenders[0]).tobytes()
        assert ours.run.family is not None
        first = ours.run.family.staged_counts(ours.lenders[0])
        np.testing.assert_array_equal(first, ours.run.family.staged_counts(ours.lenders[0]))
        assert ours.run.logit(ours.lenders[0]).tobytes() == before


def test_a_lender_without_test_rows_counts_none() -> None:
    """Zeros of the asked shape, for every family."""
    nobody = np.full(BOOK.rows, 1)
    for family in ROUNDS:
        ours = conducted(family)
        (empty, _) = spread(BOOK, nobody, 2, ours.run.agreement)
        assert ours.run.family is not None
        counts = ours.run.family.staged_counts(empty)
        assert counts.shape == (len(ours.run.family.points), 2, LOGIT_BINS)
        assert not counts.any()


def test_nobody_evaluates_before_training_is_over() -> None:
    """Our own fault, named as such."""
    ours = conducted("network")
    for absorbed in (0, 4):
        run = Run(ours.run.agreement)
        for total in ours.totals[:absorbed]:
            run.absorb(total)
        with pytest.raises(InternalError, match="before"):
            run.evaluate(ours.lenders[0], np.empty(0))
    assert run.family is not None
    with pytest.raises(InternalError, match="every round"):
        run.family.staged_counts(ours.lenders[0])
