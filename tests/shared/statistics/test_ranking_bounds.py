"""Measures from histograms against naive twins, scikit-learn and scipy on the pooled rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score, roc_curve

from shared.errors import InternalError, PeerError
from shared.statistics.ranking import auc, cutoff_table, gain_table, gini, ks, roc
from shared.statistics.scores import LOGIT_BINS, logit_bin, logit_histogram

SLACK = 1e-12
LOGIT = st.one_of(
    st.floats(-10, 10),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([-1e9, -8.0, 0.0, 1e-9, 8.0, 1e9]),
)


@st.composite
def labelled_logits(draw):
    """Logits with heavy ties and extremes, and labels holding both classes."""
    logit = draw(hnp.arrays(np.float64, st.integers(2, 120), elements=LOGIT))
    bad = draw(hnp.arrays(np.int8, len(logit), elements=st.integers(0, 1)))
    bad[0], bad[-1] = 0, 1
    return logit, bad


def _exact_auc(bad, value):
    """Every pair of a bad and a good row, by definition."""
    against = value[bad == 1][:, None], value[bad == 0][None, :]
    return ((against[0] > against[1]).mean() + (against[0] >= against[1]).mean()) / 2


def _exact_ks(bad, value):
    """Both distributions at every value that occurs, by definition."""
    at_or_below = value[:, None] <= value[None, :]
    return np.abs(at_or_below[bad == 1].mean(axis=0) - at_or_below[bad == 0].mean(axis=0)).max()


def _skewed(rows=50_000, seed=0):
    rng = np.random.default_rng(seed)
    bad = (rng.random(rows) < 0.1).astype(np.int8)
    return rng.normal(-2.0 + 1.2 * bad, 1.0), bad


@given(labelled_logits())
def test_the_exact_auc_lies_within_the_certified_half_width(rows):
    logit, bad = rows
    measured = auc(*logit_histogram(logit, bad))
    exact = _exact_auc(bad, logit)
    assert measured.low - SLACK <= exact <= measured.high + SLACK


@given(labelled_logits())
def test_gini_is_twice_auc_less_one_with_twice_the_half_width(rows):
    logit, bad = rows
    measured = gini(*logit_histogram(logit, bad))
    exact = 2 * _exact_auc(bad, logit) - 1
    assert measured.low - SLACK <= exact <= measured.high + SLACK


@given(labelled_logits())
def test_the_exact_ks_lies_between_the_histograms_and_its_bound(rows):
    logit, bad = rows
    measured = ks(*logit_histogram(logit, bad))
    exact = _exact_ks(bad, logit)
    assert measured.value - SLACK <= exact <= measured.value + measured.bound + SLACK


@given(labelled_logits())
def test_binned_measures_equal_the_exact_ones_of_the_binned_rows(rows):
    logit, bad = rows
    good_total, bad_total = logit_histogram(logit, bad)
    index = logit_bin(logit)
    assert auc(good_total, bad_total).value == pytest.approx(_exact_auc(bad, index))
    assert ks(good_total, bad_total).value == pytest.approx(_exact_ks(bad, index))


def test_scikit_learns_auc_and_scipys_ks_of_a_book_lie_within_the_bounds():
    logit, bad = _skewed()
    area, gap = (measure(*logit_histogram(logit, bad)) for measure in (auc, ks))
    assert area.low <= roc_auc_score(bad, logit) <= area.high
    exact = ks_2samp(logit[bad == 1], logit[bad == 0], method="asymp").statistic
    assert gap.value <= exact <= gap.value + gap.bound
    assert area.half_width < 2e-3
    assert gap.bound < 0.01


@given(labelled_logits(), st.integers(0, 10_000))
@settings(max_examples=40)
def test_weighted_rows_give_the_weighted_auc(rows, seed):
    logit, bad = rows
    weight = np.random.default_rng(seed).uniform(0.1, 5.0, len(bad))
    index = logit_bin(logit)
    total = [np.bincount(index, weight * (bad == k), minlength=LOGIT_BINS) for k in (0, 1)]
    measured = auc(*total)
    exact = roc_auc_score(bad, logit, sample_weight=weight)
    assert measured.low - 1e-9 <= exact <= measured.high + 1e-9


@given(labelled_logits(), st.integers(0, 10_000), st.integers(1, 5))
def test_measures_are_bit_identical_however_rows_are_spread_over_lenders(rows, seed, lenders):
    logit, bad = rows
    owner = np.random.default_rng(seed).integers(0, lenders, len(bad))
    total = sum(logit_histogram(logit[owner == k], bad[owner == k]) for k in range(lenders))
    pooled = logit_histogram(logit, bad)
    assert (auc(*total), ks(*total)) == (auc(*pooled), ks(*pooled))


def test_separated_classes_have_auc_one_and_ks_one_without_error():
    good, bad = np.array([5, 5, 0]), np.array([0, 0, 7])
    assert (auc(good, bad).value, auc(good, bad).half_width) == (1.0, 0.0)
    assert (ks(good, bad).value, ks(good, bad).bound, ks(good, bad).bin) == (1.0, 0.0, 1)
    assert auc(bad, good).value == 0.0


def test_one_bin_for_everybody_says_nothing_and_admits_it():
    good, bad = np.array([4]), np.array([6])
    assert (auc(good, bad).value, auc(good, bad).half_width) == (0.5, 0.5)
    assert (ks(good, bad).value, ks(good, bad).bound) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("good", "bad"), [([], []), ([0, 0], [0, 0]), ([1, 2], [0, 0]), ([0], [3])]
)
def test_without_both_classes_every_measure_is_nan(good, bad):
    good, bad = np.array(good, dtype=np.int64), np.array(bad, dtype=np.int64)
    assert np.isnan([auc(good, bad).value, auc(good, bad).half_width]).all()
    assert np.isnan([gini(good, bad).value, ks(good, bad).value, ks(good, bad).bound]).all()
    assert ks(good, bad).bin == -1
    assert all(np.isnan(row.gain) for row in gain_table(good, bad, [0.1, 1.0]))
    assert cutoff_table(good, bad).bad_rate.shape == good.shape
    curve = roc(good, bad)
    assert curve.true_positive.shape == (len(good) + 1,)


def test_roc_points_are_scikit_learns_on_binned_rows():
    logit, bad = _skewed(5_000)
    curve = roc(*logit_histogram(logit, bad))
    false_positive, true_positive, _ = roc_curve(bad, logit_bin(logit), drop_intermediate=False)
    ours = set(zip(curve.false_positive.round(12), curve.true_positive.round(12), strict=True))
    assert ours == set(zip(false_positive.round(12), true_positive.round(12), strict=True))
    area = np.trapezoid(curve.true_positive, curve.false_positive)
    assert area == pytest.approx(auc(*logit_histogram(logit, bad)).value)


@given(labelled_logits(), st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5))
def test_the_exact_gain_lies_between_low_and_high(rows, shares):
    """Taking whole rows only, riskiest first; the table may also take a part of a row."""
    logit, bad = rows
    riskiest_first = bad[np.argsort(-logit, kind="stable")]
    for row in gain_table(*logit_histogram(logit, bad), shares):
        taken = row.share * len(bad)
        caught = np.interp(taken, np.arange(len(bad) + 1), np.append(0, riskiest_first.cumsum()))
        assert row.low - 1e-9 <= caught / bad.sum() <= row.high + 1e-9
        assert row.low - 1e-9 <= row.gain <= row.high + 1e-9
        assert row.lift == row.gain / row.share


def test_gain_of_everybody_is_one_and_never_falls_with_the_share():
    rows = gain_table(*logit_histogram(*_skewed()), [0.01, 0.1, 0.5, 1.0])
    gains = [row.gain for row in rows]
    assert gains == sorted(gains)
    assert (rows[-1].gain, rows[-1].lift) == (1.0, 1.0)
    assert rows[0].lift > 3


def test_gain_interpolates_within_a_bin():
    """Half of ten tied rows, four of them bad, catch two of five bad."""
    row = gain_table(np.array([9, 6]), np.array([1, 4]), [0.25])[0]
    assert (row.gain, row.low, row.high, row.lift) == (0.4, 0.0, 0.8, 1.6)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_outside_nought_to_one_is_refused(share):
    with pytest.raises(InternalError):
        gain_table(np.array([1]), np.array([1]), [share])


@given(labelled_logits())
def test_the_cutoff_table_is_a_direct_count_of_approved_rows(rows):
    logit, bad = rows
    index = logit_bin(logit)
    table = cutoff_table(*logit_histogram(logit, bad))
    for cut in {0, 250, 500, LOGIT_BINS - 1, int(index[0])}:
        approved = bad[index <= cut]
        assert table.approval_rate[cut] == len(approved) / len(bad)
        assert table.bad_caught[cut] == pytest.approx(1 - approved.sum() / bad.sum())
        if len(approved):
            assert table.bad_rate[cut] == approved.mean()
        else:
            assert np.isnan(table.bad_rate[cut])


@pytest.mark.parametrize(
    ("good", "bad"),
    [([1, 2], [1]), ([-1], [1]), ([1.0], [float("nan")]), ([float("inf")], [1.0]), ([[1]], [[1]])],
)
def test_totals_that_are_not_two_vectors_of_counts_are_refused(good, bad):
    for measure in (auc, ks, gini, roc, cutoff_table):
        with pytest.raises(PeerError):
            measure(np.array(good), np.array(bad))
