"""The two messages of a stage.

    coordinator ── Ask ──► lender       which stage, and the totals released since `first`
    coordinator ◄─ Sum ─── lender       its whole numbers; or
                ◄─ Behind ─             "I hold only `have` totals: send the rest"; or
                ◄─ Refused ─            the name of one of our errors, never its text

Invariants:
- Parsing accepts exactly what packing makes; anything else is a PeerError and changes nothing.
- A lender's exception text never travels: it may quote rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.lib import format as npy
from numpy.typing import NDArray

from shared.errors import PeerError

QUERY = "query.answer"
_MOST_VALUES = 1 << 24  # 64 MB of 32-bit numbers: far above any real stage
_MOST_TOTALS = 20_000
_CODES = frozenset({"operator", "peer", "internal", "unexpected"})


@dataclass(frozen=True, eq=False)
class Ask:
    """`released`: totals number first, first+1, …; `digest`: the run's after all of them."""

    run: str
    stage: str
    first: int
    digest: str
    released: tuple[NDArray[np.int64], ...]


@dataclass(frozen=True, eq=False)
class Sum:
    """A lender's answer. `member` is its code in the consortium."""

    member: str
    stage: str
    vector: NDArray[np.int64]


@dataclass(frozen=True)
class Behind:
    """The lender holds only the first `have` totals of this run."""

    member: str
    have: int


@dataclass(frozen=True)
class Refused:
    """The lender could not or would not answer. `code`: operator, peer, internal, unexpected."""

    member: str
    code: str


Reply = Sum | Behind | Refused


def pack_ask(ask: Ask) -> RecordDict:
    """As Flower's records: one flat array, however many totals."""
    lengths = [len(total) for total in ask.released]
    config = ConfigRecord(
        {
            "run": ask.run,
            "stage": ask.stage,
            "first": ask.first,
            "digest": ask.digest,
            "lengths": lengths,
        }
    )
    return RecordDict({"ask": config, "totals": _arrays(_joined(ask.released))})


def parse_ask(content: RecordDict) -> Ask:
    """Inverse of `pack_ask`; raises PeerError."""
    config = _config(content, "ask")
    lengths = config.get("lengths")
    if not isinstance(lengths, list) or not all(type(n) is int and n >= 0 for n in lengths):
        raise PeerError("the question's lengths are not a list of sizes")
    if len(lengths) > _MOST_TOTALS:
        raise PeerError("the question carries more totals than any run has stages")
    flat = _vector(content, "totals")
    if sum(int(n) for n in lengths) != len(flat):
        raise PeerError("the question's totals do not have the lengths it states")
    ends = np.cumsum([0, *lengths])
    totals = tuple(flat[a:b] for a, b in pairwise(ends))
    return Ask(
        _text(config, "run"),
        _text(config, "stage"),
        _whole(config, "first"),
        _text(config, "digest"),
        totals,
    )


def pack_reply(reply: Reply) -> RecordDict:
    """As Flower's records."""
    match reply:
        case Sum():
            config = ConfigRecord({"kind": "sum", "member": reply.member, "stage": reply.stage})
            return RecordDict({"reply": config, "sum": _arrays(reply.vector)})
        case Behind():
            config = ConfigRecord({"kind": "behind", "member": reply.member, "have": reply.have})
        case Refused():
            config = ConfigRecord({"kind": "refused", "member": reply.member, "code": reply.code})
    return RecordDict({"reply": config})


def parse_reply(content: RecordDict) -> Reply:
    """Inverse of `pack_reply`; raises PeerError."""
    config = _config(content, "reply")
    member, kind = _text(config, "member"), _text(config, "kind")
    if kind == "sum":
        return Sum(member, _text(config, "stage"), _vector(content, "sum"))
    if kind == "behind":
        return Behind(member, _whole(config, "have"))
    if kind == "refused" and (code := _text(config, "code")) in _CODES:
        return Refused(member, code)
    raise PeerError(f"a reply of unknown kind {kind[:20]!r}")


def _joined(totals: tuple[NDArray[np.int64], ...]) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, dtype=np.int64), *totals])


def _arrays(vector: NDArray[np.int64]) -> ArrayRecord:
    """32-bit where every value fits, which a `Question` makes sure of."""
    narrow = vector.astype("<i4")
    fits = np.array_equal(narrow, vector)
    return ArrayRecord({"values": Array(narrow if fits else vector.astype("<i8"))})


def _vector(content: RecordDict, name: str) -> NDArray[np.int64]:
    record = content.get(name)
    if not isinstance(record, ArrayRecord) or set(record) != {"values"}:
        raise PeerError(f"a message without its {name}")
    array = record["values"]
    if array.dtype not in ("int32", "int64") or len(array.shape) != 1:
        raise PeerError(f"the {name} are not one flat row of whole numbers")
    if array.shape[0] > _MOST_VALUES or len(array.data) > 9 * _MOST_VALUES:
        raise PeerError(f"the {name} are larger than any stage needs")
    return _numbers(array.data, np.dtype(array.dtype), array.shape[0], name)


def _numbers(data: bytes, dtype: np.dtype[Any], count: int, name: str) -> NDArray[np.int64]:
    """The whole numbers of a .npy text whose header is, byte for byte, the one packing writes.

    The header is compared, never evaluated: it comes from the other side, and numpy's reader of it
    fails in many ways.
    """
    expected = BytesIO()
    about = {"descr": dtype.newbyteorder("<").str, "fortran_order": False, "shape": (count,)}
    npy.write_array_header_1_0(expected, about)
    header = expected.getvalue()
    if not data.startswith(header) or len(data) != len(header) + count * dtype.itemsize:
        raise PeerError(f"the {name} are not what their header says")
    return np.frombuffer(data, dtype.newbyteorder("<"), offset=len(header)).astype(np.int64)


def _config(content: RecordDict, name: str) -> ConfigRecord:
    record = content.get(name)
    if not isinstance(record, ConfigRecord):
        raise PeerError(f"a message without its {name} record")
    return record


def _text(config: ConfigRecord, key: str) -> str:
    value = config.get(key)
    if not isinstance(value, str) or len(value) > 200:
        raise PeerError(f"a message whose {key} is not a short text")
    return value


def _whole(config: ConfigRecord, key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise PeerError(f"a message whose {key} is not a count")
    return value
