"""Hashes, tokens and random names: bytes that say nothing about anybody.

Invariants:
- Bytes of the wrong length, and bytes that are a number or a text in disguise, are refused: a raw
  identifier cannot travel in a field made for a hash. A genuine hash is refused by this with
  probability below 10⁻¹¹.
"""

from __future__ import annotations

import re

from shared.errors import PeerError

NAME = 16
"""Bytes of a random name: of an entry, an event, a ring."""
HASH = 32
"""Bytes of a hash, a token or a person's mark."""

_DIGITS = re.compile(rb"[0-9]{11}")
_TEXT = re.compile(rb"[\x20-\x7e\x00]{32}")
_PADDED = re.compile(rb"(.)\1{5}\Z", re.DOTALL)


def check_opaque(what: str, value: object, length: int = HASH) -> None:
    """PeerError, which does not quote the value, unless it is `length` bytes that look random."""
    if type(value) is not bytes or len(value) != length:
        raise PeerError(f"{what} is not {length} bytes")
    if _DIGITS.search(value) or _TEXT.fullmatch(value) or _PADDED.search(value):
        raise PeerError(f"{what} looks like a number or a text, not like a hash: not accepted")
