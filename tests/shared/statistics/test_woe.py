"""Weight of evidence: merging, the minimum cell and the sign."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import InternalError, PeerError
from shared.statistics.woe import category_woe, ordered_woe

COUNT = st.one_of(st.integers(0, 8), st.integers(0, 5000))
COUNTS = st.integers(1, 30).flatmap(lambda size: hnp.arrays(np.int64, (2, size), elements=COUNT))
MONOTONE = st.sampled_from([-1, 0, 1])
MINIMUM = st.sampled_from([1, 5, 20])


def _check_released(table, counts, minimum):
    """Every invariant any table must hold."""
    if counts.sum(axis=1).min() < minimum:
        assert table.bins == ()
        assert math.isnan(table.iv)
        return
    assert min(min(one.good, one.bad) for one in table.bins) >= minimum
    assert [sum(one.good for one in table.bins), sum(one.bad for one in table.bins)] == list(
        counts.sum(axis=1)
    )
    assert sorted(code for one in table.bins for code in one.codes) == list(range(counts.shape[1]))
    for one in table.bins:
        assert (one.good, one.bad) == tuple(counts[:, list(one.codes)].sum(axis=1))
    assert all(one.iv >= 0 for one in table.bins)
    assert table.iv >= 0
    assert np.isfinite(table.by_code(counts.shape[1])).all()


@given(COUNTS, MONOTONE, MINIMUM)
def test_ordered_bins_keep_totals_and_minimum_and_iv_is_not_negative(counts, monotone, minimum):
    table = ordered_woe(*counts, monotone=monotone, minimum=minimum)
    _check_released(table, counts, minimum)


@given(COUNTS, MINIMUM)
def test_category_bins_keep_totals_and_minimum_and_iv_is_not_negative(counts, minimum):
    _check_released(category_woe(*counts, minimum=minimum), counts, minimum)


@given(COUNTS, st.sampled_from([-1, 1]))
def test_a_monotone_merge_is_strictly_monotone(counts, monotone):
    table = ordered_woe(*counts, monotone=monotone)
    woe = [one.woe for one in table.bins if one is not table.missing]
    assert (np.diff(woe) * monotone < 0).all()


@given(COUNTS, MONOTONE)
def test_ordered_bins_hold_neighbouring_codes_and_missing_stands_last(counts, monotone):
    table = ordered_woe(*counts, monotone=monotone)
    missing = counts.shape[1] - 1
    values = [code for one in table.bins for code in one.codes if code != missing]
    assert values == (list(range(missing)) if table.bins else [])
    if table.missing:
        assert table.bins[-1] is table.missing
        assert table.missing.codes == (missing,)


@given(COUNTS)
def test_missing_stands_apart_exactly_when_both_sides_hold_the_minimum(counts):
    table = ordered_woe(*counts)
    enough = counts[:, -1].min() >= 5 and counts[:, :-1].sum(axis=1).min() >= 5
    only_missing = counts.shape[1] == 1 and counts.min() >= 5
    assert (table.missing is not None) == (enough or only_missing)


@given(COUNTS)
def test_codes_that_already_fall_in_order_are_not_pooled(counts):
    """Monotone asked of a table that is monotone already changes nothing."""
    once = ordered_woe(*counts, monotone=1)
    values = [one for one in once.bins if one is not once.missing]
    good, bad = ([getattr(one, side) for one in values] for side in ("good", "bad"))
    again = ordered_woe(np.array([*good, 0]), np.array([*bad, 0]), monotone=1)
    assert [(one.good, one.bad) for one in again.bins] == list(zip(good, bad, strict=True))


def test_woe_is_the_log_of_share_of_goods_over_share_of_bads():
    """Two bins without missing; half a row is added to each count."""
    table = ordered_woe(np.array([90, 30, 0]), np.array([10, 20, 0]))
    shares = (90.5 / 121) / (10.5 / 31)
    assert table.bins[0].woe == pytest.approx(math.log(shares))
    assert table.bins[0].woe > 0 > table.bins[1].woe
    assert table.iv == pytest.approx(
        (90.5 / 121 - 10.5 / 31) * math.log(shares)
        + (30.5 / 121 - 20.5 / 31) * math.log((30.5 / 121) / (20.5 / 31))
    )


def test_equal_bad_rates_have_no_information():
    assert ordered_woe(np.array([50, 50, 0]), np.array([10, 10, 0])).iv == 0.0


def test_small_levels_become_rare_and_large_ones_stay():
    table = category_woe(np.array([100, 3, 4, 200, 0]), np.array([20, 3, 9, 30, 0]))
    assert [one.codes for one in table.bins] == [(0,), (1, 2), (3, 4)]
    assert table.rare is table.bins[1]


def test_a_rare_bin_still_too_small_takes_in_the_smallest_level():
    table = category_woe(np.array([100, 1, 50, 40]), np.array([20, 1, 30, 9]))
    assert [one.codes for one in table.bins] == [(0,), (1, 2), (3,)]
    assert table.rare is table.bins[1]
    assert table.missing is table.bins[2]


def test_levels_nobody_holds_do_not_make_a_rare_bin():
    table = category_woe(np.array([100, 60, 0, 40]), np.array([20, 30, 0, 9]))
    assert [one.codes for one in table.bins] == [(0, 2), (1,), (3,)]
    assert table.rare is None


@pytest.mark.parametrize("woe", [ordered_woe, category_woe])
@pytest.mark.parametrize(
    ("good", "bad"),
    [([], []), ([1], [1, 2]), ([-1], [3]), ([1.0], [2.0]), ([[1]], [[1]])],
    ids=["empty", "two lengths", "negative", "floats", "a matrix"],
)
def test_what_is_not_two_vectors_of_counts_is_refused(woe, good, bad):
    with pytest.raises(PeerError):
        woe(np.array(good), np.array(bad))


def test_a_minimum_of_nought_is_refused():
    with pytest.raises(InternalError):
        ordered_woe(np.array([1]), np.array([1]), minimum=0)
