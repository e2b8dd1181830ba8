"""Ranking measures against naive twins, intervals against each other, swap sets by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.simulation import gain as gain_module
from server.simulation.gain import (
    CURVE_POINTS,
    auc,
    gain_curve,
    gain_interval,
    ks,
    roc_points,
    swap_set,
)
from shared.errors import InternalError

ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0, 4.0])),
    min_size=2,
    max_size=40,
)


def naive_auc(bad, score, weight):
    """Every bad row against every good row; None without a pair."""
    wins = pairs = 0.0
    for b, s, w in zip(bad, score, weight, strict=True):
        for c, t, v in zip(bad, score, weight, strict=True):
            if b and not c:
                pairs += w * v
                wins += w * v * ((s > t) + (s == t) / 2)
    return wins / pairs if pairs else None


@given(ROWS)
def test_auc_is_the_share_of_pairs_ranked_right(rows):
    bad, score, weight = zip(*rows, strict=True)
    expected = naive_auc(bad, score, weight)
    found = auc(bad, score, weight)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


@given(ROWS)
def test_ks_is_the_largest_gap_between_the_two_curves(rows):
    bad, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    if bad.all() or not bad.any():
        assert ks(bad, score, weight) is None
        return
    gaps = [
        np.average(score[bad] > cut, weights=weight[bad])
        - np.average(score[~bad] > cut, weights=weight[~bad])
        for cut in np.unique(score)
    ]
    assert ks(bad, score, weight) == pytest.approx(np.abs(gaps).max(), abs=1e-12)


@given(ROWS)
def test_the_area_under_the_whole_roc_curve_is_the_auc(rows):
    bad, score, weight = zip(*rows, strict=True)
    points = roc_points(bad, score, weights=weight)
    if points is None:
        assert auc(bad, score, weight) is None
        return
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(auc(bad, score, weight))


def sample(rows, seed, lift=0.3):
    """A label, a noisy score and a score that is better by `lift`."""
    rng = np.random.default_rng(seed)
    bad = rng.random(rows) < 0.3
    before = bad + 1.3 * rng.normal(size=rows)
    return bad, before, before + lift * bad + 0.3 * rng.normal(size=rows)


@pytest.mark.parametrize("curve", [roc_points, gain_curve])
def test_a_long_curve_is_thinned_but_keeps_its_ends_and_shape(curve):
    bad, score, _ = sample(20_000, 0)
    points, whole = curve(bad, score), curve(bad, score, limit=10**6)
    assert 100 < len(points) <= CURVE_POINTS
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [1, 1]
    assert (np.diff(points, axis=0) >= 0).all()
    assert np.abs(np.interp(whole[:, 0], points[:, 0], points[:, 1]) - whole[:, 1]).max() < 0.01


def test_the_gain_curve_of_a_perfect_score_finds_all_bads_at_the_bad_rate():
    bad = np.array([1, 0, 0, 0, 1])
    assert [0.4, 1.0] in gain_curve(bad, bad).tolist()


def test_bootstrap_and_delong_agree(monkeypatch):
    """Two independent methods give intervals whose ends differ by a tenth of their width."""
    rng = np.random.default_rng(5)
    for weights in (None, rng.uniform(0.5, 2, 3000)):
        bad, before, after = sample(3000, 1)
        drawn = gain_interval(bad, before, after, seed=0, draws=2000, weights=weights)
        monkeypatch.setattr(gain_module, "BOOTSTRAP_ROWS", 0)
        computed = gain_interval(bad, before, after, seed=0, weights=weights)
        monkeypatch.undo()
        assert drawn.gain == computed.gain == auc(bad, after, weights) - auc(bad, before, weights)
        assert drawn.gain > 0.02
        width = computed.high - computed.low
        assert np.abs(np.subtract(drawn, computed)).max() < 0.1 * width


def test_the_interval_covers_a_true_gain_of_nothing_about_95_times_in_100():
    """Two scores equally noisy around the same signal: 0 is inside about 95 % of intervals."""
    covered = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        bad = rng.random(150) < 0.4
        first, second = bad + rng.normal(size=150), bad + rng.normal(size=150)
        interval = gain_interval(bad, first, second, seed=seed, draws=300)
        covered += interval.low <= 0 <= interval.high
    assert 0.90 <= covered / 300 <= 0.98


def test_an_equal_score_gains_exactly_nothing():
    bad, score, _ = sample(400, 2)
    assert gain_interval(bad, score, 3 * score + 1, seed=0) == (0, 0, 0)


def test_one_class_has_no_measure():
    bad, score = np.ones(30), np.arange(30.0)
    assert auc(bad, score) is None
    assert ks(bad, score) is None
    assert roc_points(bad, score) is None
    assert gain_curve(bad, score) is None
    assert gain_interval(bad, score, score, seed=0) is None
    assert swap_set(bad, score, score, 0.5).local_bad_rate == 1


def test_a_swap_set_by_hand():
    """Six applicants, half approved: the personal score trades row 2 (bad) for row 3 (good)."""
    swap = swap_set(
        [0, 0, 1, 0, 1, 1], [1, 2, 3, 4, 5, 6], [1, 2, 4, 3, 5, 6], 0.5, weights=[1] * 6
    )
    assert (swap.approved, swap.swapped_in, swap.swapped_out) == (3, 1, 1)
    assert (swap.bad_rate_in, swap.bad_rate_out) == (0, 1)
    assert (swap.local_bad_rate, swap.personal_bad_rate) == (pytest.approx(1 / 3), 0)


@given(ROWS, st.floats(0, 1))
def test_equal_approval_swaps_as_many_in_as_out(rows, rate):
    bad, score, _ = zip(*rows, strict=True)
    swap = swap_set(bad, score, score[::-1], rate)
    assert swap.swapped_in == swap.swapped_out <= swap.approved
    assert abs(swap.approved - rate * len(rows)) <= 0.5


def test_a_constant_score_approves_an_average_applicant():
    """A file sorted by outcome must not make an uninformative score look clairvoyant."""
    bad = np.arange(4000) >= 2000
    swap = swap_set(bad, np.zeros(4000), bad, 0.5)
    assert swap.local_bad_rate == pytest.approx(0.5, abs=0.05)
    assert swap.personal_bad_rate == 0


def test_rows_that_do_not_match_are_our_own_fault():
    with pytest.raises(InternalError, match="labels"):
        auc([0, 1], [1.0, 2.0, 3.0])
    with pytest.raises(InternalError, match="finite"):
        auc([0, 1], [1.0, float("nan")])
    with pytest.raises(InternalError, match="approval rate"):
        swap_set([0, 1], [1.0, 2.0], [1.0, 2.0], 1.5)
