"""Zeros that fill messages up: few sizes, and the content as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.wire import keyholder_pb2, registry_pb2
from shared.wire.padding import fill, fill_in_steps

STEP = 16_384


@given(purpose=st.text(max_size=11), reference=st.text(max_size=64), every=st.booleans())
def test_a_request_has_one_size_whatever_it_is_for(
    purpose: str, reference: str, every: bool
) -> None:
    """Eight points and 512 bytes, in any alphabet; what was said is still said."""
    message = keyholder_pb2.EvaluateRequest(
        request_id=bytes(16),
        purpose=purpose,
        reference=reference,
        keys=bytes(32),
        quorum=(1, 2),
        every=every,
        points=bytes(256),
    )
    fill(message, 256 + 512)
    assert message.ByteSize() in (768, 767)  # protobuf has no field of 129 bytes
    read = keyholder_pb2.EvaluateRequest.FromString(message.SerializeToString())
    assert (read.purpose, read.reference, read.every) == (purpose, reference, every)


@given(st.lists(st.integers(0, 9000), max_size=9))
def test_replies_have_few_sizes(sizes: list[int]) -> None:
    """Powers of two times a step, never less than the content."""
    message = registry_pb2.SubmitReply(
        answers=[registry_pb2.EventAnswer(receipt=bytes(size)) for size in sizes]
    )
    before = message.ByteSize()
    fill_in_steps(message, STEP)
    assert message.ByteSize() >= before
    assert message.ByteSize() in {STEP << power for power in range(5)}


@pytest.mark.parametrize("size", range(STEP - 140, STEP + 3))
def test_every_edge_ends_on_a_size(size: int) -> None:
    """Also where protobuf's length of the field changes its own width."""
    message = keyholder_pb2.EvaluateRequest(points=bytes(size))
    fill_in_steps(message, STEP)
    assert message.ByteSize() in (STEP, 2 * STEP, 4 * STEP)


def test_what_has_no_room_stays() -> None:
    """A message that is as long already is not cut."""
    message = keyholder_pb2.EvaluateRequest(points=bytes(300))
    fill(message, 300)
    assert not message.padding
