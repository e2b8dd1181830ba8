"""Why a member that is not heard from may be shut out: what the coordinator itself knows of it.

Invariants:
- It is for people: nobody is admitted or refused by it. The gate judges each certificate itself.
- A list that cannot be read explains nothing, and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from server.consortium.members import read_members
from server.revoked import read_revoked
from shared.errors import OperatorError


def _now() -> datetime:
    return datetime.now(UTC)


def why_shut_out(folder: Path, now: Callable[[], datetime] = _now) -> Callable[[str], str]:
    """For the members of the coordinator's `folder`: code → why the gate refuses it, "" if nothing
    is known against it. Each call looks anew.
    """

    def why(code: str) -> str:
        try:
            if code in read_revoked(folder):
                return "it is revoked"
            member = read_members(folder).get(code)
        except OperatorError:
            return ""
        if member is None or not member.until:
            return ""
        until = datetime.fromisoformat(member.until)
        return f"its certificates ended at {until:%Y-%m-%d %H:%M} UTC" if until < now() else ""

    return why
