"""The model does not depend on how rows are spread over lenders: equal to the bit, not nearly.

Only the census's counts of lenders by size class follow the spread, and with them a run's digest.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from server.simulation.partition import partition
from shared.model.saved import digest_of
from shared.training.agreement import Agreement
from shared.training.census import CENSUS_LENGTH, SIZE_CLASSES
from shared.training.run import Run
from tests.shared.training.synthetic_book import (
    SCHEMA,
    Vector,
    conduct,
    lender,
    make_book,
    spread,
)

ROWS, ROUNDS, LENDERS = 400, 3, 5
BOOK = make_book(ROWS)
TERMS = Agreement("sums", SCHEMA, rounds=ROUNDS, seed=3)
POOLED = conduct(TERMS, [lender(BOOK, TERMS)])

owners_of_rows = st.lists(st.integers(0, LENDERS - 1), min_size=ROWS, max_size=ROWS).map(np.array)


def without_sizes(totals: list[Vector]) -> list[bytes]:
    """All totals but the lenders by size class."""
    sizes = slice(CENSUS_LENGTH - SIZE_CLASSES, CENSUS_LENGTH)
    return [np.delete(totals[0], sizes).tobytes(), *(total.tobytes() for total in totals[1:])]


def assert_same_as_pooled(owners: NDArray[np.int64], lenders: int) -> None:
    ours = conduct(TERMS, spread(BOOK, owners, lenders, TERMS))
    assert without_sizes(ours.totals) == without_sizes(POOLED.totals)
    assert ours.logits() == POOLED.logits()
    assert digest_of(ours.run.model()) == digest_of(POOLED.run.model())


@settings(max_examples=12)
@given(owners_of_rows)
def test_any_split_of_rows_gives_the_pooled_totals_and_model(owners: NDArray[np.int64]) -> None:
    """Every total, every logit and the model's digest equal those of one lender with all rows."""
    assert_same_as_pooled(owners, LENDERS)


def by_column() -> NDArray[np.int64]:
    income = BOOK.values["income"]
    return partition("quantile", ROWS, LENDERS, seed=1, column_values=income)


@pytest.mark.parametrize(
    "owners",
    [
        partition("iid", ROWS, LENDERS, seed=1),
        partition("dirichlet", ROWS, LENDERS, seed=1, label=BOOK.bad, alpha=0.3),
        by_column(),
        np.minimum(np.arange(ROWS), LENDERS - 1),  # four lenders of a single row
        np.where(np.arange(ROWS) % 2 == 0, 0, 3),  # three lenders without any row
    ],
    ids=["iid", "dirichlet", "by column", "one-row lenders", "empty lenders"],
)
def test_skewed_tiny_and_empty_lenders_change_nothing(owners: NDArray[np.int64]) -> None:
    """Label skew, feature skew, one-row and empty lenders: the pooled model to the bit."""
    assert_same_as_pooled(owners, LENDERS)


@settings(max_examples=10)
@given(st.permutations(range(ROWS)))
def test_the_order_of_a_lenders_rows_is_irrelevant(order: list[int]) -> None:
    """A shuffled table gives the same totals."""
    shuffled = conduct(TERMS, [lender(BOOK.take(np.array(order)), TERMS)])
    assert shuffled.run.digest == POOLED.run.digest  # one lender: also the sizes are the same
    assert shuffled.logits() == POOLED.logits()


def test_the_spread_matters_where_sums_are_not_exact() -> None:
    """Positive control: plain float sums of the same gradients differ between spreads."""
    rng = np.random.default_rng(5)
    gradient = 1 / (1 + np.exp(-rng.normal(size=ROWS))) - rng.integers(0, 2, ROWS)
    sums = set()
    for seed in range(20):
        owners = partition("iid", ROWS, LENDERS, seed=seed)
        sums.add(float(sum(gradient[owners == i].sum() for i in range(LENDERS))))
    assert len(sums) > 1
    whole = {int(np.rint(gradient * 2**16)[rng.permutation(ROWS)].sum()) for _ in range(20)}
    assert len(whole) == 1


def test_the_spread_matters_to_local_training() -> None:
    """Positive control: the network trains at lenders, and its model does follow the spread."""
    terms = Agreement("control", SCHEMA, family="network", rounds=1, seed=3)
    together = conduct(terms, [lender(BOOK, terms)])
    skewed = conduct(terms, spread(BOOK, by_column(), LENDERS, terms))
    assert together.run.digest != skewed.run.digest
    gaps = np.array([together.logits()[k] - v for k, v in skewed.logits().items()])
    assert np.abs(gaps).max() > 1e-3


def test_a_lender_that_was_away_catches_up_from_totals_alone() -> None:
    """A fresh copy fed the released totals has the digest, next answers and logits of the rest."""
    steady, late = Run(TERMS), Run(TERMS)
    rows = lender(BOOK, TERMS)
    for position, total in enumerate(POOLED.totals):
        steady.absorb(total)
        if 3 <= position < 3 + ROUNDS - 1:  # it answers every round of trees
            steady.answer(rows)
    for total in POOLED.totals[:5]:
        late.absorb(total)
    fresh = lender(BOOK, TERMS)
    assert late.answer(fresh).tobytes() == POOLED.totals[5].tobytes()
    for total in POOLED.totals[5:]:
        late.absorb(total)
    assert late.digest == steady.digest
    assert late.logit(fresh).tobytes() == steady.logit(rows).tobytes()


def test_whoever_is_missing_leaves_a_trace() -> None:
    """Positive control: leaving one lender out of the sums does change the model."""
    owners = partition("iid", ROWS, LENDERS, seed=1)
    most = conduct(TERMS, spread(BOOK, owners, LENDERS, TERMS)[1:])
    assert digest_of(most.run.model()) != digest_of(POOLED.run.model())


def test_scores_of_the_finished_model_are_those_of_the_run() -> None:
    """The trees in the shared model are the trees that trained, scored from codes."""
    codes = POOLED.run.model().transform.codes(BOOK)
    (part,) = POOLED.run.model().parts
    logit = part.module(torch.from_numpy(codes)).numpy()
    assert logit.tobytes() == POOLED.run.logit(POOLED.lenders[0]).tobytes()
