"""Three sums become the frozen transform: against the pooled table, and with odd columns."""

from dataclasses import replace
from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError
from shared.model.transform import CategoryBins, NumberBins
from shared.schema import Table
from shared.statistics.grid import MINIMUM_CELL
from shared.training.agreement import Agreement
from shared.training.census import CENSUS_LENGTH
from shared.training.preparation import BINS, Preparation
from shared.training.rows import LenderRows
from tests.shared.training.synthetic_book import (
    RARE_PURPOSE,
    SCHEMA,
    UNSEEN_REGION,
    lender,
    make_book,
    spread,
)

TERMS = Agreement("preparation", SCHEMA, test_share=0.2, validation_share=0.1)
BOOK = make_book(600)


def prepared(lenders: list[LenderRows]) -> Preparation:
    preparation = Preparation(SCHEMA)
    while not preparation.finished:
        answers = [preparation.answer(rows.table, rows.roles) for rows in lenders]
        preparation.absorb(np.sum(answers, axis=0))
    return preparation


def pooled(book: Table) -> tuple[Preparation, Table]:
    """The preparation of one lender with all rows, and its training rows."""
    rows = lender(book, TERMS)
    return prepared([rows]), book.take(rows.roles.training)


def bins_of(preparation: Preparation, name: str) -> NumberBins | CategoryBins:
    assert preparation.transform is not None
    (found,) = (bins for bins in preparation.transform.columns if bins.name == name)
    return found


def with_column(book: Table, name: str, values: NDArray) -> Table:
    return replace(book, values=book.values | {name: values})


@settings(max_examples=10)
@given(st.lists(st.integers(0, 3), min_size=600, max_size=600).map(np.array))
def test_the_transform_from_sums_is_the_pooled_tables(owners: NDArray[np.int64]) -> None:
    """Edges, level orders and bin counts are the same however rows are spread over four lenders."""
    federated, (alone, _) = prepared(spread(BOOK, owners, 4, TERMS)), pooled(BOOK)
    assert federated.transform == alone.transform
    assert federated.census is not None
    assert alone.census is not None
    for count in ("rows", "bad", "validation", "test", "test_bad"):
        assert getattr(federated.census, count) == getattr(alone.census, count)
    assert federated.bins is not None
    assert alone.bins is not None
    for name, counts in alone.bins.counts.items():
        np.testing.assert_array_equal(federated.bins.counts[name], counts)


def test_the_census_counts_each_role() -> None:
    """Rows and bad rows by role, as counted on the pooled table; the base is their log odds."""
    preparation, training = pooled(BOOK)
    rows = lender(BOOK, TERMS)
    census = preparation.census
    assert census is not None
    assert (census.rows, census.bad) == (training.rows, int(training.bad.sum()))
    assert (census.validation, census.test) == (len(rows.roles.validation), len(rows.roles.test))
    assert census.test_bad == int(BOOK.bad[rows.roles.test].sum())
    assert census.rows + census.validation + census.test == BOOK.rows
    assert census.base == pytest.approx(np.log(census.bad / (census.rows - census.bad)))


def test_bin_counts_equal_a_row_by_row_twin() -> None:
    """Good and bad rows per code, walked in plain Python from raw values."""
    preparation, training = pooled(BOOK)
    income = bins_of(preparation, "income")
    expected = np.zeros((2, income.size), dtype=np.int64)
    for value, bad in zip(training.values["income"].tolist(), training.bad.tolist(), strict=True):
        walls = [-inf, *income.edges, inf]
        code = income.size - 1
        if value == value:
            code = next(i for i in range(len(walls) - 1) if walls[i] < value <= walls[i + 1])
        expected[bad, code] += 1
    assert preparation.bins is not None
    np.testing.assert_array_equal(preparation.bins.counts["income"], expected)


def test_a_number_column_is_cut_at_its_quantiles() -> None:
    """Hundreds of distinct values: about BINS bins of MINIMUM_CELL rows, none above a few times."""
    preparation, training = pooled(make_book(8000, seed=4))
    income = bins_of(preparation, "income")
    assert preparation.bins is not None
    held = preparation.bins.counts["income"].sum(axis=0)[:-1]
    assert BINS - 10 <= len(held) <= BINS
    assert held.min() >= MINIMUM_CELL
    assert held.max() < 3 * training.rows / BINS
    assert len(income.edges) == len(held) - 1


def test_levels_are_ordered_by_summed_smoothed_bad_rate() -> None:
    """The order of codes is that of (bad + 10 · prior) / (rows + 10), in exact arithmetic."""
    preparation, training = pooled(BOOK)
    region, census = bins_of(preparation, "region"), preparation.census
    assert census is not None
    rates = {}
    for level in range(4):
        held = training.bad[training.values["region"] == level]
        rates[level] = (int(held.sum()) + 10 * Fraction(census.bad, census.rows)) / (len(held) + 10)
    assert list(region.order) == sorted(rates, key=rates.__getitem__)
    assert region.order[0] == 2  # the level the book makes safer


@pytest.mark.parametrize(("rows", "kept"), [(MINIMUM_CELL - 1, False), (MINIMUM_CELL, True)])
def test_a_level_under_the_minimum_cell_is_rare(rows: int, kept: bool) -> None:
    """One row short of the minimum a level shares the code of levels nobody has seen."""
    roles = lender(BOOK, TERMS).roles
    purpose = np.where(BOOK.values["purpose"] == RARE_PURPOSE, 0, BOOK.values["purpose"])
    purpose[roles.training[:rows]] = RARE_PURPOSE
    purpose[roles.test[:50]] = RARE_PURPOSE  # rows that do not train do not count
    preparation, _ = pooled(with_column(BOOK, "purpose", purpose.astype(np.int16)))
    bins = bins_of(preparation, "purpose")
    assert isinstance(bins, CategoryBins)
    assert (RARE_PURPOSE in bins.order) is kept
    code = int(bins.codes(np.array([RARE_PURPOSE], dtype=np.int16))[0])
    assert (code == len(bins.order)) is not kept


def test_an_unseen_level_and_a_missing_one_have_codes_of_their_own() -> None:
    """At scoring time an undeclared level is "rare or unseen", an empty cell is "missing"."""
    region = bins_of(pooled(BOOK)[0], "region")
    codes = region.codes(np.array([UNSEEN_REGION, -1, 2], dtype=np.int16))
    assert codes.tolist() == [region.size - 2, region.size - 1, 0]


@pytest.mark.parametrize("value", [np.nan, 7.0], ids=["all missing", "constant"])
def test_a_column_without_information_has_no_edges(value: float) -> None:
    """All missing or constant: one code for values, one for missing, and the run goes on."""
    preparation, _ = pooled(with_column(BOOK, "age", np.full(BOOK.rows, value)))
    age = bins_of(preparation, "age")
    assert isinstance(age, NumberBins)
    assert (age.edges, age.size) == ((), 2)
    assert age.codes(np.array([7.0, -1e9, np.nan])).tolist() == [0, 0, 1]


def test_a_category_column_of_missing_cells_alone_is_fine() -> None:
    """No level is kept; every declared level is rare."""
    preparation, _ = pooled(with_column(BOOK, "region", np.full(BOOK.rows, -1, dtype=np.int16)))
    region = bins_of(preparation, "region")
    assert isinstance(region, CategoryBins)
    assert (region.order, region.size) == ((), 2)


def test_a_lender_of_one_class_takes_part() -> None:
    """All good at one lender, the rest elsewhere: the pooled transform."""
    owners = np.where(BOOK.bad == 1, 0, np.arange(BOOK.rows) % 2)
    books = spread(BOOK, owners, 2, TERMS)
    assert books[1].bad.max() == 0
    assert prepared(books).transform == pooled(BOOK)[0].transform


def test_a_lender_without_training_rows_answers_zeros_for_them() -> None:
    """Its test rows are counted, nothing else."""
    test_only = BOOK.take(lender(BOOK, TERMS).roles.test)
    rows = lender(test_only, TERMS)
    assert len(rows.roles.training) == 0
    census = Preparation(SCHEMA).answer(rows.table, rows.roles)
    counted = [0, 0, 0, test_only.rows, int(test_only.bad.sum())]
    assert census[:5].tolist() == counted
    assert census[5:CENSUS_LENGTH].nonzero()[0].tolist() == [test_only.rows.bit_length()]
    assert not census[CENSUS_LENGTH:].any()


@pytest.mark.parametrize("label", [0, 1])
def test_a_consortium_of_one_class_is_refused(label: int) -> None:
    """Nothing can be learned: a PeerError, and the census stays due."""
    rows = lender(replace(BOOK, bad=np.full(BOOK.rows, label, dtype=np.int8)), TERMS)
    preparation = Preparation(SCHEMA)
    with pytest.raises(PeerError, match="both classes"):
        preparation.absorb(preparation.answer(rows.table, rows.roles))
    assert preparation.question().stage == "census"
    assert preparation.census is None


@pytest.mark.parametrize("stage", range(3))
def test_a_negative_count_is_refused_and_changes_nothing(stage: int) -> None:
    """In any stage and at any place, also where a grid or an order would be made of it."""
    rows = lender(BOOK, TERMS)
    preparation = Preparation(SCHEMA)
    for _ in range(stage):
        preparation.absorb(preparation.answer(rows.table, rows.roles))
    total = preparation.answer(rows.table, rows.roles)
    before = preparation.question(), preparation.census, preparation.transform
    for place in (2, len(total) // 2, len(total) - 1):
        wrong = total.copy()
        wrong[place] = -10
        with pytest.raises(PeerError):
            preparation.absorb(wrong)
        assert (preparation.question(), preparation.census, preparation.transform) == before
    preparation.absorb(total)
    assert preparation.finished == (stage == 2)


def test_a_table_without_labels_cannot_train() -> None:
    """Our own fault, named as such."""
    rows = lender(BOOK, TERMS)
    with pytest.raises(InternalError, match="labels"):
        Preparation(SCHEMA).answer(replace(BOOK, bad=None), rows.roles)
