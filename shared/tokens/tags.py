"""What an output becomes: the tag that is listed, and the key that seals its record.

Invariants:
- Tag and key come from the output by separate hashes: the tag, which everybody sees, does not help
  to open the record; only who can ask the holders about the identifier can.
- Sealed records all have SEALED_BYTES bytes.
- A tag carries its epoch, so tags of one subject in two epochs have nothing in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError
from shared.tokens.group import RandomBytes

TAG_BYTES = 32
OUTPUT_BYTES = 64
SEALED_BYTES = 512
"""nonce 12, length 2 and record and zeros, authenticator 16."""
_NONCE, _LENGTH, _AUTHENTICATOR = 12, 2, 16
RECORD_BYTES = SEALED_BYTES - _NONCE - _LENGTH - _AUTHENTICATOR
"""The longest record: 482 bytes."""


class UnopenableError(PeerError):
    """A sealed record that does not open with this key and tag."""


def tags_of(outputs: NDArray[np.uint8], epoch: int) -> NDArray[np.uint8]:
    """(m, 32) of outputs (m, 64): SHA-256 of a prefix, the epoch and the output."""
    if outputs.ndim != 2 or outputs.shape[1] != OUTPUT_BYTES:
        raise InternalError("outputs are (m, 64) bytes")
    start = sha256(b"lianfang/tag/v1\0" + epoch.to_bytes(4, "big"))
    packed, tags = outputs.tobytes(), []
    for at in range(0, len(packed), OUTPUT_BYTES):
        hashed = start.copy()
        hashed.update(packed[at : at + OUTPUT_BYTES])
        tags.append(hashed.digest())
    return np.frombuffer(b"".join(tags), np.uint8).reshape(-1, TAG_BYTES)


def seal_key(output: Sequence[int] | NDArray[np.uint8] | bytes) -> bytes:
    """32 bytes: HKDF-SHA-256 (RFC 5869) of one output (64 bytes)."""
    secret = bytes(output)
    if len(secret) != OUTPUT_BYTES:
        raise InternalError("an output is 64 bytes")
    return HKDF(SHA256(), 32, salt=None, info=b"lianfang/seal/v1").derive(secret)


def seal(key: bytes, record: bytes, tag: bytes, random: RandomBytes) -> bytes:
    """SEALED_BYTES bytes: `record` of at most RECORD_BYTES, bound to `tag`.

    ChaCha20-Poly1305 (RFC 8439) with a drawn nonce: all who list a subject share its key.
    InternalError on a longer record.
    """
    if len(record) > RECORD_BYTES:
        raise InternalError(f"a record has at most {RECORD_BYTES} bytes, not {len(record)}")
    padded = len(record).to_bytes(_LENGTH, "big") + record.ljust(RECORD_BYTES, b"\0")
    nonce = random(_NONCE)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, padded, tag)


def open_sealed(key: bytes, sealed: bytes, tag: bytes) -> bytes:
    """The record; UnopenableError when it was not sealed with this key for this tag."""
    try:
        if len(sealed) != SEALED_BYTES:
            raise InvalidTag
        padded = ChaCha20Poly1305(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], tag)
    except InvalidTag as error:
        raise UnopenableError("a sealed record does not open with this key and tag") from error
    length = int.from_bytes(padded[:_LENGTH], "big")
    if length > RECORD_BYTES or any(padded[_LENGTH + length :]):
        raise UnopenableError("a sealed record with a wrong length or padding")
    return padded[_LENGTH : _LENGTH + length]
