"""Which rows train, validate and test: by key and seed alone, in the agreed shares."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InternalError
from shared.schema import Table
from shared.training.agreement import Agreement
from shared.training.roles import Roles, roles_of
from tests.shared.training.synthetic_book import SCHEMA, make_book

TERMS = Agreement("roles", SCHEMA, seed=4, test_share=0.25, validation_share=0.2)
ROWS = 12_000
BOOK = make_book(ROWS)


def by_key(table: Table, roles: Roles) -> dict[str, str]:
    parts = {"training": roles.training, "validation": roles.validation, "test": roles.test}
    return {str(key): role for role, rows in parts.items() for key in table.row_key[rows]}


def test_every_row_has_exactly_one_role() -> None:
    """The three lists are disjoint, cover the table and ascend."""
    roles = roles_of(BOOK, TERMS)
    parts = (roles.training, roles.validation, roles.test)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(ROWS))
    assert all((np.diff(part) > 0).all() for part in parts)


@settings(max_examples=25)
@given(st.lists(st.integers(0, ROWS - 1), unique=True, max_size=40), st.integers(0, 99))
def test_a_role_depends_on_key_and_seed_alone(chosen: list[int], noise: int) -> None:
    """Any few rows, in any order, with other values, labels and neighbours, keep their roles."""
    everybody = by_key(BOOK, roles_of(BOOK, TERMS))
    part = BOOK.take(np.array(chosen, dtype=int))
    shuffled = {name: np.roll(values, noise) for name, values in part.values.items()}
    other = replace(part, values=shuffled, bad=1 - part.bad, time=None)
    assert by_key(other, roles_of(other, TERMS)) == {
        str(key): everybody[str(key)] for key in part.row_key
    }


def test_keys_of_another_type_with_the_same_text_have_the_same_roles() -> None:
    """A loan numbered 7 is the same loan whether the file held a number or a text."""
    numbers = replace(BOOK.take(np.arange(300)), row_key=np.arange(300))
    texts = replace(numbers, row_key=np.arange(300).astype(str).astype(object))
    assert by_key(numbers, roles_of(numbers, TERMS)) == by_key(texts, roles_of(texts, TERMS))


def test_shares_are_right_within_four_standard_errors() -> None:
    """Test share of all rows; validation share of the rest; test and validation independent."""
    roles = roles_of(BOOK, TERMS)
    test, rest = len(roles.test) / ROWS, ROWS - len(roles.test)
    assert abs(test - 0.25) < 4 * np.sqrt(0.25 * 0.75 / ROWS)
    assert abs(len(roles.validation) / rest - 0.2) < 4 * np.sqrt(0.2 * 0.8 / rest)


def test_another_seed_draws_other_rows() -> None:
    """Two seeds agree on about the share of test rows that chance gives."""
    ours = set(roles_of(BOOK, TERMS).test.tolist())
    theirs = set(roles_of(BOOK, replace(TERMS, seed=5)).test.tolist())
    assert abs(len(ours & theirs) / len(ours) - 0.25) < 0.05


def test_a_larger_share_only_adds_rows() -> None:
    """The rows under test at 10 % are among those at 25 %."""
    few = set(roles_of(BOOK, replace(TERMS, test_share=0.1)).test.tolist())
    assert few < set(roles_of(BOOK, TERMS).test.tolist())


def test_no_validation_rows_when_none_are_agreed() -> None:
    """A share of 0 is none at all."""
    roles = roles_of(BOOK, replace(TERMS, validation_share=0.0))
    assert len(roles.validation) == 0
    assert len(roles.training) + len(roles.test) == ROWS


def test_a_cutoff_makes_exactly_the_later_rows_the_test_rows() -> None:
    """Later than the cutoff, not at it; rows of unknown time train or validate."""
    table = replace(BOOK, time=np.where(np.arange(ROWS) % 50 == 0, np.nan, BOOK.time))
    roles = roles_of(table, TERMS.out_of_time(2006.0))
    assert np.array_equal(roles.test, np.flatnonzero(table.time > 2006.0))
    assert set(table.time[roles.test]) == {2007.0, 2008.0, 2009.0}
    earlier = len(roles.validation) / (ROWS - len(roles.test))
    assert abs(earlier - 0.2) < 0.02


def test_a_cutoff_on_a_table_without_time_is_our_own_fault() -> None:
    """The schema check would have refused such a table."""
    with pytest.raises(InternalError, match="without time"):
        roles_of(replace(BOOK, time=None), TERMS.out_of_time(2006.0))


def test_a_table_without_rows_has_no_roles() -> None:
    """An empty lender is split into three empty lists."""
    roles = roles_of(BOOK.take(np.arange(0)), TERMS)
    assert [len(part) for part in (roles.training, roles.validation, roles.test)] == [0, 0, 0]


def test_the_split_is_the_one_of_earlier_versions() -> None:
    """Golden digest: a changed hash would move test rows into training behind a lender's back."""
    keys = np.array([f"loan-{i}" for i in range(200)])
    table = replace(BOOK.take(np.arange(200)), row_key=keys)
    test = roles_of(table, TERMS).test.astype("<i8").tobytes()
    assert hashlib.sha256(test).hexdigest()[:16] == "5451aa27365d0daa"
