"""GET /lianfang/revoked: who is believed no more, signed, for every member.

Invariants:
- It is signed anew when the list or the coordinator's certificate has changed, and once an hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from server.files import stamp_of
from server.keys import COORDINATOR, read_identity
from server.revoked import REVOKED, read_revoked
from shared.identity.revocations import signed_revocations

_AGAIN = timedelta(hours=1)


class RevokedPage:
    """Of a coordinator's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamps: tuple[object, ...] = ()
        self._signed: tuple[datetime, bytes] | None = None

    def content(self, now: datetime) -> bytes:
        """JSON; OperatorError when the list or the coordinator's keys cannot be read."""
        stamps = tuple(stamp_of(self._folder / name) for name in (REVOKED, COORDINATOR))
        if self._signed is None or stamps != self._stamps or now - self._signed[0] > _AGAIN:
            identity, authority = read_identity(self._folder, now)
            codes = read_revoked(self._folder)
            self._signed = now, signed_revocations(codes, authority, identity, now)
            self._stamps = stamps
        return self._signed[1]
