"""An answer under a key: what the desk publishes for all to fetch, and one can open.

Invariants:
- All sealed answers have SEALED_BYTES bytes, whatever they say.
- A sealed answer opens under its own key and tag only. Own records have a random tag and key that
  came with the lender's contribution, so that nobody else can find or open them.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from shared.borrowing.answer import PACKED_BYTES, Answer, parse_answer
from shared.errors import InternalError, PeerError

_NONCE, _AUTHENTICATOR, _KEY, _TAG = 12, 16, 32, 32
RECORD_BYTES = 224
"""A packed answer and zeros."""
SEALED_BYTES = _NONCE + RECORD_BYTES + _AUTHENTICATOR
assert PACKED_BYTES <= RECORD_BYTES


class UnopenableAnswerError(PeerError):
    """A sealed answer that does not open with this key and tag."""


def seal_answer(key: bytes, tag: bytes, answer: Answer, random: Callable[[int], bytes]) -> bytes:
    """SEALED_BYTES bytes: ChaCha20-Poly1305 (RFC 8439) with a drawn nonce, bound to the tag."""
    if len(key) != _KEY or len(tag) != _TAG:
        raise InternalError("key and tag of a record are 32 bytes each")
    nonce, packed = random(_NONCE), answer.pack().ljust(RECORD_BYTES, b"\0")
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, packed, tag)


def open_answer(key: bytes, tag: bytes, sealed: bytes) -> Answer:
    """The answer; UnopenableAnswerError."""
    try:
        if len(sealed) != SEALED_BYTES:
            raise InvalidTag
        packed = ChaCha20Poly1305(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], tag)
    except InvalidTag as error:
        raise UnopenableAnswerError(
            "an answer about borrowing does not open with this key and tag"
        ) from error
    if any(packed[PACKED_BYTES:]):
        raise UnopenableAnswerError("an answer about borrowing with wrong padding")
    return parse_answer(packed[:PACKED_BYTES])
