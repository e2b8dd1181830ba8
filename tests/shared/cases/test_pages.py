"""Pages: of one size, signed, at one place; and what is none of this is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.cases.case import Case, SignedCase, read_case
from shared.cases.pages import (
    PAGE_ROWS,
    REQUEST_BYTES,
    CountPage,
    EdgePage,
    Page,
    Receipt,
    check_receipt,
    read_page,
)
from shared.errors import InternalError, LianfangError, PeerError
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text, text_of
from shared.wire import cases_pb2 as wire
from shared.wire.padding import fill
from tests.case_lenders import AUTHORITY, CASE, MONDAY, START, Lender, Observed, innocents
from tests.identities import identity_under

OTHER = replace(CASE, id=b"d" * 16)
LENDER = Lender("L01")
innocents([LENDER])
DESK = identity_under(AUTHORITY, "D1", "desk", START)
COUNT = LENDER.count_pages(CASE, 0)
EDGES = LENDER.edge_pages(CASE, 0, None)


def read(kind: type[Page], text: bytes, peer: str = "L01", case: Case = CASE) -> Page:
    """As a desk does."""
    return read_page(kind, text, case, peer, AUTHORITY.certificate, START)


def test_a_week_has_as_many_pages_of_one_size_whatever_is_in_them() -> None:
    """A lender with nothing, and one with a longer code, send as many bytes."""
    sizes = set()
    for lender in (LENDER, Lender("L02"), Lender("a-lender-with-a-long-code")):
        texts = [*lender.count_pages(CASE, 0), *lender.edge_pages(CASE, 0, None)]
        assert len(texts) == 3
        for text in texts:
            request = wire.PageRequest(case=CASE.id, stage="count", page=text)
            fill(request, REQUEST_BYTES)
            sizes.add(request.ByteSize())
    assert sizes == {REQUEST_BYTES}


def test_what_was_put_in_is_there_among_drawn_rows_in_the_order_of_its_bytes() -> None:
    """So a page's order says nothing about the lender's."""
    pages = [read(CountPage, text) for text in COUNT]
    rows = [page.rows[at : at + 64] for page in pages for at in range(0, len(page.rows), 64)]
    assert rows == sorted(rows)
    ids = {row[:32] for row in rows}
    assert {one.tobytes() for one in LENDER.ids(CASE, 0)} < ids
    edges = read(EdgePage, EDGES[0]).edges()
    assert len(edges) == PAGE_ROWS
    assert sorted(set(edges.kind.tolist())) == [Kind.DEVICE, Kind.EMERGENCY_CONTACT]


def test_more_than_fits_is_our_own_fault() -> None:
    """A lender cuts before it makes pages."""
    many = Lender("L01", [Observed("p", f"t{one}", Kind.PHONE) for one in range(600)])
    with pytest.raises(InternalError, match="do not fit"):
        many.edge_pages(CASE, 0, None)


@pytest.mark.parametrize(
    ("said", "peer", "case"),
    [
        ("sent by who signed", "L02", CASE),
        ("another case", "L01", OTHER),
        ("another case", "L01", replace(CASE, minimum_lenders=4)),
        ("another case, week", "L01", replace(CASE, count_pages=1)),
    ],
)
def test_a_page_is_of_its_lender_its_case_and_its_place(said: str, peer: str, case: Case) -> None:
    """Anybody else's, or one replayed elsewhere, is refused; in its place it is taken (control)."""
    assert read(CountPage, COUNT[1]).number == 1
    with pytest.raises(PeerError, match=said):
        read(CountPage, COUNT[1], peer, case)


def test_a_forged_or_changed_page_is_refused() -> None:
    """Another row, another week, another signer; and a coordinator is no lender."""
    page = read(EdgePage, EDGES[0])
    changed = bytearray(page.rows)
    changed[0] ^= 1
    forged = identity_under(AUTHORITY, "L02", "lender", START)
    posing = identity_under(AUTHORITY, "L01", "coordinator", START)
    for wrong in (
        replace(page, rows=bytes(changed)),
        replace(page, week=1),
        replace(page, certificate=forged.member.certificate),
        replace(page, certificate=posing.member.certificate),
        replace(page, signature=bytes(64)),
    ):
        with pytest.raises(PeerError):
            read(EdgePage, text_of(wrong))
    with pytest.raises(PeerError):
        read(CountPage, EDGES[0])


def signed_with(page: EdgePage, at: int, value: int) -> bytes:
    """The page with another byte in its first row, honestly signed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    rows = bytearray(page.rows)
    rows[at] = value
    changed = replace(page, rows=bytes(rows), signature=b"")
    key = Ed25519PrivateKey.from_private_bytes(LENDER.identity.private)
    return text_of(replace(changed, signature=key.sign(changed.transcript())))


@pytest.mark.parametrize(("at", "value"), [(64, 10), (65, 1), (66, 1), (67, 33), (68, 3)])
def test_an_edge_of_no_kind_week_band_or_mark_is_refused(at: int, value: int) -> None:
    """Though its lender signed it; with a value in range it is taken (control)."""
    page = read(EdgePage, EDGES[0])
    assert read(EdgePage, signed_with(page, at, 0))
    with pytest.raises(PeerError):
        read(EdgePage, signed_with(page, at, value))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(COUNT[0]) - 1), st.binary(max_size=3))
def test_garbage_is_refused_in_words(garbage: bytes, at: int, put: bytes) -> None:
    """Drawn bytes, and a real page with some bytes replaced."""
    damaged = COUNT[0][:at] + put + COUNT[0][at + len(put) :]
    for text in (garbage, damaged, COUNT[0] + garbage, COUNT[0] * 2):
        if text == COUNT[0]:
            continue
        with pytest.raises(PeerError):
            read(CountPage, text)


def test_a_receipt_is_the_desks_word_about_one_page() -> None:
    """For another page, by another signer, or changed it is none."""
    page = read(CountPage, COUNT[0])
    receipt = Receipt(desk="D1", page=page.digest, received=5).signed(DESK.private)

    def check(receipt: Receipt, certificate: bytes, digest: bytes = page.digest) -> Receipt:
        text = text_of(receipt)
        return check_receipt(text, "D1", certificate, AUTHORITY.certificate, digest, START)

    own = DESK.member.certificate
    assert check(receipt, own) == receipt
    for wrong in (
        (receipt, own, bytes(32)),
        (replace(receipt, received=6), own),
        (receipt, LENDER.identity.member.certificate),
        (replace(receipt, desk="D2"), own),
    ):
        with pytest.raises(PeerError):
            check(*wrong)


def test_a_case_is_what_the_desk_signed() -> None:
    """Changed terms, or another signer, are refused."""
    signed = SignedCase(case=CASE, desk="D1", certificate=DESK.member.certificate)
    signed = signed.signed(DESK.private)
    authority = AUTHORITY.certificate
    assert read_case(text_of(signed), "D1", authority).case == CASE
    lender = LENDER.identity
    for wrong in (
        replace(signed, case=replace(CASE, minimum_lenders=2)),
        replace(signed, certificate=lender.member.certificate).signed(lender.private),
    ):
        with pytest.raises(PeerError):
            read_case(text_of(wrong), "D1", authority)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": b"short"},
        {"first_monday": date(2031, 5, 6)},
        {"weeks": 0},
        {"kinds": (3, 1)},
        {"kinds": (77,)},
        {"minimum_lenders": 1},
        {"opened": "yesterday"},
        {"count_pages": 0},
        {"first_monday": date(9999, 12, 27)},
        {"epoch": 2**70},
        {"minimum_lenders": 2**70},
        {"name": '=HYPERLINK("http://x")'},
        {"name": "x\x1b[2Jscore 0 of 100"},
        {"name": "x\nscore          0 of 100"},
        {"name": "-x"},
        {"name": " x"},
        {"name": "x" * 65},
    ],
)
def test_a_case_on_strange_terms_is_none(wrong: dict[str, object]) -> None:
    """Whoever signs it."""
    with pytest.raises(LianfangError):
        replace(CASE, **wrong)  # type: ignore[arg-type]


def test_a_case_is_its_text() -> None:
    """And knows its weeks."""
    assert read_text(Case, text_of(CASE)) == CASE
    assert CASE.monday(1) == MONDAY + timedelta(days=7)
    assert CASE.kinds == tuple(range(10))
    for name in ("春季 2026", "Spring-2026 v.1"):
        assert replace(CASE, name=name).name == name
