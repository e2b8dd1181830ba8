"""Receipts: the registry's signed word that it has an event, durably, at a place of its log.

    head(n) = SHA-256(head(n − 1), n, received, digest of the event)

Invariants:
- A receipt exists only for an event that survives a crash.
- The same event asked about again has the same receipt, byte for byte.
- Receipts of one member's events, in the order in which they were sent, go up in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.blacklist.entry import check_fields
from shared.blacklist.events import check_signature
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text, text_of

BEGINNING = bytes(32)
_DOMAIN = b"lianfang/receipt/v1/"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """`event_id`: 16 bytes; `digest`: of the event; `seq`, `head`: its place in the log;
    `received`: seconds since 1970.
    """

    registry: str
    event_id: bytes
    digest: bytes
    seq: int
    received: int
    head: bytes
    signature: bytes = b""

    def __post_init__(self) -> None:
        check_fields(self)

    def transcript(self) -> bytes:
        """The bytes its signature covers."""
        return _DOMAIN + text_of(replace(self, signature=b""))

    def signed(self, private: bytes) -> Receipt:
        """With the signature of a raw Ed25519 key, 32 bytes."""
        key = Ed25519PrivateKey.from_private_bytes(private)
        return replace(self, signature=key.sign(self.transcript()))


def log_head(before: bytes, seq: int, received: int, digest: bytes) -> bytes:
    """The log's head after an event, 32 bytes."""
    place = seq.to_bytes(8, "big") + received.to_bytes(8, "big")
    return sha256(b"lianfang/log/v1\0" + before + place + digest).digest()


def read_receipt(
    text: bytes, registry: str, public: bytes, event_id: bytes, digest: bytes
) -> Receipt:
    """The receipt with this text, signed by `registry`'s key `public` for the event `event_id` with
    this digest. PeerError otherwise.
    """
    receipt = read_text(Receipt, text)
    if (receipt.registry, receipt.event_id) != (registry, event_id):
        raise PeerError("a receipt is for another event or of another registry")
    check_signature(public, receipt.signature, receipt.transcript())
    if receipt.digest != digest:
        raise PeerError(
            "a receipt is for other content than was sent",
            remedy="it is signed, so keep the registry's answer and show it to the other members",
        )
    return receipt


def check_later(before: Receipt | None, receipt: Receipt) -> None:
    """PeerError unless `receipt` can stand in one log after `before`, of an event sent earlier."""
    seq, received, head = (
        (0, 0, BEGINNING)
        if before is None
        else (
            before.seq,
            before.received,
            before.head,
        )
    )
    placed = log_head(head, receipt.seq, receipt.received, receipt.digest)
    next_one = receipt.seq == seq + 1 and receipt.head != placed
    if receipt.seq <= seq or receipt.received < received or next_one:
        raise PeerError(
            f"a receipt names place {receipt.seq} of the log, which contradicts an earlier receipt",
            remedy="the event stays pending; ask whether the registry lost a part of its log",
        )
