"""What a desk says of standings and shared ids is signed, and taken for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from shared.cases.case import Case
from shared.cases.said import SaidShared, SaidStanding, read_shared, read_standing
from shared.errors import PeerError
from shared.secure_sum.encoding import text_of
from tests.case_lenders import AUTHORITY, CASE, START
from tests.identities import identity_under

DESK = identity_under(AUTHORITY, "D1", "desk", START)
OTHER = identity_under(AUTHORITY, "D2", "desk", START)
LENDER = identity_under(AUTHORITY, "L01", "lender", START)
IDS = bytes(range(64))
STANDING = SaidStanding(
    desk="D1",
    certificate=DESK.member.certificate,
    case=CASE.digest,
    week=1,
    at=int(START.timestamp()),
    stage="edges",
    opens=1,
    closes=2,
    bulletin=1,
).signed(DESK.private)
SHARED = SaidShared(
    desk="D1",
    certificate=DESK.member.certificate,
    case=CASE.digest,
    week=1,
    at=int(START.timestamp()),
    member="L01",
    ids=sha256(IDS).digest(),
).signed(DESK.private)


def standing(said: SaidStanding, case: Case = CASE) -> SaidStanding:
    return read_standing(text_of(said), case, "D1", AUTHORITY.certificate, START)


def shared(said: SaidShared, ids: bytes = IDS, week: int = 1, member: str = "L01") -> SaidShared:
    authority = AUTHORITY.certificate
    return read_shared(text_of(said), ids, CASE, week, member, "D1", authority, START)


@pytest.mark.parametrize(
    "change", [{"week": 2}, {"stage": "count"}, {"bulletin": 2}, {"closes": 9}, {"at": 1}], ids=str
)
def test_a_changed_standing_is_refused(change: dict[str, object]) -> None:
    """Whatever of it; as it was signed it is taken (control)."""
    assert standing(STANDING) == STANDING
    with pytest.raises(PeerError):
        standing(replace(STANDING, **change))  # type: ignore[arg-type]


def test_a_standing_is_of_its_case_its_desk_and_its_day() -> None:
    """Another case's, desk's or lender's, or one of two days ago, though signed, is refused."""
    with pytest.raises(PeerError, match="another case"):
        standing(STANDING, replace(CASE, id=b"d" * 16))
    for who in (OTHER, LENDER):
        made = replace(STANDING, desk=who.member.code, certificate=who.member.certificate)
        with pytest.raises(PeerError):
            standing(made.signed(who.private))
    for days in (-2, 2):
        at = int((START + timedelta(days=days)).timestamp())
        with pytest.raises(PeerError, match="dated more than a day"):
            standing(replace(STANDING, at=at).signed(DESK.private))
    with pytest.raises(PeerError):
        replace(STANDING, stage="somewhere")


def test_told_ids_are_those_that_were_signed_for_this_lender_and_week() -> None:
    """One id changed, left out or added, another lender's or week's answer: refused."""
    assert shared(SHARED) == SHARED
    for ids in (IDS[:32], IDS + bytes(32), IDS[32:] + IDS[:32], bytes(64)):
        with pytest.raises(PeerError, match="something else than it signed"):
            shared(SHARED, ids)
    with pytest.raises(PeerError, match="something else than it signed"):
        shared(SHARED, week=2)
    with pytest.raises(PeerError, match="something else than it signed"):
        shared(SHARED, member="L02")
    with pytest.raises(PeerError):
        shared(replace(SHARED, ids=sha256(IDS[:32]).digest()), IDS[:32])
