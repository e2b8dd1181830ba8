"""What a desk says besides bulletins: where a case stands, and what of a lender's is shared.

Invariants:
- Each is signed and names its case by digest, and its week; told ids name the lender and the digest
  of the ids. So nobody on the way changes it, an old or another's answer is not taken for this one,
  and a desk that says two things has signed both.
- What is dated more than a day from the reader's clock is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.blacklist.entry import check_fields
from shared.blacklist.events import check_signature
from shared.cases.case import MOST_WEEKS, Case, check_desk
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text, text_of

STAGES = ("waiting", "count", "edges", "finding", "over", "closed")
"""Where a case may stand: `closed` was ended by its desk before its weeks were over."""
AWAY = timedelta(days=1)
_DOMAIN = b"lianfang/case/said/v1/"
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
Said = TypeVar("Said", bound="_Said")


@dataclass(frozen=True, kw_only=True)
class _Said:
    """`certificate`: DER, of the desk; `case`: its digest; `at`: seconds since 1970."""

    desk: str
    certificate: bytes
    case: bytes
    week: int
    at: int
    signature: bytes = b""

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.case) != 32 or not 0 <= self.week < MOST_WEEKS or not 0 <= self.at < 2**40:
            raise PeerError("a desk's word names no case, week or time")

    def transcript(self) -> bytes:
        """The bytes its signature covers."""
        return _DOMAIN + text_of(replace(self, signature=b""))

    def signed(self: Said, private: bytes) -> Said:
        """With the signature of a raw Ed25519 key, 32 bytes."""
        key = Ed25519PrivateKey.from_private_bytes(private)
        return replace(self, signature=key.sign(self.transcript()))


@dataclass(frozen=True, kw_only=True)
class SaidStanding(_Said):
    """What is open of a case: `stage` of STAGES, from `opens` to `closes` (seconds since 1970);
    `bulletin`: the latest version, 0 for none.
    """

    stage: str
    opens: int
    closes: int
    bulletin: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stage not in STAGES or min(self.opens, self.closes, self.bulletin) < 0:
            raise PeerError("a case stands where none does")


@dataclass(frozen=True, kw_only=True)
class SaidShared(_Said):
    """After the count of `week`: which ids of the lender `member` are shared; `ids`: SHA-256 of all
    that were told, 32 bytes each, in their order.
    """

    member: str
    ids: bytes


def read_standing(
    text: bytes, case: Case, desk: str, authority: bytes, now: datetime
) -> SaidStanding:
    """The standing with this text, of this case, said by `desk` under `authority` (DER) within a
    day of `now`. PeerError otherwise.
    """
    return _read(SaidStanding, text, case, desk, authority, now)


def read_shared(
    text: bytes, ids: bytes, case: Case, week: int, member: str, desk: str, authority: bytes,
    now: datetime,
) -> SaidShared:  # fmt: skip
    """The same of told ids, which are those that came, after the count of `week`, for `member`."""
    said = _read(SaidShared, text, case, desk, authority, now)
    if (said.week, said.member, said.ids) != (week, member, sha256(ids).digest()):
        raise PeerError("the case desk told something else than it signed: no edge was sent")
    return said


def _read(
    kind: type[Said], text: bytes, case: Case, desk: str, authority: bytes, now: datetime
) -> Said:
    said = read_text(kind, text)
    when = _ZERO + timedelta(seconds=said.at)
    if abs(when - now) > AWAY:
        raise PeerError(
            "the case desk's word is dated more than a day from this machine's clock",
            remedy="check this machine's clock; if it is right, ask the desk's operator",
        )
    public = check_desk(said.certificate, said.desk, desk, authority, when)
    check_signature(public, said.signature, said.transcript())
    if said.case != case.digest:
        raise PeerError("the case desk's word is about another case")
    return said
