"""What each member may ask: points by purpose and day, and the requests it was charged for.

Invariants:
- Reserve before answer: a charge is on disk before a point is multiplied. A crash in between costs
  the member nothing: the same request again is not charged again.
- One request id stands for one set of points, purpose and reference. With others it is refused.
- Days only go forward: a clock that is put back opens no new quota.
- A reference is kept as a keyed digest only.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from datetime import date, timedelta

from server.keyholder.settings import Settings
from server.keyholder.store import Store
from shared.errors import PeerError

MOST_ANSWERS = 64
"""How often one request is answered: enough for every quorum of five, each with every proof."""
_ALERTS = (80, 100)
_log = logging.getLogger("lianfang.keyholder")


class QuotaError(PeerError):
    """The member has used up what it may ask for a purpose today."""


class OtherRequestError(PeerError):
    """A request id that stands for another request."""


@dataclass(frozen=True)
class Asked:
    """A request as it is charged. `id`: 16 bytes; `digest`: 32 bytes, of what is asked."""

    member: str
    id: bytes
    digest: bytes
    purpose: str
    reference: str
    points: int


class Quotas:
    """The members' accounts in a holder's file."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._told: set[tuple[str, str, str, int]] = set()

    def reserve(self, asked: Asked, today: date) -> int:
        """Charge a request, durably; what the member has used of this purpose today.

        Nothing for one charged before. QuotaError, OtherRequestError: nothing was charged.
        """
        limit = self._settings.quota(asked.member, asked.purpose)
        with self._store.transaction() as run:
            day = self._day(run, today)
            used = _used(run, asked, day)
            if _repeated(run, asked, self._store.hashed(asked.reference)):
                return used
            if used + asked.points > limit:
                self._alert(asked, day, used + asked.points, limit)
                raise QuotaError(
                    f"the quota of {limit} points a day for {asked.purpose} is used up: "
                    f"{used} used, {asked.points} asked",
                    remedy="go on tomorrow, or ask the holders' operators for a larger quota",
                )
            self._charge(run, asked, day, used + asked.points)
        self._alert(asked, day, used + asked.points, limit)
        return used + asked.points

    def used(self, member: str, purpose: str, today: date) -> int:
        """Points used so far."""
        with self._store.transaction() as run:
            asked = Asked(member, b"", b"", purpose, "", 0)
            return _used(run, asked, self._day(run, today))

    def _charge(self, run: sqlite3.Connection, asked: Asked, day: str, used: int) -> None:
        run.execute(
            "INSERT INTO quotas VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET used = excluded.used",
            (asked.member, asked.purpose, day, used),
        )
        reference = self._store.hashed(asked.reference)
        row = (asked.member, asked.id, asked.digest, asked.purpose, reference, day, asked.points, 1)
        run.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _day(self, run: sqlite3.Connection, today: date) -> str:
        """Today, or the last day seen if that is later; what is too old is forgotten."""
        found = run.execute("SELECT last FROM days").fetchone()
        day = today.isoformat()
        if found is not None and found[0] >= day:
            return str(found[0])
        oldest = (today - timedelta(days=self._settings.keep_days)).isoformat()
        run.execute("INSERT OR REPLACE INTO days VALUES (1, ?)", (day,))
        run.execute("DELETE FROM requests WHERE day < ?", (oldest,))
        run.execute("DELETE FROM quotas WHERE day < ?", (oldest,))
        return day

    def _alert(self, asked: Asked, day: str, after: int, limit: int) -> None:
        """One line for each member, purpose, day and level: a flood of requests floods no log."""
        for percent in _ALERTS:
            what = (asked.member, asked.purpose, day, percent)
            if after * 100 >= limit * percent and what not in self._told:
                self._told.add(what)
                _log.warning(
                    "alert: member %s has asked for %d of %d points for %s today (%d %%)",
                    asked.member,
                    after,
                    limit,
                    asked.purpose,
                    percent,
                )


def _used(run: sqlite3.Connection, asked: Asked, day: str) -> int:
    key = (asked.member, asked.purpose, day)
    found = run.execute(
        "SELECT used FROM quotas WHERE member = ? AND purpose = ? AND day = ?", key
    ).fetchone()
    return int(found[0]) if found else 0


def _repeated(run: sqlite3.Connection, asked: Asked, reference: bytes) -> bool:
    found = run.execute(
        "SELECT digest, purpose, reference, answers FROM requests WHERE member = ? AND id = ?",
        (asked.member, asked.id),
    ).fetchone()
    if found is None:
        return False
    if tuple(found[:3]) != (asked.digest, asked.purpose, reference):
        raise OtherRequestError("this request id stands for another request")
    if found[3] >= MOST_ANSWERS:
        raise OtherRequestError(f"this request was answered {MOST_ANSWERS} times")
    run.execute(
        "UPDATE requests SET answers = answers + 1 WHERE member = ? AND id = ?",
        (asked.member, asked.id),
    )
    return True
