"""What a desk says besides bulletins, signed: where its cases stand, which ids are shared."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from shared.cases.case import Case, SignedCase
from shared.cases.said import SaidShared, SaidStanding
from shared.identity.certificate import Identity

OVER = ("over", "closed", "forgotten")
"""Stages of cases that take nothing any more."""


@dataclass(frozen=True)
class Standing:
    """A case, and what is open: `stage` is `waiting` before the week is over; `opens`, `closes`:
    seconds since 1970; `bulletin`: the latest version, 0 for none.
    """

    signed: SignedCase
    week: int
    stage: str
    opens: int
    closes: int
    bulletin: int


def said(standing: Standing, identity: Identity, at: int) -> SaidStanding:
    """A standing, signed; `at`: seconds since 1970."""
    return SaidStanding(
        desk=identity.member.code,
        certificate=identity.member.certificate,
        case=standing.signed.case.digest,
        week=standing.week,
        at=at,
        stage=standing.stage,
        opens=standing.opens,
        closes=standing.closes,
        bulletin=standing.bulletin,
    ).signed(identity.private)


def said_shared(
    case: Case, week: int, member: str, ids: bytes, identity: Identity, at: int
) -> SaidShared:
    """What a lender was told after the count of a week, signed."""
    return SaidShared(
        desk=identity.member.code,
        certificate=identity.member.certificate,
        case=case.digest,
        week=week,
        at=at,
        member=member,
        ids=sha256(ids).digest(),
    ).signed(identity.private)
