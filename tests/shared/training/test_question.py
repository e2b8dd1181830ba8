"""What may be absorbed at all: length, type and ring of a vector, and the bits behind the point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PeerError
from shared.training.question import RING_BITS, Question, fraction_bits

QUESTION = Question("census", 3, 0, "counts")


def test_a_fitting_vector_passes_unchanged() -> None:
    """Up to one under the ring's end, on both sides, in any signed width."""
    for dtype in (np.int32, np.int64):
        vector = np.array([2**RING_BITS - 1, -(2**RING_BITS - 1), 0]).astype(dtype)
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
        np.array([2**RING_BITS, 0, 0]),
        np.array([0, 0, -(2**RING_BITS)]),
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
    assert len(Question("close", 0, 0, "nothing").check(np.empty(0, dtype=np.int64))) == 0


@given(st.integers(0, 2**27 - 1))
def test_rows_of_values_up_to_one_add_up_within_the_ring(rows: int) -> None:
    """The worst sum fits; one bit more would not, unless 16 bits are enough anyway."""
    bits = fraction_bits(rows)
    assert rows * 2**bits < 2**RING_BITS
    assert bits == 16 or 2 * (rows + 1) * 2 ** (bits + 1) > 2**RING_BITS


def test_more_rows_than_a_ring_can_carry_are_refused() -> None:
    """134 million rows are the end."""
    assert fraction_bits(2**27 - 1) == 4
    with pytest.raises(PeerError, match="32-bit"):
        fraction_bits(2**27)
