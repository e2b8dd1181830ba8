"""A ring's key in the flag of whom one lender's word makes a member: sealed for such lenders alone.

    pad of a lender = HMAC-SHA-256(its pages' mark key, domain, nonce, ring, subject token)
    slot            = ring key XOR pad; drawn bytes where there is no lender

Invariants:
- Who can make the subject's token opens the flag, not a slot: its lender's mark key is needed.
- The nonce is drawn for each flag, so no pad is used twice: a ring's key is new each week, its name
  and its subjects are not.
- There are MOST_SLOTS slots, at the places of the flag's marks, and none tells whether it is drawn.

Source: RFC 2104 (HMAC), as a pseudorandom function whose one block is the pad of a 32-byte key.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from shared.errors import PeerError

MOST_SLOTS, KEY_BYTES = 4, 32
_DOMAIN = b"lianfang/case/key/v1\0"


@dataclass(frozen=True)
class SealedKey:
    """`nonce`: 32 bytes; `slots`: MOST_SLOTS of 32 bytes. PeerError for anything else."""

    nonce: bytes
    slots: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if len(self.slots) != MOST_SLOTS or {KEY_BYTES} != {*map(len, (self.nonce, *self.slots))}:
            raise PeerError("a sealed key of another size")


def with_pad(key: bytes, mark: bytes, nonce: bytes, ring: bytes, subject: bytes) -> bytes:
    """The slot of a ring key, and the ring key of a slot (32 bytes), for the lender whose pages
    have the mark key `mark`.
    """
    pad = hmac.digest(mark, _DOMAIN + nonce + ring + subject, "sha256")
    return bytes(one ^ other for one, other in zip(key, pad, strict=True))
