"""Messages survive packing, Flower's own form and parsing; hostile ones are the peer's error."""

import json
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import PeerError
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
from shared.wire import arrays, messages
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


def plain(message: Question | Reply) -> dict[str, Any]:
    fields = {"type": type(message).__name__, **vars(message)}
    for name in ("vector", "values"):
        if name in fields:
            fields[name] = (fields[name].dtype.str, fields[name].tolist())
    if isinstance(message, Ask):
        fields["released"] = [(total.dtype.str, total.tolist()) for total in message.released]
    return fields


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


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy text that begins with whatever `text` claims."""
    about = text.encode("latin1") + b"\n"
    size = len(about).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + about


GOOD = np.arange(4, dtype="<i4")


def claim(shape: object, descr: object = "<i4") -> str:
    return repr({"descr": descr, "fortran_order": False, "shape": shape})


MASKED = MaskedInput(bytes(32), "L01", np.arange(4, dtype=np.uint32), bytes(64))

HOSTILE: dict[str, tuple[str, tuple[int, ...], bytes]] = {
    "empty": ("int32", (4,), b""),
    "no magic": ("int32", (4,), b"hello, this is not an array at all"),
    "magic only": ("int32", (4,), b"\x93NUMPY"),
    "cut in the header": ("int32", (4,), npy(GOOD)[:40]),
    "cut in the numbers": ("int32", (4,), npy(GOOD)[:-1]),
    "a number short": ("int32", (4,), npy(GOOD)[:-4]),
    "a number more": ("int32", (4,), npy(GOOD) + b"\0\0\0\0"),
    "shape says less": ("int32", (3,), npy(GOOD)),
    "shape says more": ("int32", (5,), npy(GOOD)),
    "negative shape": ("int32", (-4,), npy(GOOD)),
    "no axes": ("int32", (), npy(np.array(7, dtype="<i4"))),
    "two axes": ("int32", (2, 2), npy(GOOD.reshape(2, 2))),
    "two axes called one": ("int32", (4,), npy(GOOD.reshape(2, 2))),
    "floats": ("float64", (4,), npy(GOOD.astype(float))),
    "floats called integers": ("int64", (4,), npy(GOOD.astype(float))),
    "unsigned called signed": ("int32", (4,), npy(GOOD.astype("<u4"))),
    "other byte order": ("int32", (4,), npy(GOOD.astype(">i4"))),
    "int64 called int32": ("int32", (4,), npy(GOOD.astype("<i8"))),
    "objects": ("object", (1,), npy(np.array([{}], dtype=object), pickled=True)),
    "objects called integers": ("int64", (1,), npy(np.array([{}], dtype=object), pickled=True)),
    "huge claim": ("int32", (2**23,), header(claim((2**23,)))),
    "huge claim in the header only": ("int32", (1,), header(claim((2**60,))) + bytes(4)),
    "claim over the limit": ("int32", (2**40,), header(claim((2**40,))) + bytes(64)),
    "nested claim": ("int32", (1,), header(claim((1,), ("<i4", (2**60,)))) + bytes(4)),
    "empty type": ("int32", (1,), header(claim((1,), ())) + bytes(4)),
    "type without size": ("int32", (1,), header(claim((1,), "<U0")) + bytes(4)),
    "open bracket": ("int32", (1,), header("{'descr': (") + bytes(4)),
    "many brackets": ("int32", (1,), header("(" * 5000) + bytes(4)),
    "many signs": ("int32", (1,), header("-" * 9000 + "1") + bytes(4)),
    "long header": ("int32", (1,), header(" " * 60_000) + bytes(4)),
    "a program": ("int32", (1,), header("__import__('os').abort()") + bytes(4)),
    "old long integers": ("int32", (1,), header(claim((1,)).replace("(1,)", "(1L,)")) + bytes(4)),
    "version 2": ("int32", (1,), header(claim((1,)), (2, 0)) + bytes(4)),
    "version 9": ("int32", (1,), header(claim((1,)), (9, 9)) + bytes(4)),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_arrays_are_the_peers_error_and_allocate_nothing(hostile: str) -> None:
    """In a sum, under masks and in a question; whatever the header claims, memory stays small."""
    dtype, shape, data = HOSTILE[hostile]
    array = ArrayRecord({"values": Array(dtype, shape, "numpy.ndarray", data)})
    reply, masked = pack_reply(Sum("L01", "census", GOOD)), pack_reply(MASKED)
    ask = pack_question(Ask("r", "s", 0, "d", (GOOD,)))
    reply["sum"] = masked["masked"] = ask["totals"] = array
    tracemalloc.start()
    for parse, content in ((parse_reply, reply), (parse_reply, masked), (parse_question, ask)):
        with pytest.raises(PeerError):
            parse(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.integers(0, 255), st.booleans())
def test_a_bent_or_cut_array_parses_or_is_refused(place: int, byte: int, cut: bool) -> None:
    """A changed number may pass (the ring and the digest judge it); nothing else happens."""
    data = bytearray(npy(GOOD))
    data[place % len(data)] = byte
    bent = bytes(data[: place % len(data)]) if cut else bytes(data)
    content = pack_reply(Sum("L01", "census", GOOD))
    content["sum"] = ArrayRecord({"values": Array("int32", (4,), "numpy.ndarray", bent)})
    try:
        parsed = parse_reply(content)
    except PeerError:
        return
    assert parsed.vector.shape == (4,)


def test_more_numbers_than_any_stage_needs_are_refused() -> None:
    """However honestly they are packed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "MOST_VALUES", 100)
        assert len(parse_reply(pack_reply(Sum("L01", "s", np.arange(100)))).vector) == 100
        with pytest.raises(PeerError, match="larger"):
            parse_reply(pack_reply(Sum("L01", "s", np.arange(101))))


PAYLOAD = Payload(bytes(32), "census", "counts", 2, 0, 1.0, 1)
ROUND = RoundOpen(bytes(32), 0, PAYLOAD, 20, bytes(64))
FIELDS = ("kind", "run", "stage", "first", "digest", "lengths", "opened", "agreed_by", "agreed")


def ask_with(**changes: object) -> RecordDict:
    """A fine question over two totals of two numbers, but for the changed fields."""
    content = pack_question(Ask("run", "census", 0, "d" * 64, (np.arange(2), np.arange(2))))
    fields = dict(content["ask"].items())
    fields.update(changes)
    held = {key: value for key, value in fields.items() if value is not None}
    content["ask"] = ConfigRecord(held)
    return content


@pytest.mark.parametrize(
    "changes",
    [
        *({key: None} for key in FIELDS),
        {"more": 1},
        {"kind": "Ask"},
        {"opened": "text"},
        {"opened": b"{}"},
        {"opened": text_of(ROUND)[:-1]},
        {"opened": text_of(ROUND) + b" "},
        {"opened": text_of(Survivors(bytes(32), ("L01",)))},
        {"opened": bytes((1 << 20) + 1)},
        {"agreed_by": ["L01"]},
        {"agreed_by": ["L01"], "agreed": ["signature"]},
        {"agreed_by": [b"L01"], "agreed": [b"signature"]},
        {"agreed_by": "L01", "agreed": [b"signature"]},
        {"agreed_by": ["L01"], "agreed": [bytes(201)]},
        {"agreed_by": ["L" * 201], "agreed": [b"signature"]},
        {"agreed_by": ["L"] * 4097, "agreed": [b"s"] * 4097},
        {"run": 7},
        {"run": b"run"},
        {"run": "r" * 201},
        {"stage": ["census"]},
        {"digest": 1.5},
        {"first": -1},
        {"first": True},
        {"first": 0.0},
        {"first": "0"},
        {"lengths": 4},
        {"lengths": [4.0]},
        {"lengths": ["4"]},
        {"lengths": [True] * 4},
        {"lengths": [5, -1]},
        {"lengths": [2, 1]},
        {"lengths": [2, 3]},
        {"lengths": []},
        {"lengths": [0] * 20_001},
        {"lengths": [2**62, 2**62, 2**62, 2**62, 4]},
    ],
    ids=lambda changes: json.dumps(changes, default=str)[:40],
)
def test_a_question_with_a_wrong_field_is_refused(changes: dict[str, object]) -> None:
    """Missing, of another type, out of range, or at odds with the numbers that came."""
    assert plain(parse_question(ask_with())) is not None
    with pytest.raises(PeerError):
        parse_question(ask_with(**changes))


BEHIND = {"kind": "behind", "member": "L01", "have": 3, "unproven": b""}
REFUSED = {"kind": "refused", "member": "L01", "code": "peer", "refusal": b""}
ANSWER = Answer(bytes(32), "L01", (bytes(33),) * 3, bytes(64))
SURVIVORS = Survivors(bytes(32), ("L01", "L02", "L03"), bytes(64))


def reply_of(config: dict[str, Any], vector: NDArray[np.int64] | None = GOOD) -> RecordDict:
    content = RecordDict({"reply": ConfigRecord(config)})
    if vector is not None:
        content["sum"] = ArrayRecord({"values": Array(vector)})
    return content


@pytest.mark.parametrize(
    "content",
    [
        RecordDict(),
        RecordDict({"reply": MetricRecord({"kind": 1})}),
        RecordDict({"reply": ArrayRecord({"values": Array(GOOD)})}),
        reply_of({}),
        reply_of({"kind": "sum"}),
        reply_of({"kind": "sum", "member": "L01"}),
        reply_of({"kind": "sum", "member": "L01", "stage": "census"}, None),
        reply_of({"kind": "sum", "member": 1, "stage": "census"}),
        reply_of({"kind": "sum", "member": "L" * 201, "stage": "census"}),
        reply_of({"kind": "total", "member": "L01", "stage": "census"}),
        reply_of({"kind": b"sum", "member": "L01", "stage": "census"}),
        reply_of({"kind": "sum", "member": "L01", "stage": "census", "more": 1}),
        reply_of({"kind": "behind", "member": "L01", "have": 1, "unproven": b""}),
        *(
            reply_of(BEHIND | bent, None)
            for bent in (
                {"have": -1},
                {"have": False},
                {"unproven": bytes(31)},
                {"unproven": bytes(33)},
                {"unproven": ""},
                {"more": 1},
                {"member": 1},
            )
        ),
        reply_of({"kind": "behind", "member": "L01", "have": 1}, None),
        *(
            reply_of(REFUSED | bent, None)
            for bent in (
                {"code": "row 7: income 12,300"},
                {"code": ["peer"]},
                {"refusal": b"{}"},
                {"refusal": "no"},
                {"refusal": text_of(ROUND)},
                {"refusal": bytes(1 << 17)},
                {"more": b"row 7"},
                {"member": "L" * 201},
            )
        ),
        reply_of({"kind": "refused", "member": "L01", "code": "peer"}, None),
        reply_of({"kind": "masked", "round": bytes(32), "member": "L01", "signature": b""}, None),
        reply_of({"kind": "masked", "round": bytes(32), "member": "L01", "signature": b""}),
        reply_of({"kind": "Answer", "body": b""}, None),
        reply_of({"kind": "Answer", "body": text_of(ANSWER)}),
        reply_of({"kind": "Ready", "body": text_of(ANSWER)}, None),
        reply_of({"kind": "Answer", "body": text_of(ANSWER), "stage": "trees/0"}, None),
        reply_of({"kind": "Answer", "body": bytes((1 << 20) + 1)}, None),
        reply_of({"kind": "Survivors", "body": text_of(SURVIVORS)}, None),
    ],
    ids=range(38),
)
def test_a_reply_with_a_wrong_field_is_refused(content: RecordDict) -> None:
    """Missing records and fields, other types, unknown kinds, and codes that are texts."""
    with pytest.raises(PeerError):
        parse_reply(content)


def renamed(content: RecordDict) -> None:
    content["sum"] = ArrayRecord({"other": Array(GOOD)})


def doubled(content: RecordDict) -> None:
    content["sum"] = ArrayRecord({"values": Array(GOOD), "more": Array(GOOD)})


def metric(content: RecordDict) -> None:
    content["sum"] = MetricRecord({"values": [1, 2]})


@pytest.mark.parametrize("bend", [renamed, doubled, metric])
def test_a_sum_in_another_record_is_refused(bend: Callable[[RecordDict], None]) -> None:
    """One array, under its one name."""
    content = pack_reply(Sum("L01", "census", GOOD))
    bend(content)
    with pytest.raises(PeerError):
        parse_reply(content)


def test_an_unknown_kind_is_quoted_briefly() -> None:
    """A peer cannot fill our log through the message of an error."""
    with pytest.raises(PeerError) as refused:
        parse_reply(reply_of({"kind": "x" * 150, "member": "L01"}))
    assert len(str(refused.value)) < 80


def test_the_fine_twins_of_those_replies_are_read() -> None:
    """So that each is refused for its one flaw."""
    assert parse_reply(reply_of(BEHIND, None)) == Behind("L01", 3)
    assert parse_reply(reply_of(REFUSED, None)) == Refused("L01", "peer")
    assert parse_reply(reply_of({"kind": "Answer", "body": text_of(ANSWER)}, None)) == ANSWER


def statement_with(**changes: object) -> RecordDict:
    fields = {"kind": "Survivors", "body": text_of(SURVIVORS), "stage": "trees/5/unmask"} | changes
    return RecordDict({"ask": ConfigRecord({k: v for k, v in fields.items() if v is not None})})


@pytest.mark.parametrize(
    "changes",
    [
        *({key: None} for key in ("kind", "body", "stage")),
        {"more": 1},
        {"kind": "Roll"},
        {"kind": "Answer", "body": text_of(ANSWER)},
        {"kind": "RoundOpen", "body": text_of(ROUND)},
        {"kind": "ask"},
        {"stage": "s" * 201},
        {"stage": 5},
        {"body": text_of(SURVIVORS).decode()},
        {"body": text_of(SURVIVORS)[:-1]},
        {"body": text_of(SURVIVORS).replace(b":", b": ", 1)},
        {"body": b"[" * 100_000},
        {"body": bytes((1 << 20) + 1)},
    ],
    ids=range(15),
)
def test_a_statement_in_another_form_is_refused(changes: dict[str, object]) -> None:
    """Of another kind than it says, from the wrong side, in another text, or too large."""
    assert parse_question(statement_with()) == SURVIVORS
    with pytest.raises(PeerError):
        parse_question(statement_with(**changes))


def test_a_record_beside_those_of_a_message_is_refused() -> None:
    """Nothing rides along unread."""
    for content, parse in (
        (pack_question(SURVIVORS), parse_question),
        (pack_question(Ask("r", "s", 0, "d", ())), parse_question),
        (pack_reply(ANSWER), parse_reply),
        (pack_reply(MASKED), parse_reply),
    ):
        parse(content)
        content["more"] = ConfigRecord({"rows": 7})
        with pytest.raises(PeerError, match="parts"):
            parse(content)


@settings(max_examples=150)
@given(st.sampled_from([SURVIVORS, ANSWER]), st.integers(0, 10**6), st.binary(max_size=3))
def test_a_bent_text_of_a_statement_is_another_statement_or_refused(
    statement: Survivors | Answer, place: int, bytes_: bytes
) -> None:
    """Whatever is read has exactly the text that came."""
    body = text_of(statement)
    at = place % len(body)
    bent = body[:at] + bytes_ + body[at + 1 :]
    question = isinstance(statement, Survivors)
    record = ConfigRecord({"kind": type(statement).__name__, "body": bent})
    try:
        if question:
            record["stage"] = ""
            parsed: object = parse_question(RecordDict({"ask": record}))
        else:
            parsed = parse_reply(RecordDict({"reply": record}))
    except PeerError:
        return
    assert text_of(parsed) == bent


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


def test_numbers_in_more_bytes_than_they_need_are_refused() -> None:
    """There is one form of every vector, and a copy of it elsewhere has the same digest."""
    content = pack_reply(Sum("L01", "census", GOOD))
    content["sum"] = ArrayRecord({"values": Array(GOOD.astype("<i8"))})
    with pytest.raises(PeerError, match="wider"):
        parse_reply(content)
