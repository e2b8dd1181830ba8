"""Drawn questions: a pure function of seed, round and steering; uniform until steered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from shared.model.structure import CODES, Steering, Structure, StructureSettings, draw

SIZES = np.array([2, 256, 7, 40, 3])
IS_CATEGORY = np.array([False, False, True, False, True])


def drawn(
    seed: int = 1,
    steering: Steering | None = None,
    *,
    trees: int = 40,
    depth: int = 5,
    share: float = 0.7,
    subsets: float = 0.5,
) -> Structure:
    generator = np.random.Generator(np.random.PCG64([seed, 0]))
    shape = StructureSettings(trees, depth, share, subsets)
    return draw(shape, SIZES, IS_CATEGORY, steering, generator)


def gains(column: int, code: int, gain: float = 1.0) -> Steering:
    """Steering that has learned of one question only."""
    steering = Steering.empty(SIZES)
    asked = Structure(
        np.array([[column]]),
        np.array([[code]], dtype=np.uint8),
        np.zeros((1, 1), dtype=bool),
        np.zeros((1, 1, CODES), dtype=bool),
    )
    steering.learn(asked, np.array([[gain]]), decay=1.0)
    return steering


def test_the_same_seed_and_steering_draw_the_same_trees() -> None:
    """And another seed, or other gains, draw others."""
    for steering in (None, gains(1, 30)):
        assert drawn(1, steering).digest() == drawn(1, steering).digest()
        assert drawn(1, steering).digest() != drawn(2, steering).digest()
    assert drawn(1, gains(1, 30)).digest() != drawn(1, gains(1, 31)).digest()
    assert drawn(1).digest() != drawn(1, gains(1, 30)).digest()


def test_drawing_leaves_steering_and_the_global_generator_alone() -> None:
    """Nothing but the generator that was passed in moves."""
    steering = gains(3, 5)
    before = steering.column.tobytes(), steering.code.tobytes()
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002 - that it stays is the point
    drawn(1, steering)
    assert (steering.column.tobytes(), steering.code.tobytes()) == before
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(0, 4), st.floats(0, 1))
def test_every_question_is_about_a_code_its_column_has(
    seed: int, steered: bool, column: int, share: float
) -> None:
    """Columns exist, thresholds are codes of the column, subsets are for categories only."""
    steering = gains(column, int(SIZES[column]) - 1) if steered else None
    trees = drawn(seed, steering, share=share, trees=20)
    assert ((trees.feature >= 0) & (trees.feature < len(SIZES))).all()
    assert (trees.threshold < SIZES[trees.feature]).all()
    assert (trees.threshold.dtype, trees.feature.dtype) == (np.uint8, np.int64)
    assert IS_CATEGORY[trees.feature][trees.uses_subset].all()
    assert not trees.subset[~trees.uses_subset].any()
    assert trees.subset.shape == (20, 5, CODES)


def test_unsteered_columns_and_thresholds_are_uniform() -> None:
    """Chi-square at one in ten thousand, over columns and over one column's codes."""
    trees = drawn(7, trees=4000, subsets=0.0)
    columns = np.bincount(trees.feature.ravel(), minlength=len(SIZES))
    assert chisquare(columns).pvalue > 1e-4
    for column, size in enumerate(SIZES):
        codes = np.bincount(trees.threshold[trees.feature == column], minlength=size)
        assert len(codes) == size
        assert chisquare(codes).pvalue > 1e-4


def test_half_of_the_category_questions_ask_for_a_subset() -> None:
    """As agreed, within sampling error; a subset sends a fifth to four fifths of codes right."""
    trees = drawn(7, trees=2000)
    share = trees.uses_subset[IS_CATEGORY[trees.feature]].mean()
    assert abs(share - 0.5) < 0.03
    right = trees.subset[trees.uses_subset].mean(axis=1)
    assert 0.1 < right.min() < 0.3
    assert 0.7 < right.max() < 0.9
    assert not drawn(7, subsets=0.0).uses_subset.any()
    everywhere = drawn(7, subsets=1.0)
    assert (everywhere.uses_subset == IS_CATEGORY[everywhere.feature]).all()


def test_steering_shifts_draws_by_its_share() -> None:
    """All past gain on one question: its column and code get the share, the rest stays uniform."""
    trees = drawn(7, gains(3, 17), trees=4000, subsets=0.0)
    mine = trees.feature == 3
    assert mine.mean() == pytest.approx(0.7 + 0.3 / 5, abs=0.02)
    assert (trees.threshold[mine] == 17).mean() == pytest.approx(0.7 + 0.3 / 40, abs=0.02)
    others = np.bincount(trees.feature[~mine], minlength=5)[[0, 1, 2, 4]]
    assert chisquare(others).pvalue > 1e-4
    ignored = drawn(7, gains(3, 17), trees=4000, subsets=0.0, share=0.0)
    assert (ignored.feature == 3).mean() == pytest.approx(0.2, abs=0.02)


def test_empty_steering_is_as_good_as_none() -> None:
    """Before any gain every column is equally likely, and every code of a column."""
    trees = drawn(7, Steering.empty(SIZES), trees=4000, subsets=0.0)
    assert chisquare(np.bincount(trees.feature.ravel())).pvalue > 1e-4
    codes = np.bincount(trees.threshold[trees.feature == 3], minlength=40)
    assert chisquare(codes).pvalue > 1e-4


def test_gains_add_up_and_fade() -> None:
    """A repeated question in one round counts each time; then all fades by the decay."""
    steering = Steering.empty(SIZES)
    asked = Structure(
        np.array([[3, 1], [3, 3]]),
        np.array([[17, 5], [17, 2]], dtype=np.uint8),
        np.zeros((2, 2), dtype=bool),
        np.zeros((2, 2, CODES), dtype=bool),
    )
    steering.learn(asked, np.array([[1.0, 2.0], [4.0, 8.0]]), decay=0.5)
    np.testing.assert_allclose(steering.column, [0, 1.0, 0, 6.5, 0], atol=1e-8)
    np.testing.assert_allclose(steering.code[3, [17, 2]], [2.5, 4.0], atol=1e-8)
    assert steering.code[3, 40:].max() == 0.0
    steering.learn(asked, np.zeros((2, 2)), decay=0.5)
    np.testing.assert_allclose(steering.column[3], 3.25, atol=1e-8)


@pytest.mark.parametrize("part", ["feature", "threshold", "uses_subset", "subset"])
def test_the_digest_follows_every_part(part: str) -> None:
    """One changed answer anywhere changes it."""
    trees, bent = drawn(1), drawn(1)
    values = getattr(bent, part)
    values.flat[3] = values.flat[3] ^ 1
    assert trees.digest() != bent.digest()
