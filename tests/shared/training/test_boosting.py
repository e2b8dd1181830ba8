"""One round of boosting against naive twins, its Newton step in closed form, and that it learns."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

from shared.errors import InternalError
from shared.model.transform import CategoryBins, NumberBins, Transform
from shared.training.boosting import Boosting, BoostingRows, BoostingSettings, question_gain

BITS = 16
TRANSFORM = Transform(
    (
        NumberBins("income", (1.0, 2.0, 3.0)),
        CategoryBins("region", ("a", "b", "c"), (2, 0, 1)),
        NumberBins("age", (30.0,)),
    )
)
SMALL = BoostingSettings(trees=12, depth=3, per_round=4)


def some_rows(rows: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, size, rows) for size in TRANSFORM.sizes]).astype(np.uint8)
    pd = 1 / (1 + np.exp(1.0 - codes[0] * 0.8))
    return codes, (rng.random(rows) < pd).astype(np.int8)


def train(
    boosting: Boosting, codes: NDArray[np.uint8], bad: NDArray[np.int8]
) -> tuple[BoostingRows, list[float]]:
    """All rounds on one lender's rows, and the log loss before each round and at the end."""
    rows, losses, everybody = boosting.rows(codes), [], np.arange(len(bad))
    while not boosting.finished:
        boosting.absorb(boosting.answer(rows, bad, everybody, BITS), BITS)
        losses.append(log_loss(bad, 1 / (1 + np.exp(-rows.logit))))
    boosting.catch_up(rows)
    return rows, [*losses, log_loss(bad, 1 / (1 + np.exp(-rows.logit)))]


def naive_leaf(boosting: Boosting, tree: int, row: NDArray[np.uint8]) -> int:
    """Walk one row down one of the trees that are asked about now, question by question."""
    leaf, asked = 0, boosting.structure
    for level in range(boosting.settings.depth):
        code = int(row[asked.feature[tree, level]])
        if asked.uses_subset[tree, level]:
            right = bool(asked.subset[tree, level, code])
        else:
            right = code > int(asked.threshold[tree, level])
        leaf = 2 * leaf + right
    return leaf


def naive_answer(
    boosting: Boosting, rows: BoostingRows, bad: NDArray[np.int8], training: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Sums of rounded gradients and Hessians, row by row in plain Python."""
    out = np.zeros((2, boosting.settings.per_round, 2**boosting.settings.depth), dtype=np.int64)
    for row in training:
        pd = 1 / (1 + math.exp(-rows.logit[row]))
        for tree in range(boosting.settings.per_round):
            leaf = naive_leaf(boosting, tree, rows.codes[:, row])
            out[0, tree, leaf] += round((pd - int(bad[row])) * 2**BITS)
            out[1, tree, leaf] += round(pd * (1 - pd) * 2**BITS)
    return out.ravel()


@pytest.mark.parametrize("share", [1.0, 0.6, 0.0])
def test_answers_equal_a_row_by_row_twin_in_every_round(share: float) -> None:
    """Leaf sums over the training rows only, after no, some and all trees."""
    codes, bad = some_rows(60)
    training = np.flatnonzero(np.random.default_rng(1).random(60) < share)
    boosting = Boosting(TRANSFORM, SMALL, -0.4, seed=5)
    rows = boosting.rows(codes)
    while not boosting.finished:
        answer = boosting.answer(rows, bad, training, BITS)
        np.testing.assert_array_equal(answer, naive_answer(boosting, rows, bad, training))
        boosting.absorb(answer, BITS)
    with pytest.raises(InternalError, match="no round left"):
        boosting.answer(rows, bad, training, BITS)


def test_the_leaf_of_rows_that_are_all_alike_is_the_newton_step() -> None:
    """n equal rows, k bad: leaf = -rate · n(p - k/n) / (n p(1-p) + λ) / √(trees a round)."""
    codes = np.zeros((3, 40), dtype=np.uint8)
    bad = (np.arange(40) < 10).astype(np.int8)
    boosting = Boosting(TRANSFORM, SMALL, 0.0, seed=1)
    rows = boosting.rows(codes)
    boosting.absorb(boosting.answer(rows, bad, np.arange(40), BITS), BITS)
    boosting.catch_up(rows)
    settings_ = boosting.settings
    step = -settings_.learning_rate * (40 * 0.5 - 10) / (40 * 0.25 + settings_.l2)
    each = step / math.sqrt(settings_.per_round)
    leaves = boosting.module.leaf.numpy()[: settings_.per_round]
    np.testing.assert_allclose(leaves.min(axis=1), each, rtol=1e-12)
    assert (np.count_nonzero(leaves, axis=1) == 1).all()
    np.testing.assert_allclose(rows.logit, settings_.per_round * each, rtol=1e-12)


leaf_sums = st.integers(1, 4).flatmap(
    lambda depth: st.lists(
        st.tuples(st.floats(-50, 50), st.floats(0, 50)), min_size=2**depth, max_size=2**depth
    )
)


def naive_gain(leaves: list[tuple[float, float]], level: int, l2: float) -> float:
    """Chen and Guestrin's eq. 7 at every node of a level, from the leaves under it."""
    width = len(leaves) >> level
    gain = 0.0
    for first in range(0, len(leaves), width):
        node = leaves[first : first + width]
        left, right = node[: width // 2], node[width // 2 :]
        worth = [
            sum(g for g, _ in part) ** 2 / (sum(h for _, h in part) + l2)
            for part in (left, right, node)
        ]
        gain += max(0.0, worth[0] + worth[1] - worth[2])
    return gain


@settings(max_examples=60)
@given(leaf_sums, st.floats(0.5, 50))
def test_question_gain_equals_a_naive_twin(leaves: list[tuple[float, float]], l2: float) -> None:
    """Level by level the gain of equation 7, summed over the nodes of the level."""
    gradient, hessian = (np.array([part]) for part in zip(*leaves, strict=True))
    depth = len(leaves).bit_length() - 1
    expected = [naive_gain(leaves, level, l2) for level in range(depth)]
    ours = question_gain(gradient, hessian, l2)
    assert ours.shape == (1, depth)
    np.testing.assert_allclose(ours[0], expected, rtol=1e-9, atol=1e-9)


def test_a_question_that_separates_gains_and_one_that_does_not_gains_nothing() -> None:
    """Two levels, only the second parts good from bad."""
    gradient = np.array([[5.0, -5.0, 5.0, -5.0]])
    first, second = question_gain(gradient, np.full((1, 4), 3.0), 1.0)[0]
    assert first == 0.0
    assert second == pytest.approx(4 * 25 / 4.0)


def test_every_round_lowers_the_training_loss() -> None:
    """Log loss never rises on the training rows, and falls well below the prior's."""
    codes, bad = some_rows(1500)
    base = float(np.log(bad.mean() / (1 - bad.mean())))
    many = BoostingSettings(trees=160, depth=3, per_round=8)
    _, losses = train(Boosting(TRANSFORM, many, base, seed=2), codes, bad)
    assert (np.diff(losses) <= 1e-9).all()
    assert losses[-1] < losses[0] - 0.03


def xor_auc(depth: int) -> float:
    rng = np.random.default_rng(3)
    flat = Transform((NumberBins("x", (0.5,)), NumberBins("y", (0.5,))))
    codes = rng.integers(0, 2, (2, 800)).astype(np.uint8)
    flipped = rng.random(800) < 0.05
    bad = ((codes[0] ^ codes[1]) ^ flipped).astype(np.int8)
    boosting = Boosting(flat, BoostingSettings(trees=40, depth=depth, per_round=8), 0.0, seed=1)
    rows, _ = train(boosting, codes, bad)
    return float(roc_auc_score(bad, rows.logit))


def test_it_learns_a_crossing_that_no_single_column_shows() -> None:
    """Exclusive or: depth 3 ranks it; trees of one question, the control, cannot."""
    assert xor_auc(depth=3) > 0.9
    assert xor_auc(depth=1) < 0.6


def test_catching_up_in_one_go_equals_following_every_round() -> None:
    """Rows that join at the end get the very logit of rows that answered every round."""
    codes, bad = some_rows(300)
    boosting = Boosting(TRANSFORM, SMALL, -0.4, seed=7)
    steady, _ = train(boosting, codes, bad)
    late = boosting.rows(codes)
    boosting.catch_up(late)
    assert late.logit.tobytes() == steady.logit.tobytes()
    boosting.catch_up(late)
    assert late.logit.tobytes() == steady.logit.tobytes()


def test_asking_twice_before_the_total_comes_changes_nothing() -> None:
    """A repeated question (a lost message) gets the same answer and trains the same model."""
    codes, bad = some_rows(200)
    once, twice = (Boosting(TRANSFORM, SMALL, 0.0, seed=7) for _ in range(2))
    one, two = once.rows(codes), twice.rows(codes)
    everybody = np.arange(200)
    while not once.finished:
        total = once.answer(one, bad, everybody, BITS)
        twice.answer(two, bad, everybody, BITS)
        assert twice.answer(two, bad, everybody, BITS).tobytes() == total.tobytes()
        once.absorb(total, BITS)
        twice.absorb(total, BITS)
    once.catch_up(one)
    twice.catch_up(two)
    assert one.logit.tobytes() == two.logit.tobytes()


def test_copies_with_the_same_totals_ask_the_same_trees_and_others_do_not() -> None:
    """Structures follow seed and totals: equal for equal ones, other for another seed or total."""
    codes, bad = some_rows(300)
    first, copy, other = (Boosting(TRANSFORM, SMALL, 0.0, seed=s) for s in (7, 7, 8))
    assert first.structure.digest() == copy.structure.digest() != other.structure.digest()
    opening = first.structure.digest()
    rows, everybody = first.rows(codes), np.arange(300)
    for bent in range(2):
        total = first.answer(rows, bad, everybody, BITS)
        first.absorb(total, BITS)
        copy.absorb(total + 5000 * bent * np.arange(len(total)), BITS)
        assert first.structure.digest() != opening
    # Steering begins with the third round, so only now can the totals show.
    assert first.structure.digest() != copy.structure.digest()


def test_a_hessian_that_noise_made_negative_counts_as_none() -> None:
    """The step stays finite and no larger than -rate · G/λ."""
    boosting = Boosting(TRANSFORM, SMALL, 0.0, seed=1)
    total = np.zeros(boosting.length, dtype=np.int64)
    total[0], total[boosting.length // 2] = 3 << BITS, -(20 << BITS)
    boosting.absorb(total, BITS)
    expected = -SMALL.learning_rate * 3 / SMALL.l2 / math.sqrt(SMALL.per_round)
    assert float(boosting.module.leaf[0, 0]) == pytest.approx(expected)
    assert float(boosting.module.cover.min()) == 0.0
