"""Tags and sealed records."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threshold import seeded

from shared.errors import InternalError
from shared.tokens.tags import (
    RECORD_BYTES,
    SEALED_BYTES,
    UnopenableError,
    open_sealed,
    seal,
    seal_key,
    tags_of,
)

OUTPUTS = np.frombuffer(seeded(3)(128), np.uint8).reshape(2, 64)
KEY, TAG = seal_key(OUTPUTS[0]), bytes(tags_of(OUTPUTS, 1)[0])


def test_tags() -> None:
    """A tag is the SHA-256 of prefix, epoch and output; another epoch has other tags."""
    tags = tags_of(OUTPUTS, 7)
    expected = [sha256(b"lianfang/tag/v1\0\0\0\0\7" + row.tobytes()).digest() for row in OUTPUTS]
    assert [row.tobytes() for row in tags] == expected
    assert not (tags == tags_of(OUTPUTS, 8)).all(axis=1).any()
    assert tags_of(OUTPUTS[:0], 7).shape == (0, 32)


def test_seal_key_vector() -> None:
    """The key is HKDF-SHA-256 without salt, computed here by hand (RFC 5869)."""
    import hmac

    drawn = hmac.digest(bytes(32), OUTPUTS[0].tobytes(), "sha256")
    assert hmac.digest(drawn, b"lianfang/seal/v1\1", "sha256") == KEY


def test_key_and_tag_are_apart() -> None:
    """The key is no function of what everybody sees: outputs alone have both."""
    assert TAG != KEY


@given(st.binary(max_size=RECORD_BYTES))
def test_sealed_records(record: bytes) -> None:
    """What was sealed opens as it was, and all sealed records have one size."""
    sealed = seal(KEY, record, TAG, seeded(4))
    assert len(sealed) == SEALED_BYTES
    assert open_sealed(KEY, sealed, TAG) == record


def test_unopenable() -> None:
    """Another key, another tag, any flipped bit and another length do not open."""
    sealed = seal(KEY, b"record", TAG, seeded(4))
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    attempts = [
        (seal_key(OUTPUTS[1]), sealed, TAG),
        (KEY, sealed, bytes(32)),
        (KEY, flipped, TAG),
        (KEY, sealed[:-1], TAG),
    ]
    for key, text, tag in attempts:
        with pytest.raises(UnopenableError):
            open_sealed(key, text, tag)


def test_wrong_padding() -> None:
    """Bytes hidden in the padding, and a length beyond the record, are refused."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    for start in (b"\0\0x", b"\xff\xff"):
        text = start.ljust(RECORD_BYTES + 2, b"\0")
        sealed = bytes(12) + ChaCha20Poly1305(KEY).encrypt(bytes(12), text, TAG)
        with pytest.raises(UnopenableError, match="padding"):
            open_sealed(KEY, sealed, TAG)


def test_sizes() -> None:
    """Records too long and outputs of another size are our own mistake."""
    with pytest.raises(InternalError):
        seal(KEY, bytes(RECORD_BYTES + 1), TAG, seeded(4))
    with pytest.raises(InternalError):
        seal_key(bytes(63))
    with pytest.raises(InternalError):
        tags_of(OUTPUTS[:, :32], 1)
