"""Partitions are exact, deterministic, and as skewed as asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.simulation.partition import MIN_ROWS, partition
from shared.errors import OperatorError

KINDS = ("iid", "dirichlet", "quantile", "sizes")


def spread(kind: str, rows: int, lenders: int, seed: int, alpha: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(9)
    return partition(
        kind,
        rows,
        lenders,
        seed=seed,
        label=rng.random(rows) < 0.3,
        column_values=rng.normal(size=rows).round(1),
        sizes=[1 / lenders] * lenders if kind == "sizes" else None,
        alpha=alpha,
    )


@given(
    kind=st.sampled_from(KINDS),
    lenders=st.integers(1, 12),
    extra=st.integers(0, 300),
    seed=st.integers(0, 2**32),
    alpha=st.floats(0.01, 100),
)
def test_every_row_has_one_lender_and_every_lender_has_rows(kind, lenders, extra, seed, alpha):
    rows = MIN_ROWS * lenders + extra
    owners = spread(kind, rows, lenders, seed, alpha)
    assert owners.shape == (rows,)
    counts = np.bincount(owners, minlength=lenders)
    assert len(counts) == lenders
    assert counts.min() >= (MIN_ROWS if kind == "dirichlet" else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides(kind):
    first = spread(kind, 500, 5, seed=1)
    assert (first == spread(kind, 500, 5, seed=1)).all()
    assert (first != spread(kind, 500, 5, seed=2)).any()


def bad_rates(owners: np.ndarray, label: np.ndarray) -> np.ndarray:
    return np.array([label[owners == lender].mean() for lender in np.unique(owners)])


def test_dirichlet_skews_bad_rates_and_more_so_with_small_alpha():
    label = np.random.default_rng(0).random(4000) < 0.3
    spreads = {
        alpha: np.mean(
            [
                bad_rates(
                    partition("dirichlet", 4000, 8, seed=s, label=label, alpha=alpha), label
                ).std()
                for s in range(10)
            ]
        )
        for alpha in (0.3, 3.0, 300.0)
    }
    iid = bad_rates(partition("iid", 4000, 8, seed=0), label).std()
    assert spreads[0.3] > 0.2 > spreads[3.0] > 2 * spreads[300.0]
    assert iid < 0.05


def test_dirichlet_is_repaired_where_redrawing_cannot_help():
    """12 lenders of exactly the minimum: no draw ever fits, the repair must."""
    label = np.arange(MIN_ROWS * 12) % 3 == 0
    owners = partition("dirichlet", len(label), 12, seed=4, label=label, alpha=0.05)
    assert (np.bincount(owners) == MIN_ROWS).all()


def test_quantile_lenders_hold_neighbouring_ranges_and_grow():
    values = np.random.default_rng(1).lognormal(size=8000)
    owners = partition("quantile", 8000, 8, seed=0, column_values=values)
    medians = [np.median(values[owners == lender]) for lender in range(8)]
    assert (np.diff(medians) > 0).all()
    assert (np.diff(np.bincount(owners)) > 0).all()
    overlap = values[owners == 0].max() > values[owners == 1].min()
    assert overlap


def test_quantile_puts_missing_values_in_the_middle():
    values = np.arange(3000.0)
    values[:1000] = np.nan
    owners = partition("quantile", 3000, 3, seed=0, column_values=values, sizes=[0.2, 0.6, 0.2])
    assert np.bincount(owners[:1000], minlength=3).argmax() == 1


def test_sizes_may_be_counts_or_shares():
    counts = np.bincount(partition("sizes", 100, 3, seed=0, sizes=[70, 20, 10]))
    assert counts.tolist() == [70, 20, 10]
    shares = np.bincount(partition("sizes", 1000, 3, seed=0, sizes=[0.7, 0.2, 0.1]))
    assert np.abs(shares - [700, 200, 100]).max() <= 1


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("random", {}, "unknown"),
        ("iid", {"lenders": 101}, "every lender needs a row"),
        ("iid", {"lenders": 0}, "every lender needs a row"),
        ("dirichlet", {}, "without label"),
        ("dirichlet", {"label": np.zeros(99)}, "shape"),
        ("dirichlet", {"label": np.full(100, 2)}, "other than 0 and 1"),
        ("dirichlet", {"label": np.zeros(100), "alpha": 0.0}, "alpha"),
        ("dirichlet", {"label": np.zeros(100), "lenders": 6}, "at least 20 rows"),
        ("quantile", {}, "without column_values"),
        ("quantile", {"column_values": np.full(100, np.nan)}, "no values"),
        ("sizes", {}, "without sizes"),
        ("sizes", {"sizes": [0.5, 0.5, 0.5, 0.5]}, "sum to 2"),
        ("sizes", {"sizes": [0.5, 0.5]}, "one size above 0 per lender"),
        ("sizes", {"sizes": [1.2, -0.1, -0.05, -0.05]}, "one size above 0 per lender"),
    ],
)
def test_an_impossible_request_is_refused_with_a_remedy(kind, options, says):
    arguments = {"lenders": 4, **options}
    with pytest.raises(OperatorError, match=says) as caught:
        partition(kind, 100, arguments.pop("lenders"), seed=0, **arguments)
    assert caught.value.remedy
