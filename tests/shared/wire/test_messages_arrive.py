"""Messages survive packing, Flower's own form and parsing; numbers take the bytes they need."""

import numpy as np
import pytest
from flwr.app import ArrayRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from hypothesis import given
from hypothesis import strategies as st

from shared.secure_sum.encoding import text_of
from shared.secure_sum.statements import (
    Answer,
    Delivery,
    MaskedInput,
    MemberKeys,
    Payload,
    Ready,
    Refusal,
    Roll,
    RoundOpen,
    SealedShares,
    SetUpOpen,
    Survivors,
)
from shared.wire import messages
from shared.wire.messages import (
    Ask,
    Behind,
    Question,
    Refused,
    Reply,
    Sum,
    pack_question,
    pack_reply,
    parse_question,
    parse_reply,
)
from tests.shared.wire.messages_made import plain

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
counts = st.integers(0, 2**63 - 1)
vectors = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20).map(
    lambda values: np.array(values, dtype=np.int64)
)
words = st.lists(st.integers(0, 2**32 - 1), max_size=20).map(
    lambda values: np.array(values, dtype=np.uint32)
)
small, whole = st.binary(max_size=70), st.integers(-(2**70), 2**70)
pieces, codes = st.lists(small, max_size=4).map(tuple), st.lists(texts, max_size=4).map(tuple)
boxes = st.lists(st.tuples(texts, small), max_size=4).map(tuple)
floats = st.floats(allow_nan=False, allow_infinity=False)
payloads = st.builds(Payload, small, texts, texts, whole, whole, floats, whole)
keys = st.builds(MemberKeys, small, texts, small, small, pieces, pieces, small)
rounds = st.builds(RoundOpen, small, whole, payloads, whole, small)
refusals = st.builds(Refusal, texts, small, texts, texts, texts, small)
signatures = st.lists(st.tuples(texts, st.binary(max_size=200)), max_size=4).map(tuple)
asks = st.builds(
    Ask, texts, texts, counts, texts, st.lists(vectors, max_size=5).map(tuple),
    st.none() | rounds, signatures,
)  # fmt: skip
statements = st.one_of(
    st.builds(SetUpOpen, whole, small, small, whole, texts, small, small),
    st.builds(Roll, small, whole, st.lists(keys, max_size=3).map(tuple), small),
    st.builds(Delivery, small, st.lists(st.tuples(texts, small, small), max_size=4).map(tuple)),
    st.builds(Survivors, small, codes, small),
)
codes_of_errors = st.sampled_from(["operator", "peer", "internal", "unexpected"])
replies = st.one_of(
    st.builds(Sum, texts, texts, vectors),
    st.builds(Behind, texts, counts, st.just(b"") | st.binary(min_size=32, max_size=32)),
    st.builds(Refused, texts, codes_of_errors, st.none() | refusals),
    st.builds(MaskedInput, st.binary(max_size=32), texts, words, small),
    keys,
    st.builds(SealedShares, small, texts, boxes, small),
    st.builds(Ready, small, texts, small),
    st.builds(Answer, small, texts, pieces, small),
)


def travelled(content: RecordDict) -> RecordDict:
    """Through Flower's protobuf form, as over a network."""
    return recorddict_from_proto(recorddict_to_proto(content))


@given(asks)
def test_a_question_arrives_as_it_was_sent(ask: Ask) -> None:
    """Any number of totals of any length, empty ones too; with a round to answer for or without."""
    assert plain(parse_question(travelled(pack_question(ask)))) == plain(ask)


@given(statements, texts)
def test_a_statement_arrives_as_it_was_sent(statement: Question, label: str) -> None:
    """Of every kind a coordinator makes; the label is for whoever looks at the record."""
    packed = travelled(pack_question(statement, label))
    assert parse_question(packed) == statement
    assert packed["ask"]["stage"] == label


@given(replies)
def test_a_reply_arrives_as_it_was_sent(reply: Reply) -> None:
    """Of every kind."""
    assert plain(parse_reply(travelled(pack_reply(reply)))) == plain(reply)


@pytest.mark.parametrize(
    ("values", "width"),
    [
        ([], 4),
        ([0, 2**31 - 1, -(2**31)], 4),
        ([2**31], 8),
        ([-(2**31) - 1], 8),
        ([2**32], 8),
        ([2**63 - 1, -(2**63)], 8),
    ],
)
def test_four_bytes_a_number_only_where_every_number_fits(values: list[int], width: int) -> None:
    """One number too large, and all take eight bytes."""
    packed = pack_reply(Sum("L01", "census", np.array(values, dtype=np.int64)))
    record = packed["sum"]
    assert isinstance(record, ArrayRecord)
    array = record["values"]
    assert array.dtype == f"int{8 * width}"
    header = len(array.data) - width * len(values)
    assert 0 < header <= 192
    assert parse_reply(packed).vector.tolist() == values


def test_a_parsed_vector_is_a_copy_of_its_own() -> None:
    """Later changes to it touch no message."""
    packed = pack_reply(Sum("L01", "census", np.arange(3)))
    first = parse_reply(packed)
    first.vector[:] = 9
    assert parse_reply(packed).vector.tolist() == [0, 1, 2]


def test_masked_numbers_take_four_bytes_each() -> None:
    """Half of what a plain sum's larger totals take; the rest of the message is small."""
    values = np.full(1000, 2**32 - 1, dtype=np.uint32)
    packed = pack_reply(MaskedInput(bytes(32), "L01", values, bytes(64)))
    array = packed.array_records["masked"]["values"]
    assert (array.dtype, len(array.data)) == ("uint32", 4128)
    parsed = parse_reply(packed)
    assert isinstance(parsed, MaskedInput)
    assert parsed.values.tolist() == values.tolist()
    parsed.values[:] = 0  # a copy of its own


def test_bounds_on_texts_are_above_what_the_largest_consortium_needs() -> None:
    """A roll of 500 members with twelve slots, and a delivery to one of them."""
    member = MemberKeys(
        bytes(32), "L001", bytes(400), bytes(32), (bytes(32),) * 12, (bytes(32),) * 12, bytes(64)
    )
    roll = Roll(bytes(32), 334, (member,) * 500, bytes(64))
    delivery = Delivery(bytes(32), (("L001", bytes(66 * 12 + 16), bytes(64)),) * 499)
    for statement in (roll, delivery):
        assert 4 * len(text_of(statement)) < messages._QUESTIONS[type(statement).__name__][1]
        assert parse_question(pack_question(statement)) == statement
