"""The common mixture of shared, residual and local model: the least summed validation loss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.secure_sum.fixed_point import lender_bits
from shared.training.census import Census
from shared.training.mixture import (
    MOST_LOSS,
    RESIDUALS,
    UNTOLD,
    WEIGHTS,
    Mixture,
    mixture_answer,
    mixture_from,
    mixture_question,
)

SHAPE = (len(RESIDUALS), len(WEIGHTS))


def census(validation: int, lenders: int = 5) -> Census:
    """Of lenders that may each hold all of the validation rows."""
    largest = 2 ** (validation + 1050).bit_length() - 1
    return Census(1000, 100, validation, 50, 5, lenders, largest)


def losses(seed: int, rows: int) -> np.ndarray:
    """Some lender's summed losses."""
    return np.random.default_rng(seed).uniform(0.1, 0.9, SHAPE) * rows


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 60)), min_size=1, max_size=5))
def test_the_sum_chooses_the_mixture_of_least_pooled_loss(lenders: list[tuple[int, int]]) -> None:
    """As adding the losses up in one place would, within the rounding of a sum."""
    books = [losses(seed, rows) for seed, rows in lenders]
    everybody = census(sum(rows for _, rows in lenders))
    pooled = np.sum(books, axis=0)
    total = np.sum([mixture_answer(book, everybody) for book in books], axis=0)
    assert len(total) == mixture_question(everybody).length
    chosen = mixture_from(total)
    if not pooled.any():
        assert chosen == UNTOLD
        return
    place = RESIDUALS.tolist().index(chosen.residual), WEIGHTS.tolist().index(chosen.weight)
    assert pooled[place] <= pooled.min() + len(books) * 2.0**-8


@pytest.mark.parametrize(("residual", "weight"), [(0, 0), (0, 20), (1, 7), (2, 0), (2, 20)])
def test_each_place_of_the_table_is_the_mixture_it_stands_for(residual: int, weight: int) -> None:
    """Rows are residual scales, columns are weights."""
    table = np.full(SHAPE, 9.0)
    table[residual, weight] = 4.0
    expected = Mixture(float(WEIGHTS[weight]), float(RESIDUALS[residual]))
    assert mixture_from(mixture_answer(table, census(20))) == expected


def test_of_equal_mixtures_the_one_that_leans_least_on_own_trees_is_taken() -> None:
    """No difference in loss: the shared model as it is."""
    assert mixture_from(mixture_answer(np.full(SHAPE, 5.0), census(20))) == Mixture(0.0, 0.0)


def test_without_any_validation_row_the_measured_mixture_is_taken() -> None:
    """Zeros from everybody tell nothing."""
    assert mixture_from(np.zeros(SHAPE[0] * SHAPE[1], dtype=np.int64)) == UNTOLD
    assert UNTOLD.weight in WEIGHTS
    assert UNTOLD.residual in RESIDUALS


@given(st.integers(0, 2**22), st.integers(1, 12))
def test_the_worst_losses_of_a_lenders_rows_fit_its_share_of_the_ring(
    validation: int, lenders: int
) -> None:
    """Every row at one lender, and cut off at the most a row may lose."""
    told = census(validation, lenders)
    worst = mixture_answer(np.full(SHAPE, validation * MOST_LOSS), told)
    question = mixture_question(told)
    assert (question.kind, question.clip) == ("losses", MOST_LOSS)
    assert int(question.check(worst).max()) < 2 ** (lender_bits(lenders) - 1)
