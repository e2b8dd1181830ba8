"""What a lender derives from one evaluation of an identifier, for one case.

    T            the holders' output for `<consortium>/ring|v1|<kind>|<canonical>`, 64 bytes
    subject      H(subject, case, T_s)            attribute   H(attribute, case, T_a)
    degree id    H(degree, case, T_a)             pair tag    HMAC(H(pair, case, T_a), T_s)
    flag         H and HKDF of (case, version, subject)
    ring name    H(ring, subject or attribute)

Invariants:
- Whoever has no T cannot tell which degree id belongs to which attribute, which pair tag to which
  subject, or which token of one case to which of another: all are hashes with separate prefixes.
- Flags hang on the subject's token alone, so a lender has nothing to say, or to lie, about where
  a flag is to be found; and on the bulletin's version, so rows of two bulletins cannot be joined.
- A ring's body names its members by names of that ring only: who reads one learns no token.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.tokens.tags import OUTPUT_BYTES

TOKEN_BYTES = 32
Rows = NDArray[np.uint8]
_SUBJECT, _ATTRIBUTE, _DEGREE, _PAIR, _FLAG, _KEY, _NAME = (
    f"lianfang/case/{name}/v1\0".encode()
    for name in ("subject", "attribute", "degree", "pair", "flag", "flag-key", "name")
)


def subject_tokens(case: bytes, outputs: Rows) -> Rows:
    """(m, 32) of outputs (m, 64) of people's own identifiers; `case`: its id, 16 bytes."""
    return _hashed(_SUBJECT + case, outputs, OUTPUT_BYTES)


def attribute_tokens(case: bytes, outputs: Rows) -> Rows:
    """(m, 32) of outputs (m, 64) of what people share, whatever kind of edge names it."""
    return _hashed(_ATTRIBUTE + case, outputs, OUTPUT_BYTES)


def degree_ids(case: bytes, outputs: Rows) -> Rows:
    """(m, 32) of attributes' outputs (m, 64): the names they are counted under."""
    return _hashed(_DEGREE + case, outputs, OUTPUT_BYTES)


def pair_tags(case: bytes, attributes: Rows, subjects: Rows) -> Rows:
    """(m, 32), row by row, of the outputs (m, 64) of an attribute and of a subject who has it."""
    keys = _hashed(_PAIR + case, attributes, OUTPUT_BYTES)
    if subjects.shape != attributes.shape:
        raise InternalError("a pair is an attribute and a subject")
    pairs = zip(_cut(keys, TOKEN_BYTES), _cut(subjects, OUTPUT_BYTES), strict=True)
    return _rows([hmac.digest(key, subject, "sha256") for key, subject in pairs])


def flag_tags(case: bytes, version: int, subjects: Rows) -> Rows:
    """(m, 32): where bulletin `version` of the case has the flags of subject tokens (m, 32)."""
    return _hashed(_FLAG + case + version.to_bytes(4, "big"), subjects, TOKEN_BYTES)


def flag_key(case: bytes, version: int, subject: bytes) -> bytes:
    """32 bytes: HKDF-SHA-256 (RFC 5869) of one subject token, which seals its flag."""
    info = _KEY + case + version.to_bytes(4, "big")
    return HKDF(SHA256(), 32, salt=None, info=info).derive(subject)


def ring_names(ring: bytes, tokens: Rows) -> Rows:
    """(m, 32): how a ring's body and flags name subject or attribute tokens (m, 32)."""
    return _hashed(_NAME + ring, tokens, TOKEN_BYTES)


def _hashed(prefix: bytes, rows: Rows, width: int) -> Rows:
    start, found = sha256(prefix), []
    for row in _cut(rows, width):
        hashed = start.copy()
        hashed.update(row)
        found.append(hashed.digest())
    return _rows(found)


def _cut(rows: Rows, width: int) -> list[bytes]:
    if rows.ndim != 2 or rows.shape[1] != width or rows.dtype != np.uint8:
        raise InternalError(f"rows are (m, {width}) bytes")
    packed = rows.tobytes()
    return [packed[at : at + width] for at in range(0, len(packed), width)]


def _rows(found: list[bytes]) -> Rows:
    return np.frombuffer(b"".join(found), np.uint8).reshape(-1, TOKEN_BYTES)
