"""Mode POPRF of RFC 9497 section 3.3.3, which the exchange does not use, for its vectors."""

from __future__ import annotations

from hashlib import sha512

from shared.tokens.group import ORDER
from shared.tokens.oprf import Suite, with_length


def tweak(suite: Suite, info: bytes) -> int:
    """What public `info` adds to the key."""
    return suite.hash_to_scalar(b"Info" + with_length(info))


def tweaked(suite: Suite, secret: int, info: bytes) -> int:
    return (secret + tweak(suite, info)) % ORDER


def finalize(item: bytes, info: bytes, element: bytes) -> bytes:
    parts = with_length(item) + with_length(info) + with_length(element)
    return sha512(parts + b"Finalize").digest()
