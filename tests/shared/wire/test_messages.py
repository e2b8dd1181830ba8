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
from shared.wire import messages
from shared.wire.messages import (
    Ask,
    Behind,
    Refused,
    Reply,
    Sum,
    pack_ask,
    pack_reply,
    parse_ask,
    parse_reply,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
counts = st.integers(0, 2**63 - 1)
vectors = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20).map(
    lambda values: np.array(values, dtype=np.int64)
)
asks = st.builds(Ask, texts, texts, counts, texts, st.lists(vectors, max_size=5).map(tuple))
replies = st.one_of(
    st.builds(Sum, texts, texts, vectors),
    st.builds(Behind, texts, counts),
    st.builds(Refused, texts, st.sampled_from(["operator", "peer", "internal", "unexpected"])),
)


def travelled(content: RecordDict) -> RecordDict:
    """Through Flower's protobuf form, as over a network."""
    return recorddict_from_proto(recorddict_to_proto(content))


def plain(message: Ask | Reply) -> dict[str, Any]:
    fields = {"type": type(message).__name__, **vars(message)}
    if isinstance(message, Ask):
        fields["released"] = [(total.dtype.str, total.tolist()) for total in message.released]
    if isinstance(message, Sum):
        fields["vector"] = (message.vector.dtype.str, message.vector.tolist())
    return fields


@given(asks)
def test_a_question_arrives_as_it_was_sent(ask: Ask) -> None:
    """Any number of totals of any length, empty ones too, in one flat array."""
    assert plain(parse_ask(travelled(pack_ask(ask)))) == plain(ask)


@given(replies)
def test_a_reply_arrives_as_it_was_sent(reply: Reply) -> None:
    """All three kinds."""
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
    """In a sum and in a question; whatever the header claims, memory stays small."""
    dtype, shape, data = HOSTILE[hostile]
    array = ArrayRecord({"values": Array(dtype, shape, "numpy.ndarray", data)})
    reply, ask = pack_reply(Sum("L01", "census", GOOD)), pack_ask(Ask("r", "s", 0, "d", (GOOD,)))
    reply["sum"] = array
    ask["totals"] = array
    tracemalloc.start()
    for parse, content in ((parse_reply, reply), (parse_ask, ask)):
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
        patch.setattr(messages, "_MOST_VALUES", 100)
        assert len(parse_reply(pack_reply(Sum("L01", "s", np.arange(100)))).vector) == 100
        with pytest.raises(PeerError, match="larger"):
            parse_reply(pack_reply(Sum("L01", "s", np.arange(101))))


def ask_with(**changes: object) -> RecordDict:
    """A fine question over two totals of two numbers, but for the changed fields."""
    content = pack_ask(Ask("run", "census", 0, "d" * 64, (np.arange(2), np.arange(2))))
    fields = dict(content["ask"].items())
    fields.update(changes)
    held = {key: value for key, value in fields.items() if value is not None}
    content["ask"] = ConfigRecord(held)
    return content


@pytest.mark.parametrize(
    "changes",
    [
        *({key: None} for key in ("run", "stage", "first", "digest", "lengths")),
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
        {"lengths": [2**62, 2**62, 2**62, 2**62, 4]},
    ],
    ids=lambda changes: json.dumps(changes, default=str)[:40],
)
def test_a_question_with_a_wrong_field_is_refused(changes: dict[str, object]) -> None:
    """Missing, of another type, out of range, or at odds with the numbers that came."""
    assert plain(parse_ask(ask_with())) is not None
    with pytest.raises(PeerError):
        parse_ask(ask_with(**changes))


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
        reply_of({"kind": "behind", "member": "L01"}),
        reply_of({"kind": "behind", "member": "L01", "have": -1}),
        reply_of({"kind": "behind", "member": "L01", "have": False}),
        reply_of({"kind": "refused", "member": "L01"}),
        reply_of({"kind": "refused", "member": "L01", "code": "row 7: income 12,300"}),
        reply_of({"kind": "refused", "member": "L01", "code": ["peer"]}),
    ],
    ids=range(17),
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
