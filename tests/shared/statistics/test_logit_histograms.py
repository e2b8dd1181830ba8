"""Logit bins, scores and tiers against the published vectors and a direct count."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import InternalError
from shared.statistics.scores import (
    LOGIT_BINS,
    LOGIT_CENTRES,
    LOGIT_EDGES,
    SCORE_BINS,
    class_counts,
    logit_bin,
    logit_histogram,
    score_histogram,
    score_of_logit,
    score_of_pd,
    tier_name,
    tier_of_score,
)

LOGITS = hnp.arrays(np.float64, st.integers(0, 200), elements=st.floats(allow_nan=False))


@pytest.mark.parametrize(("pd", "score"), [(0.05, 597), (0.01, 692), (0.02, 652), (0.005, 733)])
def test_score_of_pd_gives_the_reference_points(pd, score):
    assert score_of_pd(np.array([pd]))[0] == score
    assert score_of_logit(np.array([math.log(pd / (1 - pd))]))[0] == score


def test_certain_and_impossible_default_reach_the_ends_of_the_scale():
    np.testing.assert_array_equal(score_of_pd(np.array([0.0, 1.0])), [850, 300])
    np.testing.assert_array_equal(score_of_logit(np.array([-np.inf, np.inf])), [850, 300])


@pytest.mark.parametrize("pd", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_refused(pd):
    with pytest.raises(InternalError):
        score_of_pd(np.array([pd]))


@given(LOGITS)
def test_a_riskier_row_never_gets_a_lower_bin_or_a_higher_score_or_a_better_tier(logits):
    logits = np.sort(logits)
    score = score_of_logit(logits)
    assert (np.diff(logit_bin(logits)) >= 0).all()
    assert (np.diff(score) <= 0).all()
    assert (np.diff(tier_of_score(score)) >= 0).all()


@given(LOGITS)
def test_a_logit_lies_between_its_bins_edges(logits):
    index = logit_bin(logits)
    low = np.append(-np.inf, LOGIT_EDGES)[index]
    high = np.append(LOGIT_EDGES, np.inf)[index]
    assert ((low < logits) | np.isneginf(logits)).all()
    assert (logits <= high).all()


def test_a_thousand_bins_each_hold_their_own_centre_and_the_ends_are_open():
    assert len(LOGIT_CENTRES) == LOGIT_BINS == len(LOGIT_EDGES) + 1
    np.testing.assert_array_equal(logit_bin(LOGIT_CENTRES)[:-1], np.arange(LOGIT_BINS - 1))
    np.testing.assert_array_equal(logit_bin(np.array([-1e300, 1e300])), [0, LOGIT_BINS - 1])


@given(LOGITS, st.integers(0, 10_000), st.integers(1, 5))
def test_histograms_of_any_split_sum_to_the_pooled_histogram(logits, seed, lenders):
    rng = np.random.default_rng(seed)
    bad = rng.integers(0, 2, len(logits)).astype(np.int8)
    owner = rng.integers(0, lenders, len(logits))
    parts = [logit_histogram(logits[owner == k], bad[owner == k]) for k in range(lenders)]
    pooled = logit_histogram(logits, bad)
    np.testing.assert_array_equal(sum(parts), pooled)
    np.testing.assert_array_equal(sum(reversed(parts)), pooled)
    np.testing.assert_array_equal(pooled.sum(axis=1), [(bad == 0).sum(), (bad == 1).sum()])


def test_score_histogram_counts_good_and_bad_per_point():
    total = score_histogram(np.array([300, 597, 597, 850]), np.array([1, 0, 1, 0], dtype=np.int8))
    assert total.shape == (2, SCORE_BINS)
    assert (total[0, 297], total[1, 297], total[1, 0], total[0, 550]) == (1, 1, 1, 1)
    assert total.sum() == 4


@pytest.mark.parametrize(
    ("score", "tier"), [(300, 28), (319, 28), (320, 27), (597, 14), (839, 2), (840, 1), (850, 1)]
)
def test_a_score_on_an_edge_belongs_to_the_better_tier(score, tier):
    assert tier_of_score(np.array([score]))[0] == tier


def test_tiers_are_named_from_the_best_down():
    assert (tier_name(1), tier_name(28)) == ("R01", "R28")
    for wrong in (0, 29):
        with pytest.raises(InternalError):
            tier_name(wrong)


def test_nan_logits_stray_scores_codes_and_labels_are_refused():
    one = np.ones(1, dtype=np.int8)
    with pytest.raises(InternalError):
        logit_histogram(np.array([np.nan]), one)
    with pytest.raises(InternalError):
        score_of_logit(np.array([np.nan]))
    with pytest.raises(InternalError):
        score_histogram(np.array([299]), one)
    for code, bad, size in (([3], [0], 3), ([-1], [0], 3), ([0], [2], 3), ([0, 1], [0], 3)):
        with pytest.raises(InternalError):
            class_counts(np.array(code), np.array(bad, dtype=np.int8), size)
