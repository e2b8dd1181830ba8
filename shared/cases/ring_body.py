"""A ring as its own members' lenders see it: everything that convicts, and what speaks against.

Invariants:
- Subjects and attributes are named by names of this ring (`case_tokens.ring_names`): a lender
  knows its own again, and nobody learns a token of another's.
- No lender is named or numbered; of who confirmed an edge it says one or more.
- A body has one of three sizes. Reading never trusts: sizes, places and words are checked.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.blacklist.entry import check_fields
from shared.cases.ring_flag import REASONS
from shared.errors import InternalError, PeerError
from shared.rings.edges import LAST_BAND
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text, text_of

SIZES = (8 << 10, 32 << 10, 256 << 10)
"""Bytes of a packed body."""
MOST_MEMBERS, MOST_ATTRIBUTES, MOST_EDGES = 256, 512, 2048
LENDERS_BANDS = ("1", "2+")
SHARERS_BANDS = ("1", "2", "3-5", "6-10", "11+")
EXPOSURE_BANDS = ("none", "below 10k", "10k-100k", "100k-1M", "1M and more")
COUNTER_EVIDENCE = (
    "one_address",  # half of the members or more share a unit or a building
    "one_employer",  # half or more share an employer
    "crowded",  # something that ties them is shared by more people than its kind's cap
    "spread_in_time",  # more than 26 weeks between first and last edge
    "no_money",  # no shape of money or guarantees
    "nobody_listed",  # no member is on the shared list
    "mostly_one_lender",  # three quarters of the edges or more are one lender's
)
_LENGTH = 4


@dataclass(frozen=True)
class BodyMember:
    """`token`: its name in the ring, 32 bytes; `strength`: 0 to 100; `lenders_band`: how many
    lenders have edges of it.
    """

    token: bytes
    strength: int
    listed: bool
    lenders_band: str


@dataclass(frozen=True)
class BodyAttribute:
    """`token`: its name in the ring; `sharers_band`: subjects who have it, in the ring or not."""

    token: bytes
    kind: int
    sharers_band: str


@dataclass(frozen=True)
class BodyEdge:
    """`member`, `attribute`: places in the body; `confirmed`: 1 lender, or 2 for more."""

    member: int
    attribute: int
    kind: int
    week: int
    band: int
    confirmed: int


@dataclass(frozen=True)
class RingBody:
    """`ring`: 16 bytes; `score`: 0 to 100; weeks are those of the case; `exposure_band`: of the sum
    of payments, each at the lower end of its band, so of a bound from below.
    """

    ring: bytes
    score: int
    reasons: tuple[str, ...]
    motifs: tuple[str, ...]
    members: tuple[BodyMember, ...]
    attributes: tuple[BodyAttribute, ...]
    edges: tuple[BodyEdge, ...]
    counter_evidence: tuple[str, ...]
    exposure_band: str
    first_week: int
    last_week: int

    def __post_init__(self) -> None:
        check_fields(self)
        for rows in (self.members, self.attributes, self.edges):
            for row in rows:
                check_fields(row)
        if (
            not _sized(self)
            or not _worded(self)
            or not all(_fits(edge, self) for edge in self.edges)
        ):
            raise PeerError("a ring's body that no desk makes")

    def pack(self) -> bytes:
        """As many bytes as one of SIZES; InternalError when it is larger than the largest."""
        text = text_of(self)
        size = next((size for size in SIZES if _LENGTH + len(text) <= size), None)
        if size is None:
            raise InternalError("a ring's body is larger than any")
        return (len(text).to_bytes(_LENGTH, "big") + text).ljust(size, b"\0")


def unpack(packed: bytes) -> RingBody:
    """The body in one of SIZES bytes; PeerError."""
    end = _LENGTH + int.from_bytes(packed[:_LENGTH], "big")
    if len(packed) not in SIZES or end > len(packed) or any(packed[end:]):
        raise PeerError("a ring's body of a wrong size or padding")
    return read_text(RingBody, packed[_LENGTH:end])


def _sized(body: RingBody) -> bool:
    named = [row.token for rows in (body.members, body.attributes) for row in rows]
    return (
        len(body.ring) == 16
        and 0 <= body.score <= 100
        and 1 <= len(body.members) <= MOST_MEMBERS
        and len(body.attributes) <= MOST_ATTRIBUTES
        and len(body.edges) <= MOST_EDGES
        and all(len(token) == 32 for token in named)
        and 0 <= body.first_week <= body.last_week < 1 << 15
    )


def _worded(body: RingBody) -> bool:
    return (
        {*body.reasons, *body.motifs} <= set(REASONS)
        and set(body.counter_evidence) <= set(COUNTER_EVIDENCE)
        and body.exposure_band in EXPOSURE_BANDS
        and all(one.lenders_band in LENDERS_BANDS for one in body.members)
        and all(0 <= one.strength <= 100 for one in body.members)
        and all(one.sharers_band in SHARERS_BANDS for one in body.attributes)
        and all(0 <= one.kind < len(Kind) for one in body.attributes)
    )


def _fits(edge: BodyEdge, body: RingBody) -> bool:
    return (
        0 <= edge.member < len(body.members)
        and 0 <= edge.attribute < len(body.attributes)
        and 0 <= edge.kind < len(Kind)
        and 0 <= edge.week < 1 << 15
        and 0 <= edge.band <= LAST_BAND
        and edge.confirmed in (1, 2)
    )
