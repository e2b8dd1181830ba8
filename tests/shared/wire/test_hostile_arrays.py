"""Hostile arrays are the peer's error, and cost no memory."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import PeerError
from shared.wire import arrays
from shared.wire.messages import Ask, Sum, pack_question, pack_reply, parse_question, parse_reply
from tests.shared.wire.messages_made import GOOD, MASKED, npy


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy text that begins with whatever `text` claims."""
    about = text.encode("latin1") + b"\n"
    size = len(about).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + about


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


def test_numbers_in_more_bytes_than_they_need_are_refused() -> None:
    """There is one form of every vector, and a copy of it elsewhere has the same digest."""
    content = pack_reply(Sum("L01", "census", GOOD))
    content["sum"] = ArrayRecord({"values": Array(GOOD.astype("<i8"))})
    with pytest.raises(PeerError, match="wider"):
        parse_reply(content)
