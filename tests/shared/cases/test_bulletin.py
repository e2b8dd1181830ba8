"""Bulletins: read only whole, in a chain, and only by who has what they are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.cases import ring_body, ring_flag
from shared.cases.bulletin import (
    BEGINNING,
    ROW_BYTES,
    Bulletin,
    BulletinForkError,
    Head,
    check_follows,
    content_of,
    read_content,
    read_head,
)
from shared.cases.case_tokens import subject_tokens
from shared.cases.ring_body import BodyAttribute, BodyEdge, BodyMember, RingBody
from shared.cases.ring_flag import RingFlag, Tie
from shared.cases.sealed_key import SealedKey
from shared.errors import InternalError, PeerError
from shared.secure_sum.encoding import text_of
from tests.case_lenders import AUTHORITY, START, outputs
from tests.identities import fixed_random, identity_under
from tests.shared.cases.test_pages import CASE, DESK

RING, KEY = b"r" * 16, b"k" * 32
MEMBER = RingFlag(RING, 0, ("device", "cycle"), "strong", "60-79", ring_key=KEY)
MARKS = tuple(bytes([one]) * 16 for one in range(4))
TIE = Tie(b"t" * 32, 2, 3)
SEALED = SealedKey(b"n" * 32, tuple(bytes([at]) * 32 for at in range(4)))
ATTACHED = RingFlag(
    RING, 1, ("phone",), "single", "90-100", (TIE,), True, None, MARKS, sealed=SEALED
)
NEAR = RingFlag(RING, 2, (), "weak", "60-79")
BODY = RingBody(
    ring=RING,
    score=70,
    reasons=("device",),
    motifs=("cycle",),
    members=(BodyMember(b"m" * 32, 50, False, "1"),),
    attributes=(BodyAttribute(b"a" * 32, 0, "2"),),
    edges=(BodyEdge(0, 0, 0, 3, 0, 1),),
    counter_evidence=("no_money",),
    exposure_band="none",
    first_week=1,
    last_week=3,
)
SUBJECTS = subject_tokens(CASE.id, outputs(["a", "b", "c", "nobody"]))


def made(version: int, before: Head | None, **other: object) -> tuple[Head, bytes]:
    """A bulletin about a, b and c."""
    flags = dict(zip([one.tobytes() for one in SUBJECTS], (MEMBER, ATTACHED, NEAR), strict=False))
    random = fixed_random(f"bulletin {version}")
    content, rows, bodies = content_of(CASE, version, flags, {KEY: BODY}, random)
    head = Head(
        desk="D1",
        certificate=DESK.member.certificate,
        case=CASE.digest,
        version=version,
        week=version - 1,
        before=BEGINNING if before is None else before.head,
        content=sha256(content).digest(),
        rows=rows,
        bodies=bodies,
        size=len(content),
        at=int(START.timestamp()) + version,
    )
    return replace(head, **other).signed(DESK.private), content  # type: ignore[arg-type]


FIRST, CONTENT = made(1, None)
SECOND, _ = made(2, FIRST)


def opened() -> Bulletin:
    return read_content(FIRST, CONTENT)


def test_who_has_a_subjects_token_finds_its_flag_and_nobody_else_anything() -> None:
    """The flags come back as they were put in; the ring's key opens its body."""
    found = opened().flags(CASE, SUBJECTS)
    assert found == {0: MEMBER, 1: ATTACHED, 2: NEAR}
    assert opened().body(KEY) == BODY
    assert opened().body(b"x" * 32) is None
    assert opened().flags(CASE, SUBJECTS[:0]) == {}


def test_nothing_of_a_flag_or_a_body_stands_there_in_clear() -> None:
    """Neither tokens nor ring names; no row of the first bulletin is in the second."""
    for plain in (RING, KEY, b"t" * 32, b"m" * 32, *(one.tobytes() for one in SUBJECTS)):
        assert plain not in CONTENT
    _, second = made(2, FIRST)
    rows = {CONTENT[at : at + 32] for at in range(0, FIRST.rows * ROW_BYTES, ROW_BYTES)}
    assert not any(row in second for row in rows)


def test_rows_and_bodies_are_filled_up_and_in_order() -> None:
    """Three flags are 256 rows, one body is eight places."""
    assert (FIRST.rows, FIRST.bodies) == (256, 8)
    tags = [one.tobytes() for one in opened().tags]
    assert tags == sorted(tags)
    assert [*opened().bodies] == sorted(opened().bodies)


@pytest.mark.parametrize("at", [0, 40, ROW_BYTES - 1, len(CONTENT) - 1])
def test_content_that_is_not_what_was_signed_is_not_read(at: int) -> None:
    """Changed, cut off, or longer."""
    changed = bytearray(CONTENT)
    changed[at] ^= 1
    for wrong in (bytes(changed), CONTENT[:-1], CONTENT + b"\0", b""):
        with pytest.raises(PeerError):
            read_content(FIRST, wrong)


def test_a_desk_that_signs_nonsense_is_refused() -> None:
    """Rows out of order, bodies cut off: the digest alone does not make it a bulletin."""
    swapped = CONTENT[ROW_BYTES : 2 * ROW_BYTES] + CONTENT[:ROW_BYTES] + CONTENT[2 * ROW_BYTES :]
    cut = CONTENT[:-40]
    for wrong in (swapped, cut, CONTENT[: ROW_BYTES * 256] + bytes(len(CONTENT) - ROW_BYTES * 256)):
        with pytest.raises(PeerError):
            read_content(replace(FIRST, content=sha256(wrong).digest(), size=len(wrong)), wrong)


@pytest.mark.parametrize(
    "wrong", [{"week": 10**12}, {"version": 10**12}, {"bodies": 2**62}, {"rows": 2**62}]
)
def test_a_head_beyond_any_case_is_none(wrong: dict[str, int]) -> None:
    """A week that no calendar has, or more bodies than bytes; control: as it is, it is one."""
    assert replace(FIRST) == FIRST
    with pytest.raises(PeerError):
        replace(FIRST, **wrong)  # type: ignore[arg-type]


def test_heads_follow_one_another() -> None:
    """The next one and the same one are taken (control)."""
    check_follows(None, FIRST)
    check_follows(FIRST, FIRST)
    check_follows(FIRST, SECOND)


def test_a_rollback_is_refused() -> None:
    """An older version, a version left out, and a later one as the first."""
    third, _ = made(3, SECOND)
    for known, shown in ((SECOND, FIRST), (FIRST, third), (None, SECOND)):
        with pytest.raises(PeerError, match="is due"):
            check_follows(known, shown)


@pytest.mark.parametrize("other", [{"at": 1}, {"week": 0}])
def test_two_stories_are_shown_to_be_two(other: dict[str, int]) -> None:
    """Another head of the same version, or one that does not follow, proves the desk's lie."""
    lie = replace(SECOND, at=SECOND.at + 1).signed(DESK.private)
    with pytest.raises(BulletinForkError):
        check_follows(SECOND, lie)
    for wrong in (replace(SECOND, before=bytes(31) + b"x"), replace(SECOND, **other)):
        with pytest.raises(BulletinForkError):
            check_follows(replace(FIRST, week=1), wrong.signed(DESK.private))


def test_a_head_is_the_desks_of_now() -> None:
    """Signed by a lender, changed, or dated two days ahead it is refused."""

    def read(head: Head) -> Head:
        return read_head(text_of(head), "D1", AUTHORITY.certificate, START)

    assert read(FIRST) == FIRST
    lender = identity_under(AUTHORITY, "D1", "lender", START)
    ahead = int((START + timedelta(days=2)).timestamp())
    for wrong in (
        replace(FIRST, rows=0),
        replace(FIRST, certificate=lender.member.certificate).signed(lender.private),
        replace(FIRST, at=ahead).signed(DESK.private),
        replace(FIRST, desk="D2").signed(DESK.private),
    ):
        with pytest.raises(PeerError):
            read(wrong)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=40), st.integers(0, ring_flag.FLAG_BYTES - 1))
def test_no_bytes_break_the_readers(put: bytes, at: int) -> None:
    """A flag or a body either packs to the same bytes again or is refused."""
    packed = ATTACHED.pack()
    damaged = (packed[:at] + put + packed[at + len(put) :])[: ring_flag.FLAG_BYTES]
    for one in (damaged, put):
        try:
            assert ring_flag.unpack(one).pack() == one
        except PeerError:
            continue
    body = BODY.pack()
    damaged = (body[:at] + put + body[at + len(put) :])[: len(body)]
    for one in (damaged, put):
        try:
            assert ring_body.unpack(one).pack() == one
        except PeerError:
            continue


def test_flags_that_no_desk_makes_are_our_own_fault() -> None:
    """A member without a key, a neighbour with one, an attached one with a key that is not sealed,
    too many ties, a word nobody knows.
    """
    for wrong in (
        replace(MEMBER, ring_key=None),
        replace(NEAR, ring_key=KEY),
        replace(ATTACHED, ring_key=KEY),
        replace(ATTACHED, ring_key=KEY, sealed=None),
        replace(NEAR, sealed=SEALED),
        replace(MEMBER, sealed=SEALED),
        replace(ATTACHED, ties=(TIE,) * 9),
        replace(MEMBER, strength="huge"),
        replace(MEMBER, reasons=("astrology",)),
    ):
        with pytest.raises(InternalError):
            wrong.pack()


def test_a_body_that_points_nowhere_is_refused() -> None:
    """Places, words and sizes are checked."""
    for wrong in (
        {"edges": (BodyEdge(1, 0, 0, 3, 0, 1),)},
        {"members": ()},
        {"members": BODY.members * 257},
        {"exposure_band": "huge"},
        {"counter_evidence": ("astrology",)},
        {"score": 101},
    ):
        with pytest.raises(PeerError):
            replace(BODY, **wrong)  # type: ignore[arg-type]
