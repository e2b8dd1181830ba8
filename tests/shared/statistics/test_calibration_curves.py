"""Calibration from totals against the pooled rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as pooled_log_loss

from shared.errors import InternalError, PeerError
from shared.statistics.calibration import (
    calibration_error,
    log_loss,
    log_loss_sum,
    pd_of_logit,
    pd_sums,
    platt,
    reliability,
)
from shared.statistics.grid import MINIMUM_CELL
from shared.statistics.scores import LOGIT_BINS, logit_histogram

BITS = 16
INNER = st.one_of(st.floats(-7.9, 7.9), st.sampled_from([-2.0, 0.0]))


@st.composite
def labelled_logits(draw, element=INNER):
    logit = draw(hnp.arrays(np.float64, st.integers(1, 100), elements=element))
    return logit, draw(hnp.arrays(np.int8, len(logit), elements=st.integers(0, 1)))


def _book(rows=40_000, slope=1.0, intercept=0.0, seed=0):
    rng = np.random.default_rng(seed)
    logit = rng.normal(-2, 1.2, rows)
    bad = (rng.random(rows) < pd_of_logit(intercept + slope * logit)).astype(np.int8)
    return logit, bad


@given(hnp.arrays(np.float64, st.integers(0, 50), elements=st.floats(allow_nan=False)))
def test_pds_are_probabilities_and_mirror_images(logit):
    pd = pd_of_logit(logit)
    assert ((pd >= 0) & (pd <= 1)).all()
    np.testing.assert_allclose(pd + pd_of_logit(-logit), 1.0, rtol=0, atol=1e-15)


@given(labelled_logits(st.floats(-20, 20)), st.integers(0, 10_000), st.integers(1, 5))
def test_summed_pds_and_losses_are_bit_identical_for_any_split(rows, seed, lenders):
    logit, bad = rows
    owner = np.random.default_rng(seed).integers(0, lenders, len(bad))
    books = [(logit[owner == k], bad[owner == k]) for k in range(lenders)]
    np.testing.assert_array_equal(sum(pd_sums(book[0]) for book in books), pd_sums(logit))
    assert sum(log_loss_sum(*book) for book in books) == log_loss_sum(logit, bad)


@given(labelled_logits(st.floats(-20, 20)))
def test_fixed_point_sums_are_within_half_a_unit_a_row(rows):
    logit, bad = rows
    unit = 2.0**-BITS * len(bad) / 2
    assert abs(pd_sums(logit).sum() / 2**BITS - pd_of_logit(logit).sum()) <= unit + 1e-12
    exact = np.logaddexp(0, np.where(bad == 1, -logit, logit)).sum()
    assert abs(log_loss_sum(logit, bad) / 2**BITS - exact) <= unit + 1e-9


@given(labelled_logits())
def test_the_exact_log_loss_lies_within_the_certified_half_width(rows):
    logit, bad = rows
    measured = log_loss(*logit_histogram(logit, bad))
    exact = pooled_log_loss(bad, pd_of_logit(logit), labels=[0, 1])
    assert measured.half_width < 0.01
    assert measured.low - 1e-12 <= exact <= measured.high + 1e-12


@given(labelled_logits(st.floats(-50, 50)))
def test_log_loss_of_extreme_logits_is_certified_or_openly_unbounded(rows):
    logit, bad = rows
    measured = log_loss(*logit_histogram(logit, bad))
    exact = np.logaddexp(0, np.where(bad == 1, -logit, logit)).mean()
    wrong_and_sure = (bad == 1) & (logit <= -8) | (bad == 0) & (logit > 8)
    assert np.isinf(measured.half_width) == wrong_and_sure.any()
    assert measured.low - 1e-12 <= exact <= measured.high + 1e-12


def test_log_loss_needs_rows_and_the_thousand_bins():
    assert np.isnan(log_loss(np.zeros(LOGIT_BINS), np.zeros(LOGIT_BINS)).value)
    with pytest.raises(PeerError):
        log_loss(np.ones(3), np.ones(3))
    with pytest.raises(InternalError):
        log_loss_sum(np.array([np.inf]), np.array([0], dtype=np.int8))


@given(labelled_logits(), st.integers(1, 20))
def test_reliability_rows_keep_every_row_and_the_minimum(rows, groups):
    logit, bad = rows
    good_total, bad_total = logit_histogram(logit, bad)
    sums = pd_sums(logit) / 2**BITS
    table = reliability(good_total, bad_total, sums, groups)
    assert len(table) <= groups
    if len(bad) < MINIMUM_CELL:
        assert table == ()
        return
    assert sum(row.rows for row in table) == len(bad)
    assert min(row.rows for row in table) >= MINIMUM_CELL
    assert sum(row.rows * row.bad_rate for row in table) == pytest.approx(bad.sum())
    assert sum(row.rows * row.mean_pd for row in table) == pytest.approx(sums.sum())
    assert all(row.low - 1e-12 <= row.bad_rate <= row.high + 1e-12 for row in table)


def test_a_calibrated_model_has_a_small_error_and_a_shifted_one_a_large_error():
    good_error, shifted_error = (
        calibration_error(reliability(*logit_histogram(logit, bad), pd_sums(logit) / 2**BITS))
        for logit, bad in (_book(), _book(intercept=1.0))
    )
    assert good_error < 0.01
    assert shifted_error > 0.05


def test_calibration_error_of_two_rows_is_their_weighted_gap():
    """Ten rows 0.1 apart and thirty rows exact: a quarter of 0.1."""
    table = reliability(np.array([8, 15]), np.array([2, 15]), np.array([1.0, 15.0]), groups=4)
    assert [row.rows for row in table] == [10, 30]
    assert calibration_error(table) == pytest.approx(0.025)


def test_without_rows_there_is_no_table_and_no_error():
    empty = np.zeros(4)
    assert reliability(empty, empty, empty) == ()
    assert np.isnan(calibration_error(()))


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.6, -0.7), (1.8, 0.5), (-0.5, 1.0)])
def test_platt_on_the_histogram_agrees_with_logistic_regression_on_raw_rows(slope, intercept):
    logit, bad = _book(slope=slope, intercept=intercept)
    fit = platt(*logit_histogram(logit, bad))
    raw = LogisticRegression(C=np.inf, tol=1e-10).fit(logit[:, None], bad)
    assert fit.slope == pytest.approx(raw.coef_[0, 0], abs=2e-3)
    assert fit.intercept == pytest.approx(raw.intercept_[0], abs=4e-3)


@given(hnp.arrays(np.int64, (2, 6), elements=st.integers(0, 30)))
def test_platt_is_the_stationary_point_or_nan_exactly_when_there_is_none(counts):
    good, bad = counts
    logit = np.array([-6.0, -2.0, -1.0, 0.0, 0.5, 5.0])
    fit = platt(good, bad, logit)
    at_good, at_bad = logit[good > 0], logit[bad > 0]
    exists = (
        len(at_good) > 0
        and len(at_bad) > 0
        and at_good.max() > at_bad.min()
        and at_bad.max() > at_good.min()
    )
    assert np.isfinite(fit.slope) == np.isfinite(fit.intercept) == exists
    if exists:
        residual = (good + bad) * pd_of_logit(fit.intercept + fit.slope * logit) - bad
        assert abs(residual.sum()) < 1e-5
        assert abs((residual * logit).sum()) < 1e-5


def test_platt_and_reliability_refuse_wrong_shapes_and_disordered_logits():
    two = np.ones(2)
    with pytest.raises(PeerError):
        platt(two, two, np.zeros(3))
    with pytest.raises(PeerError):
        reliability(two, two, np.zeros(3))
    with pytest.raises(InternalError):
        platt(two, two, np.zeros(2))
    with pytest.raises(InternalError):
        reliability(two, two, two, groups=0)
