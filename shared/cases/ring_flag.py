"""What a member learns about an applicant who is in a ring or near one; of one size, always.

Invariants:
- `ring_key`, which opens the ring's body, comes with flags of members. Flags of attached subjects
  have it sealed for the lenders whose word makes a member of them (`sealed_key.py`): whoever can
  make the subject's token reads the flag, and no key in it.
- On whose word an attached subject is a member, only that lender can tell: its mark is there among
  drawn ones, made with a secret that nobody but it and the desk has. What ties the subject says
  nothing about it: whoever knows an observation can repeat it.
- A lead is in a ring by one other lender's word, or tied to one that rests on it: to be looked
  into, and no ground for anything else. No flag has a key that a lead can be opened with.
- A flag names attributes by names of its ring (`case_tokens.ring_names`), lenders not at all.
- Reading never trusts: anything that packing does not make is a PeerError.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import Literal, get_args

from shared.cases.sealed_key import KEY_BYTES, MOST_SLOTS, SealedKey, with_pad
from shared.errors import InternalError, PeerError
from shared.rings.kinds import Kind
from shared.rings.motifs import Motif

Strength = Literal["strong", "single", "weak"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
REASONS = tuple(one.name.lower() for kinds in (Kind, Motif) for one in kinds)
"""What a flag or a ring may give as a reason: kinds of edges, then shapes of money."""
SCORE_BANDS = ("0-39", "40-59", "60-79", "80-89", "90-100")
MOST_TIES, MOST_MARKS, MARK_BYTES = 8, MOST_SLOTS, 16
_HEAD, _TIE = struct.Struct(">16sBBBBQB32sB"), struct.Struct(">32sBH")
_MARKS, _SLOTS = MOST_MARKS * MARK_BYTES, MOST_SLOTS * KEY_BYTES
_TIES = _HEAD.size + _MARKS + _SLOTS
FLAG_BYTES = _TIES + MOST_TIES * _TIE.size
_NO_KEY = bytes(32)
_MARK, _LEAD = b"lianfang/case/mark/v1\0", b"lianfang/case/lead/v1\0"


@dataclass(frozen=True)
class Tie:
    """One observation that ties the subject to the ring. `attribute_token`: its name in the ring,
    32 bytes.
    """

    attribute_token: bytes
    kind: int
    week: int


@dataclass(frozen=True)
class RingFlag:
    """`ring`: 16 bytes; `distance`: 0 member, 1, 2 steps from one; `attached`: tied by the word
    of the lenders that have a mark (`mark_of`) among `marks`, MOST_MARKS of 16 bytes or none; they
    may take the subject for a member, or, by a mark of a lead (`lead_mark_of`), for one. `ties` are
    what that lender sees for itself. `lead`: one to every lender that has no mark; distance 1.
    `sealed`: the ring's key for those lenders, of attached subjects only; `ring_key`: for everybody
    who reads the flag, of members only.
    """

    ring: bytes
    distance: int
    reasons: tuple[str, ...]
    strength: str
    score_band: str
    ties: tuple[Tie, ...] = ()
    attached: bool = False
    ring_key: bytes | None = None
    marks: tuple[bytes, ...] = ()
    lead: bool = False
    sealed: SealedKey | None = None

    def key_for(self, mark: bytes, subject: bytes) -> bytes | None:
        """What opens the ring's body, for the lender whose pages have `mark`, by the flag of this
        subject token; None where it is no member there, or the desk gave no key.
        """
        own = mark_of(mark, self.ring, subject)
        if self.sealed is None or own not in self.marks:
            return self.ring_key
        slot = self.sealed.slots[self.marks.index(own)]
        return with_pad(slot, mark, self.sealed.nonce, self.ring, subject)

    def pack(self) -> bytes:
        """FLAG_BYTES bytes; InternalError for what no ring is."""
        try:
            head = _HEAD.pack(
                self.ring,
                self.distance,
                int(self.attached) | int(self.lead) << 1,
                STRENGTHS.index(self.strength),
                SCORE_BANDS.index(self.score_band),
                sum(1 << REASONS.index(reason) for reason in set(self.reasons)),
                self.ring_key is not None or self.sealed is not None,
                self.ring_key or (self.sealed.nonce if self.sealed else _NO_KEY),
                len(self.ties),
            )
            rows = [_TIE.pack(tie.attribute_token, tie.kind, tie.week) for tie in self.ties]
            marks = b"".join(self.marks).ljust(_MARKS, b"\0")
            slots = b"".join(self.sealed.slots if self.sealed else ()).ljust(_SLOTS, b"\0")
            packed = (head + marks + slots + b"".join(rows)).ljust(FLAG_BYTES, b"\0")
            if unpack(packed) != self:
                raise ValueError("another flag")
        except (ValueError, struct.error, PeerError) as error:
            raise InternalError("not a flag of a ring") from error
        return packed


def mark_of(key: bytes, ring: bytes, subject: bytes) -> bytes:
    """16 bytes (HMAC-SHA-256, RFC 2104) by which the lender whose pages have `key` knows that its
    word makes a subject token a member of a ring.
    """
    return hmac.digest(key, _MARK + ring + subject, "sha256")[:MARK_BYTES]


def lead_mark_of(key: bytes, ring: bytes, subject: bytes) -> bytes:
    """The same, of a lender whose word makes the subject token a lead and no more."""
    return hmac.digest(key, _LEAD + ring + subject, "sha256")[:MARK_BYTES]


def score_band(score: float) -> str:
    """The band of a score, 0 to 100."""
    return SCORE_BANDS[sum(score >= bound for bound in (40, 60, 80, 90))]


def ordered(reasons: set[str]) -> tuple[str, ...]:
    """Reasons in the one order they are packed in."""
    return tuple(reason for reason in REASONS if reason in reasons)


def unpack(packed: bytes) -> RingFlag:
    """The flag in FLAG_BYTES bytes; PeerError."""
    if len(packed) != FLAG_BYTES:
        raise PeerError(f"a flag has {FLAG_BYTES} bytes")
    ring, distance, bits, strength, band, mask, keyed, key, count = _HEAD.unpack_from(packed)
    attached, lead = bits & 1, bits >> 1
    right = distance <= 2 and bits <= 3 and keyed <= 1 and count <= MOST_TIES
    right &= not lead or distance == 1
    right &= strength < len(STRENGTHS) and band < len(SCORE_BANDS) and mask < 1 << len(REASONS)
    right &= (distance > 0 or bool(keyed)) and (not keyed or distance == 0 or bool(attached))
    marks, slots = packed[_HEAD.size : _TIES - _SLOTS], packed[_TIES - _SLOTS : _TIES]
    right &= not (distance == 0 and attached) and (bool(attached) or not any(marks))
    right &= (distance > 0 and bool(keyed)) or not any(slots)
    right &= (bool(keyed) or key == _NO_KEY) and not any(packed[_TIES + count * _TIE.size :])
    if not right:
        raise PeerError("a flag that no desk makes")
    ties = [Tie(*_TIE.unpack_from(packed, _TIES + at * _TIE.size)) for at in range(count)]
    if any(tie.kind >= len(Kind) for tie in ties):
        raise PeerError("a flag with a tie of no known kind")
    return RingFlag(
        ring,
        distance,
        tuple(reason for at, reason in enumerate(REASONS) if mask >> at & 1),
        STRENGTHS[strength],
        SCORE_BANDS[band],
        tuple(ties),
        bool(attached),
        key if keyed and distance == 0 else None,
        _cut(marks, MARK_BYTES) if attached else (),
        bool(lead),
        SealedKey(key, _cut(slots, KEY_BYTES)) if keyed and distance else None,
    )


def _cut(content: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(content[at : at + size] for at in range(0, len(content), size))
