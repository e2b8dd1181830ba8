"""Population stability index."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import PeerError
from shared.statistics.psi import psi

PAIRS = st.integers(1, 30).flatmap(
    lambda bins: hnp.arrays(np.int64, (2, bins), elements=st.integers(0, 10_000))
)


@given(PAIRS)
def test_psi_is_not_negative_and_symmetric_and_nan_only_when_a_side_is_empty(pair):
    forward, backward = psi(*pair).value, psi(*pair[::-1]).value
    if pair.sum(axis=1).min() == 0:
        assert math.isnan(forward)
        assert math.isnan(backward)
    else:
        assert forward >= 0
        assert forward == pytest.approx(backward, abs=1e-12)


@given(PAIRS)
def test_psi_of_equal_counts_is_nought(pair):
    if pair[0].sum():
        assert psi(pair[0], pair[0]).value == 0.0


def test_psi_of_a_worked_example():
    """Shares .5/.5 to .8/.2 over large counts: .3 ln 1.6 - .3 ln .4."""
    value = psi(np.array([500_000, 500_000]), np.array([800_000, 200_000])).value
    assert value == pytest.approx(0.3 * math.log(1.6) - 0.3 * math.log(0.4), abs=1e-5)


def test_an_empty_bin_on_one_side_is_finite():
    assert 0.25 < psi(np.array([50, 50]), np.array([100, 0])).value < 10


@pytest.mark.parametrize(
    ("actual", "verdict"),
    [([500, 500], "stable"), ([660, 340], "watch"), ([800, 200], "shifted"), ([0, 0], "unknown")],
)
def test_verdicts_follow_the_two_thresholds(actual, verdict):
    assert psi(np.array([500, 500]), np.array(actual)).verdict == verdict


def test_the_mean_index_of_samples_without_a_shift_is_what_chance_predicts():
    rng = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    draws = [psi(rng.multinomial(500, shares), rng.multinomial(800, shares)) for _ in range(400)]
    assert np.mean([one.value for one in draws]) == pytest.approx(draws[0].by_chance, rel=0.1)


def test_counts_over_different_bins_are_refused():
    with pytest.raises(PeerError):
        psi(np.array([1, 2]), np.array([1, 2, 3]))
