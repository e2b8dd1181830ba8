"""The bulletin: what the desk found in a week, for all members alike, which each reads at home.

    content   rows by ascending tag: flag tag 32, sealed flag · bodies by ascending place: place 32,
              size class 1, sealed body
    head      signed: case, version, head before, digest of the content

Invariants:
- Everybody fetches all of it: nobody learns who was looked up. What cannot be opened says nothing:
  rows and bodies are filled up with drawn ones to multiples of 256 and 8.
- Two signed heads of one version that differ, or one that does not follow the head before it, prove
  that the desk lied; an older version than one knows is refused. After `closed` none follows.
- Content is read only whole and with the digest that the head signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from shared.blacklist.entry import check_fields
from shared.blacklist.events import check_signature
from shared.cases import ring_body, ring_flag
from shared.cases.case import MOST_WEEKS, Case, check_desk
from shared.cases.case_tokens import TOKEN_BYTES, Rows, flag_key, flag_tags
from shared.cases.numbered import whole
from shared.cases.ring_body import RingBody
from shared.cases.ring_flag import FLAG_BYTES, RingFlag
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.group import RandomBytes

BEGINNING = bytes(32)
"""The head before the first version."""
AHEAD = timedelta(days=1)
MOST_BYTES = 512 << 20
"""Of a bulletin's content."""
_SEAL = 12 + 16
ROW_BYTES = TOKEN_BYTES + FLAG_BYTES + _SEAL
_ROWS, _BODIES = 256, 8
_PLACE = 32 + 1
_DOMAIN = b"lianfang/case/bulletin/v1/"
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Head:
    """`certificate`: DER, of the desk; `case`: its digest; `version`: from 1; `week`: the last one
    whose edges are in; `at`: seconds since 1970; `closed`: the last one of a case that its desk
    ended before its weeks were over (`week` 0 also where none was).
    """

    desk: str
    certificate: bytes
    case: bytes
    version: int
    week: int
    before: bytes
    content: bytes
    rows: int
    bodies: int
    size: int
    at: int
    closed: bool = False
    signature: bytes = b""

    def __post_init__(self) -> None:
        check_fields(self)
        if any(len(one) != 32 for one in (self.case, self.before, self.content)):
            raise PeerError("a bulletin's digests are 32 bytes")
        counts = (self.week, self.rows, self.bodies, self.at)
        if self.version < 1 or min(counts) < 0 or self.at >= 2**40:
            raise PeerError("a bulletin's numbers are out of range")
        if self.week >= MOST_WEEKS or self.version > MOST_WEEKS:
            raise PeerError("a bulletin is of a week that no case has")
        least = self.rows * ROW_BYTES + self.bodies * (_PLACE + ring_body.SIZES[0] + _SEAL)
        if not least <= self.size <= MOST_BYTES:
            raise PeerError("a bulletin is larger than any")

    @property
    def head(self) -> bytes:
        """What the next head holds as `before`, 32 bytes."""
        return sha256(self.transcript()).digest()

    def transcript(self) -> bytes:
        """The bytes its signature covers."""
        return _DOMAIN + text_of(replace(self, signature=b""))

    def signed(self, private: bytes) -> Head:
        """With the signature of a raw Ed25519 key, 32 bytes."""
        key = Ed25519PrivateKey.from_private_bytes(private)
        return replace(self, signature=key.sign(self.transcript()))


class BulletinForkError(PeerError):
    """Two heads that cannot both belong to one case; each is signed by the desk."""

    def __init__(self, known: Head, other: Head) -> None:
        super().__init__(
            f"bulletin {other.version} contradicts bulletin {known.version} known here",
            remedy="stop using this desk and show both heads to the other members",
        )
        self.known, self.other = known, other


@dataclass(frozen=True, eq=False)
class Bulletin:
    """A head and what it signs. `rows`: (n, ROW_BYTES), ascending; `bodies`: sealed, by place."""

    head: Head
    rows: Rows
    bodies: Mapping[bytes, bytes]

    @property
    def tags(self) -> Rows:
        """Flag tags of the rows."""
        return self.rows[:, :TOKEN_BYTES]

    def flags(self, case: Case, subjects: Rows) -> dict[int, RingFlag]:
        """The flags of subject tokens (m, 32), by place in them; PeerError for one that is damaged.

        What its own row says, a lender that contributed a false token included, binds nobody else.
        """
        wanted = whole(flag_tags(case.id, self.head.version, subjects))
        own = whole(self.tags)
        at = np.minimum(np.searchsorted(own, wanted), max(len(own) - 1, 0))
        if not len(own):
            return {}
        return {
            int(place): self._flag(case, self.rows[at[place]].tobytes(), subjects[place].tobytes())
            for place in np.flatnonzero(own[at] == wanted)
        }

    def body(self, ring_key: bytes) -> RingBody | None:
        """The body that this key opens; None where there is none. PeerError when it is damaged."""
        sealed = self.bodies.get(_place(ring_key))
        return None if sealed is None else ring_body.unpack(_opened(ring_key, sealed, b"body"))

    def _flag(self, case: Case, row: bytes, subject: bytes) -> RingFlag:
        key = flag_key(case.id, self.head.version, subject)
        return ring_flag.unpack(_opened(key, row[TOKEN_BYTES:], row[:TOKEN_BYTES]))


def content_of(
    case: Case,
    version: int,
    flags: Mapping[bytes, RingFlag],
    bodies: Mapping[bytes, RingBody],
    random: RandomBytes,
) -> tuple[bytes, int, int]:
    """Content, and how many rows and bodies it has; `flags` by subject token, `bodies` by key."""
    subjects = np.frombuffer(b"".join(flags), np.uint8).reshape(-1, TOKEN_BYTES)
    tags = [tag.tobytes() for tag in flag_tags(case.id, version, subjects)]
    rows = [
        tag + _sealed(flag_key(case.id, version, subject), flag.pack(), tag, random)
        for tag, (subject, flag) in zip(tags, flags.items(), strict=True)
    ]
    rows += [random(ROW_BYTES) for _ in range(_left(len(rows), _ROWS))]
    parts = [
        _part(_place(key), _sealed(key, one.pack(), b"body", random)) for key, one in bodies.items()
    ]
    parts += [
        _part(random(32), random(ring_body.SIZES[0] + _SEAL))
        for _ in range(_left(len(parts), _BODIES))
    ]
    return b"".join(sorted(rows) + sorted(parts)), len(rows), len(parts)


def read_head(text: bytes, desk: str, authority: bytes, now: datetime) -> Head:
    """The head with this text, signed by `desk` under `authority` (DER) when it says it was made,
    no more than a day after `now`. PeerError otherwise.
    """
    head = read_text(Head, text)
    made = _ZERO + timedelta(seconds=head.at)
    if made > now + AHEAD:
        raise PeerError(
            "a bulletin is dated more than a day ahead of this machine's clock",
            remedy="check this machine's clock; if it is right, ask the desk's operator",
        )
    public = check_desk(head.certificate, head.desk, desk, authority, made)
    check_signature(public, head.signature, head.transcript())
    return head


def check_follows(known: Head | None, other: Head) -> None:
    """BulletinForkError unless `other` is the version known here or the very next one; with `known`
    None, the first. PeerError for an older version, or one that leaves some out.
    """
    version, before = (0, BEGINNING) if known is None else (known.version, known.head)
    if known is not None and other.case != known.case:
        raise PeerError("a bulletin of another case")
    if known is not None and other.version == version:
        if other.head != before:
            raise BulletinForkError(known, other)
        return
    if known is not None and known.closed:
        raise BulletinForkError(known, other)
    if other.version != version + 1:
        raise PeerError(
            f"bulletin {other.version} was shown where {version + 1} is due",
            remedy="nothing was changed; ask again, and if it stays so, ask the desk's operator "
            "whether an old backup was restored",
        )
    if known is None:
        if other.before != BEGINNING:
            raise PeerError("the first bulletin follows another")
    elif other.before != before or other.at < known.at or other.week < known.week:
        raise BulletinForkError(known, other)


def read_content(head: Head, content: bytes) -> Bulletin:
    """The bulletin of a checked head; PeerError when this is not what it signs."""
    if len(content) != head.size or sha256(content).digest() != head.content:
        raise PeerError("a bulletin's content is not what its head signs")
    end = head.rows * ROW_BYTES
    rows = np.frombuffer(content[:end], np.uint8).reshape(-1, ROW_BYTES)
    tags = whole(rows[:, :TOKEN_BYTES])
    if not np.array_equal(np.unique(tags), tags):
        raise PeerError("a bulletin's rows are not in order")
    bodies, at = {}, end
    for _ in range(head.bodies):
        place, size = content[at : at + 32], content[at + 32 : at + 33]
        if len(size) != 1 or size[0] >= len(ring_body.SIZES):
            raise PeerError("a bulletin's bodies are cut off")
        at += 33
        length = ring_body.SIZES[size[0]] + _SEAL
        bodies[place] = content[at : at + length]
        at += length
    if at != len(content) or len(bodies) != head.bodies:
        raise PeerError("a bulletin's bodies are cut off")
    return Bulletin(head, rows, bodies)


def _left(number: int, step: int) -> int:
    """To the next multiple of `step`, which is not zero."""
    return max(-(-number // step), 1) * step - number


def _place(key: bytes) -> bytes:
    return sha256(b"lianfang/case/body/v1\0" + key).digest()


def _part(place: bytes, sealed: bytes) -> bytes:
    size = ring_body.SIZES.index(len(sealed) - _SEAL)
    return place + bytes([size]) + sealed


def _sealed(key: bytes, packed: bytes, bound: bytes, random: RandomBytes) -> bytes:
    nonce = random(12)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, packed, bound)


def _opened(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return ChaCha20Poly1305(key).decrypt(sealed[:12], sealed[12:], bound)
    except (InvalidTag, ValueError) as error:
        raise PeerError("a sealed part of a bulletin does not open") from error
