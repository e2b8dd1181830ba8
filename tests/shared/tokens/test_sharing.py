"""Shares add up to the secret, and public shares follow from commitments alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threshold import GROUP

from shared.errors import InternalError
from shared.tokens.group import ORDER, InvalidPointError, points_of, scalars_of
from shared.tokens.sharing import commitments, lagrange, public_share, share
from tests.dealt_keys import combine

NUMBERS = st.integers(1, ORDER - 1)
POLYNOMIALS = st.lists(NUMBERS, min_size=1, max_size=5)


@given(POLYNOMIALS, st.data())
def test_any_quorum_has_the_secret(coefficients: list[int], data: st.DataObject) -> None:
    """Any t shares of different holders give the polynomial's value at zero, and elsewhere."""
    indices = st.integers(1, 99)
    size = len(coefficients)
    quorum = data.draw(st.lists(indices, min_size=size, max_size=size, unique=True))
    shares = {index: share(coefficients, index) for index in quorum}
    assert combine(shares) == coefficients[0]
    terms = (lagrange(index, quorum, at=100) * value for index, value in shares.items())
    assert sum(terms) % ORDER == share(coefficients, 100)


@given(POLYNOMIALS.filter(lambda drawn: len(drawn) > 1))
def test_one_share_short_gives_another_number(coefficients: list[int]) -> None:
    """One share fewer than the threshold does not give the secret."""
    shares = {index: share(coefficients, index) for index in range(1, len(coefficients))}
    assert combine(shares) != coefficients[0]


@settings(max_examples=15)
@given(POLYNOMIALS, st.integers(1, 99))
def test_public_share(coefficients: list[int], index: int) -> None:
    """The public share from the commitments is the generator times the share."""
    committed = commitments(GROUP, coefficients)
    expected = GROUP.multiply_base(scalars_of([share(coefficients, index)]))
    assert public_share(GROUP, committed, index).tobytes() == expected.tobytes()


def test_public_share_refuses_what_is_no_commitment() -> None:
    """Commitments that are no elements, and a public share that is the identity, are refused."""
    base = commitments(GROUP, [1])
    for bad in (points_of([bytes(32)]), points_of([base.tobytes(), b"\xff" * 32])):
        with pytest.raises(InvalidPointError):
            public_share(GROUP, bad, 1)
    with pytest.raises(InvalidPointError):
        public_share(GROUP, commitments(GROUP, [5, ORDER - 5]), 1)


@pytest.mark.parametrize(
    ("index", "quorum", "at"),
    [(1, (1, 1), 0), (3, (1, 2), 0), (0, (0, 1), 5), (1, (1, ORDER), 0), (1, (1, 2), 2)],
)
def test_no_quorum(index: int, quorum: tuple[int, ...], at: int) -> None:
    """Doubles, strangers, zero, numbers too large and a point already held give no coefficient."""
    with pytest.raises(InternalError, match="quorum"):
        lagrange(index, quorum, at)
