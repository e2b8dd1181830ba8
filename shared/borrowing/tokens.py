"""What an output of the key holders becomes: the token that events are contributed under.

Invariants:
- A token is bound to one ledger (16 bytes): tokens of two ledgers, of the list or of a case have
  nothing in common for whoever has no output.
- What a subject's record is called and opened with follows from its token (`rows.py`).
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError

TOKEN_BYTES = 32
LEDGER_BYTES = 16
OUTPUT_BYTES = 64
Hashes = NDArray[np.uint8]


def subject_tokens(ledger: bytes, outputs: Hashes) -> Hashes:
    """(m, 32) of outputs (m, 64); InternalError on other shapes."""
    if outputs.ndim != 2 or outputs.shape[1] != OUTPUT_BYTES or len(ledger) != LEDGER_BYTES:
        raise InternalError("outputs are (m, 64) bytes, a ledger's name 16")
    start = sha256(b"lianfang/borrowing/subject/v1\0" + ledger)
    packed, out = outputs.tobytes(), []
    for at in range(0, len(packed), OUTPUT_BYTES):
        one = start.copy()
        one.update(packed[at : at + OUTPUT_BYTES])
        out.append(one.digest())
    return np.frombuffer(b"".join(out), np.uint8).reshape(-1, TOKEN_BYTES)
