"""Quantile edges from summed counts, against pandas on the pooled rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import InternalError, PeerError
from shared.statistics.grid import (
    CELLS,
    GRID,
    MINIMUM_CELL,
    coarse_counts,
    quantile_edges,
    refined_counts,
    refined_grid,
)

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
MONEY = st.one_of(
    ANY_FLOAT,
    st.floats(-1e5, 1e5),
    st.integers(-50, 50).map(float),
    st.sampled_from([0.0, 1000.0, 50_000.0]),
)
FEWER = settings(max_examples=40)
COLUMNS = hnp.arrays(np.float64, st.integers(0, 300), elements=MONEY)


def _edges(values, bins, cells=2048):
    grid = refined_grid(coarse_counts(values), cells)
    return quantile_edges(refined_counts(values, grid), grid, bins), grid


def test_the_grid_ascends_is_symmetric_and_reaches_a_thousand_million():
    assert (np.diff(GRID) > 0).all()
    np.testing.assert_array_equal(GRID, -GRID[::-1])
    assert GRID[-1] == 1e9
    assert len(GRID) + 1 == CELLS


def test_the_grids_relative_resolution_is_half_a_percent_above_a_tenth():
    above = GRID[GRID >= 0.1]
    assert (np.diff(above) / above[:-1]).max() <= 0.005 + 1e-12


def test_every_whole_number_up_to_four_hundred_is_a_point_of_the_grid():
    assert np.isin(np.arange(-400, 401), GRID).all()


@given(COLUMNS)
@FEWER
def test_coarse_counts_hold_every_row_that_is_not_missing(values):
    counts = coarse_counts(values)
    assert counts.shape == (CELLS,)
    assert counts.sum() == (~np.isnan(values)).sum()


@given(COLUMNS, st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 40))
@FEWER
def test_edges_are_bit_identical_however_rows_are_spread_over_lenders(values, seed, lenders, bins):
    owner = np.random.default_rng(seed).integers(0, lenders, len(values))
    books = [values[owner == lender] for lender in range(lenders)]
    coarse = sum(coarse_counts(book) for book in books)
    np.testing.assert_array_equal(coarse, coarse_counts(values))
    grid = refined_grid(coarse, 16)
    total = sum(refined_counts(book, grid) for book in books)
    pooled, pooled_grid = _edges(values, bins, 16)
    np.testing.assert_array_equal(grid, pooled_grid)
    assert quantile_edges(total, grid, bins) == pooled


@given(COLUMNS, st.sampled_from([1, 4, 16, 2048]))
@FEWER
def test_the_refined_grid_ascends_and_stays_within_four_times_its_cells(values, cells):
    grid = refined_grid(coarse_counts(values), cells)
    assert (np.diff(grid) > 0).all()
    assert len(grid) <= 4 * cells


@given(COLUMNS, st.integers(1, 40), st.sampled_from([8, 64, 2048]))
@FEWER
def test_each_edge_lies_within_one_cell_of_an_asked_quantile(values, bins, cells):
    """Where a column occupies more cells than bins; otherwise every cell is its own bin."""
    edges, grid = _edges(values, bins, cells)
    counts = refined_counts(values, grid)
    if (counts > 0).sum() <= bins:
        return
    present = np.sort(values[~np.isnan(values)])
    at_or_below = np.searchsorted(present, edges, side="right") * bins
    cell = counts[np.searchsorted(grid, edges)] * bins
    asked = np.arange(1, bins)[:, None] * len(present)
    over = at_or_below[None, :] - asked
    assert ((over >= 0) & (over < np.maximum(cell, 1))).any(axis=0).all()


@given(COLUMNS, st.integers(1, 40))
@FEWER
def test_edges_ascend_are_few_enough_and_no_bin_is_under_the_minimum(values, bins):
    edges, _ = _edges(values, bins)
    assert len(edges) <= bins - 1 or edges == ()
    assert list(edges) == sorted(set(edges))
    present = values[~np.isnan(values)]
    rows = np.bincount(np.searchsorted(edges, present), minlength=len(edges) + 1)
    assert not edges or rows.min() >= MINIMUM_CELL


@given(
    st.sets(st.integers(-100, 100), min_size=1, max_size=40),
    st.integers(0, 10_000),
    st.sampled_from([1.0, 12.0, 1000.0]),
)
@FEWER
def test_few_distinct_whole_numbers_are_separated_exactly(levels, seed, unit):
    levels = np.array(sorted(levels)) * unit
    repeats = np.random.default_rng(seed).integers(MINIMUM_CELL, 200, len(levels))
    edges, _ = _edges(np.repeat(levels, repeats), 48)
    np.testing.assert_array_equal(np.searchsorted(edges, levels), np.arange(len(levels)))
    if unit == 1.0:
        assert edges == tuple(levels[:-1])


def test_neighbouring_years_and_large_codes_are_separated():
    """Whole numbers far above 400 share a coarse cell; the second round tells them apart."""
    for levels in (np.arange(1995.0, 2025.0), 1_000_000.0 + 5 * np.arange(20)):
        edges, _ = _edges(np.repeat(levels, 1000), 48)
        np.testing.assert_array_equal(np.searchsorted(edges, levels), np.arange(len(levels)))


@pytest.mark.parametrize("scale", [0.01, 1.0, 1e4])
def test_edges_agree_with_pandas_quantiles_on_a_skewed_column(scale):
    """At every edge the pooled share is within a thousandth of the asked one."""
    values = np.random.default_rng(0).lognormal(0, 1.5, 50_000) * scale
    edges, _ = _edges(values, 48)
    assert len(edges) == 47
    want = pd.Series(values).quantile(np.arange(1, 48) / 48).to_numpy()
    ranks = np.searchsorted(np.sort(values), [edges, want], side="right") / len(values)
    assert np.abs(ranks[0] - ranks[1]).max() < 1e-3


def test_outliers_are_never_resolved_finer_than_the_public_grid():
    rng = np.random.default_rng(1)
    grid = refined_grid(coarse_counts(np.append(rng.normal(0, 1, 20_000), [123_456.7, -98_765.4])))
    tail = grid[np.abs(grid) > 1000]
    assert len(tail) > 0
    assert np.isin(tail, GRID).all()


@pytest.mark.parametrize("value", [0.0, -3.7, 5e12, -np.inf])
def test_a_constant_column_has_no_edges(value):
    assert _edges(np.full(1000, value), 48)[0] == ()


def test_an_empty_or_all_missing_column_has_an_empty_grid_and_no_edges():
    for values in (np.empty(0), np.full(9, np.nan)):
        edges, grid = _edges(values, 48)
        assert edges == ()
        assert grid.shape == (0,)


def test_rows_beyond_the_grid_are_kept_apart_from_those_on_it():
    values = np.repeat([-5e12, 1.0, np.inf], 10)
    edges, _ = _edges(values, 48)
    np.testing.assert_array_equal(np.searchsorted(edges, [-5e12, 1.0, np.inf]), [0, 1, 2])


@pytest.mark.parametrize(
    "total",
    [np.zeros(3, dtype=np.int64), np.zeros(CELLS), np.full(CELLS, -1)],
    ids=["wrong length", "floats", "negative"],
)
def test_a_total_that_is_not_counts_is_refused(total):
    with pytest.raises(PeerError):
        refined_grid(total)


def test_asking_for_no_bins_is_refused():
    with pytest.raises(InternalError):
        quantile_edges(np.zeros(1, dtype=np.int64), np.empty(0), 0)
