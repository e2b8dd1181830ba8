"""Counts without small cells: nothing of 1 … k-1 rows leaves, and what is read stays true."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.statistics.ranking import auc, ks
from shared.statistics.scores import logit_histogram
from shared.training.agreement import Agreement
from shared.training.census import CENSUS_LENGTH
from shared.training.run import Run
from shared.training.small_cells import (
    joined_small_cells,
    share_in_doubt,
    without_small_levels,
)
from tests.shared.training.synthetic_book import SCHEMA, Vector, answer, make_book, spread

TERMS = Agreement("cells", SCHEMA, rounds=2, seed=3)
BOOK = make_book(900)

histograms = st.lists(st.integers(0, 12), min_size=1, max_size=40).map(np.array)
minima = st.integers(1, 9)


def naive_joined(counts: Vector, minimum: int) -> Vector:
    """Row by row: groups of `minimum`, the last with the rest, each at its middle row's cell."""
    rows = [cell for cell, count in enumerate(counts) for _ in range(count)]
    joined = np.zeros_like(counts)
    groups = [rows[i : i + minimum] for i in range(0, len(rows), minimum)]
    if groups and len(groups[-1]) < minimum:
        rest = groups.pop()
        groups = [*groups[:-1], groups[-1] + rest] if groups else []
    for group in groups:
        joined[group[len(group) // 2]] += len(group)
    return joined


@given(histograms, minima)
def test_joined_cells_equal_a_row_by_row_twin(counts: Vector, minimum: int) -> None:
    """For one histogram, and for two stacked ones each on its own."""
    expected = naive_joined(counts, minimum)
    np.testing.assert_array_equal(joined_small_cells(counts, minimum), expected)
    both = joined_small_cells(np.stack([counts, counts[::-1]]), minimum)
    np.testing.assert_array_equal(both, [expected, naive_joined(counts[::-1], minimum)])


@given(histograms, minima)
def test_no_small_count_is_left_and_the_total_is_kept(counts: Vector, minimum: int) -> None:
    """Zero or at least the minimum; at any border fewer rows than that have changed sides."""
    for blurred in (joined_small_cells(counts, minimum), without_small_levels(counts, minimum)):
        assert ((blurred == 0) | (blurred >= minimum)).all()
    joined = joined_small_cells(counts, minimum)
    if counts.sum() >= minimum:
        assert joined.sum() == counts.sum()
        assert np.abs(np.cumsum(joined) - np.cumsum(counts)).max() < minimum
    else:
        assert not joined.any()
    kept = without_small_levels(counts, minimum)
    np.testing.assert_array_equal(kept[counts >= minimum], counts[counts >= minimum])


def test_without_a_minimum_every_count_leaves_as_it_is() -> None:
    """Also no rows and no cells at all."""
    for counts in (np.array([3, 0, 1]), np.zeros((2, 0), dtype=np.int64)):
        np.testing.assert_array_equal(joined_small_cells(counts, 1), counts)
        np.testing.assert_array_equal(without_small_levels(counts, 1), counts)
    assert share_in_doubt(np.array([[1, 0], [0, 1]]), 12, 1) == 0.0


def raw_auc(logit: np.ndarray, bad: np.ndarray) -> float:
    pairs = logit[bad == 1][:, None] - logit[bad == 0]
    return float(((pairs > 0) + (pairs == 0) / 2).mean())


def raw_ks(logit: np.ndarray, bad: np.ndarray) -> float:
    cuts = np.unique(logit)
    shares = [[(logit[bad == k] <= cut).mean() for cut in cuts] for k in (0, 1)]
    return float(np.abs(np.subtract(*shares)).max())


@given(st.integers(0, 10_000), st.integers(2, 7), st.integers(1, 6))
def test_auc_and_ks_of_raw_rows_lie_within_the_widened_error(
    seed: int, minimum: int, lenders: int
) -> None:
    """However few rows a lender has, also where it has too few of a class to send any."""
    rng = np.random.default_rng(seed)
    bad = (rng.random(60) < 0.3).astype(np.int8)
    logit, owner = rng.normal(bad, 1.0), rng.integers(0, lenders, 60)
    parts = [logit_histogram(logit[owner == i], bad[owner == i]) for i in range(lenders)]
    total = np.sum([joined_small_cells(part, minimum) for part in parts], axis=0)
    doubt = share_in_doubt(total, lenders, minimum)
    if not np.isfinite(doubt):
        assert not total.sum(axis=1).all()
        return
    measured, separation = auc(*total), ks(*total)
    assert abs(measured.value - raw_auc(logit, bad)) <= measured.half_width + doubt + 1e-12
    gap = raw_ks(logit, bad) - separation.value
    assert -doubt - 1e-12 <= gap <= separation.bound + doubt + 1e-12


def blurred_run(minimum: int) -> tuple[Run, list[tuple[str, list[Vector]]], list[Vector]]:
    """A run to its end, every lender's own answers by stage, and the raw test logits."""
    terms = replace(TERMS, minimum_cell=minimum)
    run, answers = Run(terms), []
    lenders = spread(BOOK, np.arange(BOOK.rows) % 4, 4, terms)
    while not run.finished:
        stage = run.question().stage
        answers.append((stage, [answer(run, rows) for rows in lenders]))
        run.absorb(np.sum(answers[-1][1], axis=0))
    tests = [(run.logit(rows), rows.bad, rows.roles.test) for rows in lenders]
    logit, bad = (np.concatenate([t[i][t[2]] for t in tests]) for i in (0, 1))
    return run, answers, [logit, bad]


@pytest.mark.parametrize("minimum", [1, 2, 5])
def test_no_lender_sends_a_small_cell_in_any_stage_of_counts(minimum: int) -> None:
    """Beside rows by role and size class; without a minimum, the control, they all do."""
    _, answers, _ = blurred_run(minimum)
    for stage, vectors in answers:
        if stage not in ("census", "refine", "bins", "evaluation"):
            continue
        for vector in vectors:
            cells = vector[CENSUS_LENGTH:] if stage == "census" else vector
            assert cells.sum() > 100
            small = (cells > 0) & (cells < max(2, minimum))
            assert small.any() == (minimum == 1)


def test_rows_by_role_and_size_stay_exact() -> None:
    """The census's head is the same with and without a minimum cell."""
    heads = [blurred_run(k)[1][0][1] for k in (1, 5)]
    for exact, blurred in zip(*heads, strict=True):
        np.testing.assert_array_equal(exact[:CENSUS_LENGTH], blurred[:CENSUS_LENGTH])


def test_what_is_read_from_joined_cells_is_not_bent() -> None:
    """The AUC from sums is near that of raw rows; leaving small cells out, the control, is not."""
    run, _, (logit, bad) = blurred_run(5)
    assert run.evaluation is not None
    truth = raw_auc(logit, bad)
    assert abs(auc(*run.evaluation.shared).value - truth) < 0.02
    left_out = sum(
        without_small_levels(logit_histogram(logit[i::4], bad[i::4]), 5) for i in range(4)
    )
    assert not abs(auc(*left_out).value - truth) < 0.1


def test_a_missing_value_is_not_joined_with_values() -> None:
    """A number's missing cells keep a count of their own in the bins, or none."""
    terms = replace(TERMS, minimum_cell=5)
    (rows,) = spread(BOOK, np.zeros(BOOK.rows, dtype=int), 1, terms)
    run = Run(terms)
    for _ in range(3):
        run.absorb(answer(run, rows))
    assert run.preparation.bins is not None
    training = rows.table.take(rows.roles.training)
    missing = np.isnan(training.values["income"])
    expected = [(missing & (training.bad == k)).sum() for k in (0, 1)]
    assert min(expected) >= 5
    assert run.preparation.bins.counts["income"][:, -1].tolist() == expected
