"""The head of the census: rows by role, lenders by size, and totals that cannot be a census."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import OperatorError, PeerError
from shared.training.agreement import Agreement
from shared.training.census import CENSUS_LENGTH, SIZE_CLASSES, census_counts, census_from
from shared.training.roles import Roles, roles_of
from tests.shared.training.synthetic_book import SCHEMA, make_book

TERMS = Agreement("census", SCHEMA)
BOOK = make_book(300)


def counted(rows: int) -> np.ndarray:
    table = BOOK.take(np.arange(rows))
    return census_counts(table.bad, roles_of(table, TERMS))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_the_largest_lender_is_known_to_a_factor_of_two(sizes: list[int]) -> None:
    """Never smaller than the largest table, never twice it; every lender is counted."""
    census = census_from(np.sum([counted(rows) for rows in sizes], axis=0))
    assert census.lenders == len(sizes)
    assert max(sizes) <= census.largest <= max(0, 2 * max(sizes) - 1)
    assert census.rows + census.validation + census.test == sum(sizes)


def test_a_lender_is_in_one_class_that_says_no_more_than_its_power_of_two() -> None:
    """Also one without rows; sizes of one class cannot be told apart."""
    for rows in (0, 1, 2, 3, 128, 255, 256):
        classes = counted(rows)[-SIZE_CLASSES:]
        assert classes.sum() == 1
        assert classes.argmax() == rows.bit_length()
    np.testing.assert_array_equal(counted(128)[-SIZE_CLASSES:], counted(255)[-SIZE_CLASSES:])


def total(classes: dict[int, int], rows: int) -> np.ndarray:
    out = np.zeros(CENSUS_LENGTH, dtype=np.int64)
    out[0], out[1] = rows, rows // 2
    for number, lenders in classes.items():
        out[5 + number] = lenders
    return out


@pytest.mark.parametrize(
    ("classes", "rows", "said"),
    [
        ({}, 10, "0 lenders"),
        ({3: -1}, 10, "-1 lenders"),
        ({3: 2**20 + 1}, 10, "lenders"),
        ({31: 2**40}, 10, "lenders"),
        ({3: 2}, 7, "size classes"),
        ({3: 2}, 15, "size classes"),
        ({3: 2, 0: 9}, 15, "size classes"),
        ({0: 3}, 1, "size classes"),
    ],
)
def test_so_many_lenders_of_such_sizes_with_so_many_rows_must_be_possible(
    classes: dict[int, int], rows: int, said: str
) -> None:
    """Otherwise it is no census: no bits behind the point are derived from it."""
    with pytest.raises(PeerError, match=said):
        census_from(total(classes, rows))


@pytest.mark.parametrize("rows", [8, 14])
def test_the_fewest_and_the_most_rows_of_two_lenders_are_taken(rows: int) -> None:
    """Two lenders of 4 … 7 rows: the control of the refusals."""
    census = census_from(total({3: 2, 0: 9}, rows))
    assert (census.lenders, census.largest) == (11, 7)


def test_a_table_that_no_class_holds_is_the_operators_to_mend() -> None:
    """2**31 rows; a view of one label stands for them."""
    many = np.broadcast_to(np.int8(0), 2**31)
    none = np.empty(0, dtype=np.intp)
    with pytest.raises(OperatorError, match="more rows"):
        census_counts(many, Roles(none, none, none))
