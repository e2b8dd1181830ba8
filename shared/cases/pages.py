"""Pages: what a lender sends to the desk in a week, always as many and of one size.

    count page   512 × (degree id 32, pair tag 32)
    edge page    512 × (subject 32, attribute 32, kind 1, week 2, band 1, listed 1)

Rows may take back earlier ones: `taken_back`.

Invariants:
- A lender sends `count_pages` and `edge_pages` of its case each week, filled up with drawn rows and
  sorted: neither their number nor their size nor the order of rows says what it has.
- A page is signed, names its case by digest, and has one place (week, number); a desk takes one
  page at a place, and the same one again.
- Drawn pairs and edges meet nothing: the chance that 32 drawn bytes do is nil.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Literal, TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from shared.blacklist.entry import check_fields
from shared.blacklist.events import check_signature
from shared.cases.case import Case, check_desk
from shared.cases.case_tokens import TOKEN_BYTES, Rows
from shared.cases.numbered import whole
from shared.errors import InternalError, PeerError
from shared.identity.certificate import Identity, read_member
from shared.rings.edges import LAST_BAND
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.group import RandomBytes

BACK = 2
"""As `listed`: this edge is taken back (`taken_back`)."""
Stage = Literal["count", "edges"]
PAGE_ROWS = 512
PAIR_BYTES, EDGE_BYTES = 64, 69
MOST_BYTES = 49 << 10
"""Of a page's text."""
REQUEST_BYTES = 50 << 10
"""Of a request with a page (`shared.wire.padding`): codes and certificates differ in length."""
_EDGE = np.dtype(
    [
        ("subject", np.uint8, (TOKEN_BYTES,)),
        ("attribute", np.uint8, (TOKEN_BYTES,)),
        ("kind", "u1"),
        ("week", ">u2"),
        ("band", "u1"),
        ("listed", "u1"),
    ]
)


@dataclass(frozen=True, kw_only=True)
class _Page:
    """`case`: its digest; `member`: the lender; `certificate`: its, DER; `rows`: packed."""

    case: bytes
    week: int
    number: int
    member: str
    certificate: bytes
    rows: bytes
    signature: bytes = b""

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.case) != 32 or self.week < 0 or self.number < 0:
            raise PeerError("a page names no case, week or number")

    @property
    def digest(self) -> bytes:
        """32 bytes that stand for the page, its signature included."""
        return sha256(text_of(self)).digest()

    def transcript(self) -> bytes:
        """The bytes its signature covers."""
        return b"lianfang/case/page/v1/" + text_of(replace(self, signature=b""))


@dataclass(frozen=True, kw_only=True)
class CountPage(_Page):
    """Pairs of attribute and subject, to be counted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.rows) != PAGE_ROWS * PAIR_BYTES:
            raise PeerError(f"a count page has {PAGE_ROWS} pairs")

    def pairs(self) -> tuple[Rows, Rows]:
        """Degree ids and pair tags, (512, 32) each."""
        table = np.frombuffer(self.rows, np.uint8).reshape(PAGE_ROWS, PAIR_BYTES)
        return table[:, :TOKEN_BYTES], table[:, TOKEN_BYTES:]


@dataclass(frozen=True, kw_only=True)
class EdgePage(_Page):
    """Edges, of attributes that the count found at two subjects or more. `mark`: 32 bytes that only
    this lender and the desk know, by which it knows again what rests on its word (`ring_flag`).
    """

    mark: bytes

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.mark) != 32:
            raise PeerError("a page of edges has a mark of 32 bytes")
        if len(self.rows) != PAGE_ROWS * EDGE_BYTES:
            raise PeerError(f"an edge page has {PAGE_ROWS} edges")

    def edges(self) -> EdgeRows:
        """Its columns, 512 long each."""
        table = np.frombuffer(self.rows, _EDGE)
        return EdgeRows(*(table[name] for name in _EDGE.fields or ()))


@dataclass(frozen=True, eq=False)
class EdgeRows:
    """Columns of equal length n: tokens (n, 32); kind, week, band, listed (n,). `listed`: 1
    where the lender found the subject on the shared list, or BACK.
    """

    subject: Rows
    attribute: Rows
    kind: NDArray[np.integer]
    week: NDArray[np.integer]
    band: NDArray[np.integer]
    listed: NDArray[np.integer] | NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.subject)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The desk's word that it has a page, durably. `page`: its digest; `received`: seconds since
    1970.
    """

    desk: str
    page: bytes
    received: int
    signature: bytes = b""

    def __post_init__(self) -> None:
        check_fields(self)

    def transcript(self) -> bytes:
        """The bytes its signature covers."""
        return b"lianfang/case/receipt/v1/" + text_of(replace(self, signature=b""))

    def signed(self, private: bytes) -> Receipt:
        """With the signature of a raw Ed25519 key, 32 bytes."""
        key = Ed25519PrivateKey.from_private_bytes(private)
        return replace(self, signature=key.sign(self.transcript()))


Page = TypeVar("Page", CountPage, EdgePage)


def count_room(case: Case) -> int:
    """How many pairs a lender can send in a week; the rest waits."""
    return case.count_pages * PAGE_ROWS


def edge_room(case: Case) -> int:
    """How many edges a lender can send in a week; the rest waits."""
    return case.edge_pages * PAGE_ROWS


def count_pages(
    case: Case, week: int, ids: Rows, tags: Rows, identity: Identity, random: RandomBytes
) -> list[CountPage]:
    """All of a week's count pages, with degree ids and pair tags (n, 32), n up to `count_room`.

    Made once and kept until all are answered: drawn rows are others each time.
    """
    missing = _missing(count_room(case), len(ids))
    pairs = np.hstack([ids, tags]).reshape(-1, PAIR_BYTES)
    rows = np.vstack([pairs, drawn_pairs(missing, random)])
    return [*_signed(CountPage, case, week, rows, identity)]


def edge_pages(
    case: Case, week: int, edges: EdgeRows, identity: Identity, random: RandomBytes, mark: bytes
) -> list[EdgePage]:
    """All of a week's edge pages, with n edges, n up to `edge_room`; made once, as above. `mark`:
    the lender's own of this case, 32 bytes.
    """
    missing = _missing(edge_room(case), len(edges))
    table = np.zeros(len(edges), _EDGE)
    for name in _EDGE.fields or ():
        table[name] = getattr(edges, name)
    rows = np.vstack([_packed(table), drawn_edges(case, week, missing, random)])
    return [*_signed(EdgePage, case, week, rows, identity, mark=mark)]


def drawn_pairs(number: int, random: RandomBytes) -> Rows:
    """(number, 64): pairs that stand for nothing."""
    return np.frombuffer(random(number * PAIR_BYTES), np.uint8).reshape(number, PAIR_BYTES)


def drawn_edges(case: Case, week: int, number: int, random: RandomBytes) -> Rows:
    """(number, 69): edges that stand for nothing."""
    table = np.zeros(number, _EDGE)
    if number:
        tokens = np.frombuffer(random(number * 2 * TOKEN_BYTES), np.uint8)
        table["subject"], table["attribute"] = tokens.reshape(2, number, -1)
    table["kind"], table["week"] = case.kinds[0], week
    return _packed(table)


def read_page(
    kind: type[Page], text: bytes, case: Case, peer: str, authority: bytes, now: datetime
) -> Page:
    """The page with this text, of the lender `peer` and signed by it, for this case; PeerError
    otherwise. Its week and place in the cycle are the desk's to judge.
    """
    if len(text) > MOST_BYTES:
        raise PeerError(f"a page has at most {MOST_BYTES} bytes")
    page = read_text(kind, text)
    if page.member != peer:
        raise PeerError("a page is sent by who signed it")
    member = read_member(page.certificate, authority, now)
    if (member.code, member.role) != (peer, "lender"):
        raise PeerError("a page is not signed by the lender that it names")
    check_signature(member.public, page.signature, page.transcript())
    most = case.count_pages if kind is CountPage else case.edge_pages
    if page.case != case.digest or page.week >= case.weeks or page.number >= most:
        raise PeerError("a page is for another case, week or number")
    if isinstance(page, EdgePage):
        _check_edges(page.edges(), case, page.week)
    return page


def check_receipt(
    text: bytes, desk: str, certificate: bytes, authority: bytes, page: bytes, now: datetime
) -> Receipt:
    """The receipt with this text for the page of this digest, signed by the desk's key in
    `certificate` (DER), which is valid now. PeerError otherwise.
    """
    receipt = read_text(Receipt, text)
    public = check_desk(certificate, receipt.desk, desk, authority, now)
    check_signature(public, receipt.signature, receipt.transcript())
    if receipt.page != page:
        raise PeerError("a receipt is for another page than was sent")
    return receipt


def _check_edges(edges: EdgeRows, case: Case, week: int) -> None:
    if not np.isin(edges.kind, np.array(case.kinds)).all():
        raise PeerError("an edge is of a kind that the case does not have")
    if edges.week.max() > week or edges.band.max() > LAST_BAND or edges.listed.max() > BACK:
        raise PeerError("an edge's week, band or mark is out of range")


def _packed(table: NDArray[np.void]) -> Rows:
    return np.frombuffer(table.tobytes(), np.uint8).reshape(-1, EDGE_BYTES)


def _missing(room: int, rows: int) -> int:
    if rows > room:
        raise InternalError(f"{rows} rows do not fit into a week's pages, which take {room}")
    return room - rows


def _signed(
    kind: type[Page], case: Case, week: int, rows: Rows, identity: Identity, **more: bytes
) -> Iterator[Page]:
    rows = rows[np.argsort(whole(rows), kind="stable")]
    key = Ed25519PrivateKey.from_private_bytes(identity.private)
    for number in range(len(rows) // PAGE_ROWS):
        page = kind(
            case=case.digest,
            week=week,
            number=number,
            member=identity.member.code,
            certificate=identity.member.certificate,
            rows=rows[number * PAGE_ROWS : (number + 1) * PAGE_ROWS].tobytes(),
            **more,
        )
        yield replace(page, signature=key.sign(page.transcript()))
