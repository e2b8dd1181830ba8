"""One message of every kind as it travels: records, fields and bytes, with their values spelt out.

`python -m tests.shared.wire.wire_vector` writes the file anew, after a deliberate change only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, RecordDict

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
from shared.wire.messages import (
    Ask,
    Behind,
    Refused,
    Sum,
    ask_transcript,
    pack_question,
    pack_reply,
)

FILE = Path(__file__).with_name("wire_v1.json")
_NAME, _KEY, _SIGNATURE = bytes(range(32)), b"k" * 32, b"s" * 64
_PAYLOAD = Payload(_NAME, "trees/5", "gradients", 3, 12, 4.0, 0)
_OPENED = RoundOpen(_NAME, 7, _PAYLOAD, 20, _SIGNATURE)
_KEYS = MemberKeys(_NAME, "L01", b"c", _KEY, (_KEY, _KEY), (_NAME, _NAME), _SIGNATURE)
_TOTALS = (np.array([1, -2], np.int64), np.array([3], np.int64))
ASK = Ask(
    "ab" * 32, "trees/5", 4, "cd" * 32, _TOTALS, _OPENED, (("L01", _SIGNATURE),), b"c", _SIGNATURE
)
QUESTIONS = (
    ASK,
    SetUpOpen(5, _NAME, _NAME, 2, "standard", b"c", _SIGNATURE),
    Roll(_NAME, 3, (_KEYS,), _SIGNATURE),
    Delivery(_NAME, (("L02", b"box", _SIGNATURE),)),
    Survivors(_NAME, ("L01", "L02", "L03"), _SIGNATURE),
)
REPLIES = (
    Sum("L01", "census", np.array([5, -6], np.int64)),
    MaskedInput(_NAME, "L01", np.array([1, 2**32 - 1], np.uint32), _SIGNATURE),
    Behind("L01", 3, _NAME),
    Refused("L01", "peer", Refusal("L01", _NAME, "cohort", "5", "3", _SIGNATURE)),
    _KEYS,
    SealedShares(_NAME, "L01", (("L02", b"box"),), _SIGNATURE),
    Ready(_NAME, "L01", _SIGNATURE),
    Answer(_NAME, "L01", (b"r" * 33, b"t" * 33), _SIGNATURE),
)


def spelt(content: RecordDict) -> dict[str, Any]:
    """Every record, field by field: bytes as hex, arrays as type, shape, form and bytes."""
    return {name: _record(record) for name, record in content.items()}


def _record(record: object) -> dict[str, Any]:
    if isinstance(record, ConfigRecord):
        return {field: _value(value) for field, value in record.items()}
    assert isinstance(record, ArrayRecord)
    return {
        name: [array.dtype, list(array.shape), array.stype, array.data.hex()]
        for name, array in record.items()
    }


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return [_value(one) for one in value] if isinstance(value, list) else value


def vector() -> dict[str, Any]:
    """What the file holds."""
    return {
        "questions": [spelt(pack_question(one, "a label")) for one in QUESTIONS],
        "replies": [spelt(pack_reply(one)) for one in REPLIES],
        "signed": ask_transcript(ASK).decode(),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vector(), indent=1) + "\n")
