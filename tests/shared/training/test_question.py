"""What may be absorbed at all: length, type and ring of a vector, and the bits behind the point."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PeerError
from shared.secure_sum.fixed_point import lender_bits
from shared.secure_sum.statements import Kind
from shared.training.question import (
    LEAST_BITS,
    MOST_BITS,
    TOTAL_BITS,
    Question,
    fraction_bits,
)

QUESTION = Question("census", "gradients", 3, 0, 1.0, "sums")


def test_a_fitting_vector_passes_unchanged() -> None:
    """Up to one under the ring's end, on both sides, in any signed width."""
    for dtype in (np.int32, np.int64):
        vector = np.array([2**TOTAL_BITS - 1, -(2**TOTAL_BITS - 1), 0]).astype(dtype)
        checked = QUESTION.check(vector)
        assert checked.dtype == np.int64
        assert checked.tolist() == vector.tolist()


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(2, dtype=np.int64),
        np.zeros(4, dtype=np.int64),
        np.zeros((3, 1), dtype=np.int64),
        np.zeros(3),
        np.zeros(3, dtype=bool),
        np.zeros(3, dtype=np.uint64),
        np.zeros(3, dtype=object),
        np.array([2**TOTAL_BITS, 0, 0]),
        np.array([0, 0, -(2**TOTAL_BITS)]),
        np.array([0, -(2**63), 0]),
    ],
    ids=["short", "long", "matrix", "float", "bool", "uint", "object", "over", "under", "smallest"],
)
def test_anything_else_is_the_peers_fault(vector: np.ndarray) -> None:
    """Length, shape, type and ring each have a check."""
    with pytest.raises(PeerError, match="stage census"):
        QUESTION.check(vector)


def test_an_empty_answer_fits_an_empty_question() -> None:
    """The closing question asks for nothing."""
    nothing = Question("close", "counts", 0, 0, 1.0, "nothing")
    assert len(nothing.check(np.empty(0, dtype=np.int64))) == 0


@given(st.integers(0, 2**27), st.integers(1, 600), st.sampled_from([1, 2, 16]))
def test_no_lender_overflows_its_share_of_the_ring(largest: int, lenders: int, clip: int) -> None:
    """The worst sum of one lender fits; one bit more would not, unless twelve are enough anyway."""
    room = 2 ** (lender_bits(lenders) - 1)
    try:
        bits = fraction_bits(largest, lenders, clip)
    except PeerError:
        assert 2 * (largest + 1) * 2**LEAST_BITS > room
        return
    assert largest * clip * 2**bits < room
    assert clip * 2**bits == 2**MOST_BITS or 2 * (largest + 1) * clip * 2 ** (bits + 1) > room


def test_many_spreads_of_the_same_rows_get_the_same_bits() -> None:
    """The demo's rows at one lender, twelve unequal ones or two hundred: equal rounding."""
    for largest, lenders in ((2**15 - 1, 1), (2**13 - 1, 12), (2**11 - 1, 50), (255, 200)):
        assert fraction_bits(largest, lenders) == MOST_BITS
        assert fraction_bits(largest, lenders, 16) == MOST_BITS - 4


def test_more_rows_than_a_ring_can_carry_are_refused() -> None:
    """134 million rows are the end for one lender, 8 million each for twelve."""
    for lenders, most in ((1, 2**27 - 1), (12, 2**23 - 1)):
        assert fraction_bits(most, lenders) == LEAST_BITS
        assert fraction_bits(most, lenders, 16) == 0
        with pytest.raises(PeerError, match="32-bit"):
            fraction_bits(most + 1, lenders)


@pytest.mark.parametrize("kind", ["counts", "losses"])
def test_counts_and_losses_are_never_negative(kind: Kind) -> None:
    """Gradients and weights, the control, may be."""
    vector = np.array([4, -1, 0])
    with pytest.raises(PeerError, match="negative"):
        replace(QUESTION, kind=kind).check(vector)
    for signed in ("gradients", "weights"):
        assert replace(QUESTION, kind=signed).check(vector).tolist() == [4, -1, 0]
