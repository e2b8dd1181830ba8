"""Checkpoints: the registry's signed word on what the published list is at a version.

    head(v) = SHA-256(text of checkpoint v without its signature); checkpoint v + 1 holds head(v)

Invariants:
- Each checkpoint fixes all before it. Two that are signed for one version and differ, or one that
  does not hold the head before it, are a fork: they prove by themselves that the registry lied.
- `changes` is the digest of what came with this version, `content` that of all rows at it.
- It holds counts of rows and key epochs; nothing about events or contributors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.blacklist.entry import check_fields
from shared.blacklist.events import check_signature
from shared.blacklist.rows import Row
from shared.errors import InternalError, OperatorError, PeerError
from shared.identity.certificate import read_member
from shared.secure_sum.encoding import read_text, text_of

BEGINNING = bytes(32)
"""The head before the first version."""
BUCKETS = 4096
"""Rows are hashed in groups by the first 12 bits of the tag: a change costs one group, not all."""
AHEAD = timedelta(days=1)
"""How far the registry's clock may be ahead of a member's."""
_DOMAIN = b"lianfang/checkpoint/v1/"
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """`certificate`: DER, of the signer `registry`; `at`: seconds since 1970; `log`: head of the
    event log, which only the registry holds; other digests 32 bytes.
    """

    registry: str
    certificate: bytes
    version: int
    before: bytes
    changes: bytes
    content: bytes
    rows: int
    epochs: tuple[int, ...]
    at: int
    log: bytes
    signature: bytes = b""

    signer = "registry"  # the role of who signs; no field

    def __post_init__(self) -> None:
        check_fields(self)
        digests = (self.before, self.changes, self.content, self.log)
        if any(len(one) != 32 for one in digests) or not 0 <= self.at < 2**40:
            raise PeerError("a checkpoint's digest or time is out of range")
        if self.version < 1 or self.rows < 0:
            raise PeerError("a checkpoint has a version from 1 and a number of rows")

    @property
    def head(self) -> bytes:
        """What the next checkpoint holds as `before`, 32 bytes."""
        return sha256(self.transcript()).digest()

    def transcript(self) -> bytes:
        """The bytes its signature covers."""
        return _DOMAIN + text_of(replace(self, signature=b""))

    def signed(self, private: bytes) -> Self:
        """With the signature of a raw Ed25519 key, 32 bytes."""
        key = Ed25519PrivateKey.from_private_bytes(private)
        return replace(self, signature=key.sign(self.transcript()))


C = TypeVar("C", bound=Checkpoint)


class ForkError(PeerError):
    """Two checkpoints that cannot both belong to one list; each is signed by the registry."""

    def __init__(self, known: Checkpoint, other: Checkpoint) -> None:
        super().__init__(
            f"version {other.version} of the list contradicts version {known.version} known here",
            remedy="stop using this registry and show both checkpoints to the other members",
        )
        self.known = known
        self.other = other


def read_checkpoint(text: bytes, registry: str, authority: bytes) -> Checkpoint:
    """The checkpoint with this text, signed by `registry` under `authority` (DER) when it says it
    was made. PeerError otherwise.
    """
    return read_kind(Checkpoint, text, registry, authority)


def read_kind(kind: type[C], text: bytes, registry: str, authority: bytes) -> C:
    """As `read_checkpoint`, of a kind of checkpoint."""
    checkpoint = read_text(kind, text)
    made = _ZERO + timedelta(seconds=checkpoint.at)
    try:
        check_signer(checkpoint, registry, authority, made)
    except OperatorError as error:  # the time is the message's, so the fault is not ours
        raise PeerError("a checkpoint is of a time when the authority certified nobody") from error
    return checkpoint


def check_signer(checkpoint: Checkpoint, registry: str, authority: bytes, now: datetime) -> None:
    """PeerError unless `registry`, certified by `authority` (DER) in the role that signs this kind
    and valid at `now`, signed it, no more than a day after `now`: one dated ahead would make later
    silence look fresh.
    """
    if _ZERO + timedelta(seconds=checkpoint.at) > now + AHEAD:
        raise PeerError(
            "a checkpoint is dated more than a day ahead of this machine's clock",
            remedy="check this machine's clock; if it is right, ask the registry's operator",
        )
    member = read_member(checkpoint.certificate, authority, now)
    if (member.code, member.role, checkpoint.registry) != (registry, checkpoint.signer, registry):
        raise PeerError(f"a checkpoint is not signed by the {checkpoint.signer} that was asked")
    check_signature(member.public, checkpoint.signature, checkpoint.transcript())


def check_follows(known: Checkpoint, other: Checkpoint) -> None:
    """ForkError unless `other` is the same version as `known` or the very next one of one list."""
    if other.version == known.version:
        if other.head != known.head:
            raise ForkError(known, other)
    elif other.version == known.version + 1:
        if other.before != known.head or other.at < known.at:
            raise ForkError(known, other)
    else:
        raise PeerError(
            f"version {other.version} was shown where {known.version + 1} is due",
            remedy="nothing was changed; ask again, and if it stays so, ask the operator",
        )


def bucket_of(tag: bytes) -> int:
    """0 to 4095: the group a row's tag is hashed in."""
    return tag[0] << 4 | tag[1] >> 4


def bucket_digest(rows: Iterable[Row]) -> bytes:
    """SHA-256 over a group's rows in order."""
    hashed = sha256(b"lianfang/rows/v1\0")
    for row in rows:
        hashed.update(row.packed())
    return hashed.digest()


def content_digest(buckets: Mapping[int, bytes]) -> bytes:
    """Of all rows, from the digests of the groups that are not empty."""
    hashed = sha256(b"lianfang/content/v1\0")
    for number in sorted(buckets):
        hashed.update(number.to_bytes(2, "big") + buckets[number])
    return hashed.digest()


class ContentReader:
    """The content digest of rows that arrive one by one, in order; it keeps one group's hash."""

    def __init__(self) -> None:
        self._buckets: dict[int, bytes] = {}
        self._number = -1
        self._hashed = sha256()
        self._last: Row | None = None
        self.rows = 0

    def take(self, row: Row) -> None:
        """The next row; PeerError when it is out of order."""
        if self._last is not None and row <= self._last:
            raise PeerError("rows are not in order")
        number = bucket_of(row.tag)
        if number != self._number:
            self._close()
            self._number, self._hashed = number, sha256(b"lianfang/rows/v1\0")
        self._hashed.update(row.packed())
        self._last = row
        self.rows += 1

    def digest(self) -> bytes:
        """Of all rows taken."""
        return content_digest(self.groups)

    @property
    def groups(self) -> dict[int, bytes]:
        """The digests of the groups of all rows taken, by number."""
        self._close()
        self._number = -1
        return dict(self._buckets)

    def _close(self) -> None:
        if self._number in self._buckets:
            raise InternalError("a group of rows was closed twice")
        if self._number >= 0:
            self._buckets[self._number] = self._hashed.digest()
