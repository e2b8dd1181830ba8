"""A case: one graph, for so many weeks, under tokens of its own.

Invariants:
- Everything a case's tokens are derived with is in its `id`, which is drawn; two cases share none.
- What members agreed to (kinds, weeks, how many lenders at least, pages a week) is signed by the
  desk once; its `digest` is in every page and every bulletin, so nobody takes one for another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.blacklist.entry import MOST_EPOCH, check_fields
from shared.blacklist.events import check_signature
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Role, read_member
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text, text_of

ID_BYTES = 16
MOST_WEEKS, MOST_PAGES = 520, 4096
MOST_NAME, MOST_LENDERS = 64, 10_000
YEARS = range(2000, 2200)
"""In which a case may begin: far from where dates end."""
MOST_CASES = 64
"""That a desk has at a time: a desk opens no more, and a lender takes no longer answer."""
ROLE: Role = "desk"
_DOMAIN = b"lianfang/case/v1/"


@dataclass(frozen=True, kw_only=True)
class Case:
    """`id`: 16 drawn bytes; `kinds`: of `shared.rings.kinds`; `epoch`: of the holders' key;
    `opened`: ISO, with a zone; `count_pages`, `edge_pages`: how many each lender sends each week,
    whatever it has.
    """

    id: bytes
    name: str
    first_monday: date
    weeks: int
    kinds: tuple[int, ...]
    epoch: int
    minimum_lenders: int = 3
    opened: str
    count_pages: int = 4
    edge_pages: int = 4

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(int(kind) for kind in self.kinds))
        check_fields(self)
        if len(self.id) != ID_BYTES or not is_name(self.name):
            raise PeerError(
                "a case has 16 bytes as its id and a name of 1 to 64 letters, digits, spaces, - "
                "and ., that begins with a letter or digit"
            )
        if self.first_monday.weekday() != 0 or not 1 <= self.weeks <= MOST_WEEKS:
            raise PeerError(f"a case begins on a Monday and lasts 1 to {MOST_WEEKS} weeks")
        if self.first_monday.year not in YEARS:
            raise PeerError(f"a case begins in the years {YEARS[0]} to {YEARS[-1]}")
        if not set(self.kinds) <= set(map(int, Kind)) or sorted(set(self.kinds)) != [*self.kinds]:
            raise PeerError("a case's kinds are known ones, each once, in order")
        if not self.kinds or not 1 <= self.epoch <= MOST_EPOCH:
            raise PeerError(f"a case has kinds and an epoch of 1 to {MOST_EPOCH}")
        if not 2 <= self.minimum_lenders <= MOST_LENDERS:
            raise PeerError(f"a case has 2 to {MOST_LENDERS} lenders at least")
        if not all(1 <= pages <= MOST_PAGES for pages in (self.count_pages, self.edge_pages)):
            raise PeerError(f"a case has 1 to {MOST_PAGES} pages a week")
        opened_at(self)

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for all of it."""
        return sha256(_DOMAIN + text_of(self)).digest()

    def monday(self, week: int) -> date:
        """The first day of its week 0, 1, …"""
        return self.first_monday + timedelta(weeks=week)


@dataclass(frozen=True, kw_only=True)
class SignedCase:
    """A case with the desk's word; `certificate`: DER, of the desk."""

    case: Case
    desk: str
    certificate: bytes
    signature: bytes = b""

    def transcript(self) -> bytes:
        """The bytes its signature covers."""
        return _DOMAIN + text_of(replace(self, signature=b""))

    def signed(self, private: bytes) -> SignedCase:
        """With the signature of a raw Ed25519 key, 32 bytes."""
        key = Ed25519PrivateKey.from_private_bytes(private)
        return replace(self, signature=key.sign(self.transcript()))


def is_name(name: str) -> bool:
    """Whether it may be a case's name: it is shown in terminals and spreadsheets, which do as some
    characters say.
    """
    plain = all(one.isalnum() or one in " -." for one in name)
    return 0 < len(name) <= MOST_NAME and plain and name[0].isalnum() and name == name.strip()


def opened_at(case: Case) -> datetime:
    """When it was opened; PeerError when that is no time with a zone."""
    try:
        when = datetime.fromisoformat(case.opened)
        if when.tzinfo is None:
            raise ValueError("no zone")
        return when.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PeerError("a case was opened at no time with a zone") from None


def read_case(text: bytes, desk: str, authority: bytes) -> SignedCase:
    """The case with this text, signed by `desk` under `authority` (DER) when it says it was opened.
    PeerError otherwise.
    """
    signed = read_text(SignedCase, text)
    when = opened_at(signed.case)
    public = check_desk(signed.certificate, signed.desk, desk, authority, when)
    check_signature(public, signed.signature, signed.transcript())
    return signed


def check_desk(
    certificate: bytes, named: str, desk: str, authority: bytes, when: datetime
) -> bytes:
    """The raw public key of a certificate (DER); PeerError unless it is the desk's at `when`."""
    try:
        member = read_member(certificate, authority, when)
    except OperatorError as error:  # the time is the message's, so the fault is not ours
        raise PeerError("a desk's message is of a time when nobody was certified") from error
    if (member.code, member.role, named) != (desk, ROLE, desk):
        raise PeerError("a message is not signed by the case desk that was asked")
    return member.public
