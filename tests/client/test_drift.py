"""Drift of own rows against released totals: small for chance, large for a shift."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.drift import GROUPS, column_drift, drift, grouped
from shared.statistics.psi import PSI_SHIFTED, PSI_WATCH, psi

counts = st.integers(1, 40).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 50), min_size=size, max_size=size),
        st.lists(st.integers(0, 50), min_size=size, max_size=size),
    )
)


@given(counts)
def test_grouping_keeps_every_row_and_the_order_of_codes(pair: tuple[list[int], list[int]]) -> None:
    """At most ten groups, each a run of neighbouring codes, none lost on either side."""
    total, own = (np.array(part) for part in pair)
    both = grouped(total, own)
    assert [part.shape for part in both] == [(GROUPS,), (GROUPS,)]
    assert [int(part.sum()) for part in both] == [int(total.sum()), int(own.sum())]
    # The group of a code is the decile in which its rows begin: walked in plain Python.
    expected = np.zeros(GROUPS, dtype=np.int64)
    before = 0
    for here, mine in zip(total.tolist(), own.tolist(), strict=True):
        expected[min(before * GROUPS // max(1, int(total.sum())), GROUPS - 1)] += mine
        before += here
    assert both[1].tolist() == expected.tolist()


def test_even_codes_make_groups_of_equal_weight() -> None:
    """A hundred codes of ten rows each: ten groups of a hundred rows."""
    total, _ = grouped(np.full(100, 10), np.zeros(100, dtype=np.int64))
    assert total.tolist() == [100] * GROUPS


def sample(rows: int, shift: int = 0, seed: int = 0) -> np.ndarray:
    """Codes 0 … 255 of some rows around the middle, moved by `shift`."""
    centre = np.random.default_rng(seed).normal(128 + shift, 30, rows)
    return np.clip(centre, 0, 255).astype(np.uint8)


def column(codes: np.ndarray) -> np.ndarray:
    """Released counts by class of a column with 256 values and a code for missing."""
    bad = np.arange(len(codes)) % 5 == 0
    return np.stack([np.bincount(codes[bad == b], minlength=256) for b in (False, True)])


def test_a_small_book_from_the_same_population_does_not_look_shifted() -> None:
    """Sixty rows: stable when grouped; without grouping, the control, chance alone shifts them."""
    total = np.bincount(sample(20_000), minlength=256)
    values = [
        drift(total, np.bincount(sample(60, seed=seed), minlength=256)) for seed in range(1, 6)
    ]
    assert max(values) < PSI_SHIFTED
    own = np.bincount(sample(60, seed=1), minlength=256)
    assert psi(total, own).value > PSI_SHIFTED


def test_a_shifted_book_is_told_apart() -> None:
    """One standard deviation is a shift, none is stable, for scores and for columns."""
    everybody = sample(20_000)
    total = np.bincount(everybody, minlength=256)
    for shift, seen in ((0, False), (30, True)):
        own = sample(2000, shift, seed=9)
        by_score = drift(total, np.bincount(own, minlength=256))
        by_column = column_drift(column(everybody), own)
        assert (by_score > PSI_SHIFTED) is seen
        assert (by_column > PSI_SHIFTED) is seen
        assert (by_score < PSI_WATCH) is not seen


def test_missing_values_are_a_group_of_their_own() -> None:
    """A book whose cells went missing has drifted although its known values have not."""
    everybody = sample(20_000, shift=-20).clip(0, 254)
    everybody[::100] = 255
    total = column(everybody)
    same, gone = everybody[::7].copy(), everybody[::7].copy()
    gone[gone > np.quantile(gone, 0.85)] = 255  # the highest: their codes are next to "missing"
    assert column_drift(total, same) < 0.01
    assert column_drift(total, gone) > PSI_SHIFTED


def test_without_rows_there_is_no_drift() -> None:
    """Neither a number nor an error."""
    nothing, some = np.zeros(20, dtype=np.int64), np.full(20, 3)
    assert drift(some, nothing) is None
    assert drift(nothing, some) is None
    assert column_drift(np.full((2, 20), 3), np.zeros(0, dtype=np.uint8)) is None


@pytest.mark.parametrize("size", [2, 3, 256])
def test_the_same_rows_have_no_drift(size: int) -> None:
    """Own counts equal to the total give zero, whatever the number of codes."""
    codes = np.random.default_rng(1).integers(0, size, 500).astype(np.uint8)
    total = np.stack([np.bincount(codes, minlength=size), np.zeros(size, dtype=np.int64)])
    assert column_drift(total, codes) == pytest.approx(0.0)
    assert drift(total.sum(axis=0), total.sum(axis=0)) == pytest.approx(0.0)
