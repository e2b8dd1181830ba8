"""Messages that are fine, and records like theirs with something changed."""

from io import BytesIO
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

from shared.secure_sum.encoding import text_of
from shared.secure_sum.statements import Answer, MaskedInput, Payload, RoundOpen, Survivors
from shared.wire.messages import Ask, Question, Reply, pack_question


def plain(message: Question | Reply) -> dict[str, Any]:
    fields = {"type": type(message).__name__, **vars(message)}
    for name in ("vector", "values"):
        if name in fields:
            fields[name] = (fields[name].dtype.str, fields[name].tolist())
    if isinstance(message, Ask):
        fields["released"] = [(total.dtype.str, total.tolist()) for total in message.released]
    return fields


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


GOOD = np.arange(4, dtype="<i4")
MASKED = MaskedInput(bytes(32), "L01", np.arange(4, dtype=np.uint32), bytes(64))
PAYLOAD = Payload(bytes(32), "census", "counts", 2, 0, 1.0, 1)
ROUND = RoundOpen(bytes(32), 0, PAYLOAD, 20, bytes(64))


def ask_with(**changes: object) -> RecordDict:
    """A fine question over two totals of two numbers, but for the changed fields."""
    content = pack_question(Ask("run", "census", 0, "d" * 64, (np.arange(2), np.arange(2))))
    fields = dict(content["ask"].items())
    fields.update(changes)
    held = {key: value for key, value in fields.items() if value is not None}
    content["ask"] = ConfigRecord(held)
    return content


BEHIND = {"kind": "behind", "member": "L01", "have": 3, "unproven": b""}
REFUSED = {"kind": "refused", "member": "L01", "code": "peer", "refusal": b""}
ANSWER = Answer(bytes(32), "L01", (bytes(33),) * 3, bytes(64))
SURVIVORS = Survivors(bytes(32), ("L01", "L02", "L03"), bytes(64))


def reply_of(config: dict[str, Any], vector: NDArray[np.int64] | None = GOOD) -> RecordDict:
    content = RecordDict({"reply": ConfigRecord(config)})
    if vector is not None:
        content["sum"] = ArrayRecord({"values": Array(vector)})
    return content


def statement_with(**changes: object) -> RecordDict:
    fields = {"kind": "Survivors", "body": text_of(SURVIVORS), "stage": "trees/5/unmask"} | changes
    return RecordDict({"ask": ConfigRecord({k: v for k, v in fields.items() if v is not None})})
