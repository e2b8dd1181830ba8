"""Invitations that were given: for whom, until when, and whether they were used.

    code → {"verifier": hex, "expires": UTC, "days": certificates last, "used": request or ""}

Invariants:
- The secret of an invitation is shown once and kept nowhere: only what it can be checked with is.
- An invitation is for one code, and one set of keys uses it. A code that has joined, or differs
  from a member's by capitals only, is not invited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from server.consortium.folder import (
    AUTHORITY,
    INVITATIONS,
    locked,
    read_consortium,
    read_object,
    write_object,
)
from server.consortium.members import read_members
from server.keys import COORDINATOR, read_certificate
from server.revoked import read_revoked
from shared.errors import OperatorError
from shared.identity.certificate import CODE, read_member
from shared.identity.enrolment import digest_of
from shared.identity.invitation import Invitation

HOURS, MOST_HOURS = 72, 24 * 60
DAYS, MOST_DAYS = 365, 3_650
_REMEDY = "restore the file from a copy of the folder, or remove it and invite anew"


@dataclass(frozen=True)
class Given:
    """An invitation as it is kept. `verifier`: hex; `expires`: ISO, UTC; `days`: how long the
    certificates last; `used`: name of the request that used it, hex, or empty.
    """

    verifier: str
    expires: str
    days: int
    used: str = ""

    def expired(self, now: datetime) -> bool:
        """Whether it is too late to use it."""
        return now > datetime.fromisoformat(self.expires)


def read_invitations(folder: Path) -> dict[str, Given]:
    """All that were given, by code; OperatorError names a wrong entry."""
    path = folder / INVITATIONS
    return {
        code: _entry(path, code, value)
        for code, value in sorted(read_object(path, _REMEDY).items())
    }


def _entry(path: Path, code: str, value: Any) -> Given:
    try:
        given = Given(**value)
        right = len(bytes.fromhex(given.verifier)) == 32 and type(given.days) is int
        if not right or datetime.fromisoformat(given.expires).tzinfo is None:
            raise ValueError("form")
    except (TypeError, ValueError) as error:
        raise OperatorError(f"{path}: {code:.64} is no invitation", remedy=_REMEDY) from error
    return given


def write_invitations(folder: Path, given: dict[str, Given]) -> None:
    """Keep them; the caller holds the lock."""
    write_object(folder / INVITATIONS, {code: asdict(one) for code, one in given.items()})


def invite(
    folder: Path,
    code: str,
    *,
    hours: int = HOURS,
    days: int = DAYS,
    now: datetime,
    random: Callable[[int], bytes],
) -> Invitation:
    """A new invitation for `code`, good for `hours` (1 to 1,440); the certificates it leads to last
    `days` (1 to 3,650). One given before for the same code and not used is good no more.

    Raises OperatorError when nobody can be invited under this code.
    """
    _check_numbers(hours, days)
    consortium = read_consortium(folder)
    authority = read_certificate(folder / AUTHORITY)
    coordinator = read_member(read_certificate(folder / COORDINATOR), authority, now)
    expires = now.astimezone(UTC).replace(microsecond=0) + timedelta(hours=hours)
    with locked(folder):
        _check_free(folder, code, coordinator.code)
        invitation = Invitation(
            code, consortium.name, consortium.enrol, digest_of(authority), random(32), expires
        )
        given = read_invitations(folder)
        given[code] = Given(invitation.verifier.hex(), expires.isoformat(), days)
        write_invitations(folder, given)
    return invitation


def withdraw(folder: Path, code: str) -> bool:
    """Make an invitation that was not used good for nothing; False if there is none."""
    with locked(folder):
        given = read_invitations(folder)
        found = given.get(code)
        if found is None or found.used:
            return False
        del given[code]
        write_invitations(folder, given)
    return True


def _check_numbers(hours: int, days: int) -> None:
    if not 1 <= hours <= MOST_HOURS:
        raise OperatorError(
            f"{hours} hours are not within 1 … {MOST_HOURS}", remedy="invite again when it is used"
        )
    if not 1 <= days <= MOST_DAYS:
        raise OperatorError(
            f"{days} days are not within 1 … {MOST_DAYS}", remedy="certificates can be renewed"
        )


def _check_free(folder: Path, code: str, coordinator: str) -> None:
    if not CODE.fullmatch(code):
        raise OperatorError(
            f"{code[:64]!r} is no code for a member",
            remedy="choose 1 to 64 ASCII letters, digits, '_', '-' or '.', such as L01",
        )
    taken = {*read_members(folder), *read_revoked(folder), coordinator}
    same = next((one for one in taken if one.casefold() == code.casefold()), None)
    if same is not None:
        raise OperatorError(
            f"the code {code} is taken: {same} has it, or had it",
            remedy="choose another code; a member whose certificates end asks for new ones with "
            "lianfang-client renew",
        )
    for other in read_invitations(folder):
        if other != code and other.casefold() == code.casefold():
            raise OperatorError(
                f"the code {code} differs from {other}, who is invited, by capitals only",
                remedy="choose another code",
            )
