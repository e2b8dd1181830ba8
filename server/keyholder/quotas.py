"""What each member may ask: points within 24 hours, by purpose and in all, and what it asked.

Invariants:
- Reserve before answer: a charge is on disk before a point is multiplied. A crash in between costs
  the member nothing: the same request again is not charged again.
- In no 24 hours does a member get more than its quota; an hour's points come back together, 24 to
  25 hours later. Hours are this holder's own (`passing.py`), whatever its clock is set to.
- One request id stands for one set of points, purpose and reference. With others it is refused.
- A reference is kept as a keyed digest only.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from server.keyholder.passing import Passing
from server.keyholder.settings import TOTAL, Settings
from server.keyholder.store import Store
from shared.errors import PeerError

MOST_ANSWERS, MOST_PROVEN = 16, 4
"""How often one request is answered: every quorum of five and some that failed; and how often with
a proof of every point, which costs the holder as much again.
"""
WINDOW = 24
"""Hours."""
_ALERTS = (80, 100)
_log = logging.getLogger("lianfang.keyholder")


class QuotaError(PeerError):
    """The member has used up what it may ask, for a purpose or in all, for now."""


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
    every: bool = False


class Quotas:
    """The members' accounts in a holder's file."""

    def __init__(self, store: Store, settings: Settings, passing: Passing) -> None:
        self._store = store
        self._settings = settings
        self._passing = passing
        self._told: dict[tuple[str, str, int], int] = {}
        self._spoilt: dict[tuple[str, int], int] = {}

    def check(self, asked: Asked) -> None:
        """As `reserve`, and nothing is charged: before work is done on points that may be bad."""
        with self._store.transaction() as run:
            hour = self._hour(run)
            if self._request(run, asked) is None:
                self._allow(asked, _used(run, asked.member, hour), hour)

    def spoilt(self, asked: Asked) -> None:
        """Its points were bad. That costs no quota, but as many as the total in 24 hours, and the
        member's requests are refused unseen; kept in memory only.
        """
        with self._store.transaction() as run:
            key = (asked.member, self._hour(run))
            self._spoilt[key] = self._spoilt.get(key, 0) + asked.points

    def reserve(self, asked: Asked) -> int:
        """Charge a request, durably; what the member has used of this purpose within 24 hours.

        Nothing for one charged before. QuotaError, OtherRequestError: nothing was charged.
        """
        with self._store.transaction() as run:
            hour = self._hour(run)
            used = _used(run, asked.member, hour)
            if self._request(run, asked) is not None:
                _answer_again(run, asked)
                return used.get(asked.purpose, 0)
            self._allow(asked, used, hour)
            self._charge(run, asked, hour)
        for name, limit in self._limits(asked).items():
            self._alert(asked, name, hour, used.get(name, 0) + asked.points, limit)
        return used.get(asked.purpose, 0) + asked.points

    def used(self, member: str, purpose: str) -> int:
        """Points used within 24 hours."""
        with self._store.transaction() as run:
            return _used(run, member, self._hour(run)).get(purpose, 0)

    def _limits(self, asked: Asked) -> dict[str, int]:
        settings = self._settings
        return {
            asked.purpose: settings.quota(asked.member, asked.purpose),
            TOTAL: settings.total(asked.member),
        }

    def _allow(self, asked: Asked, used: Mapping[str, int], hour: int) -> None:
        limits = self._limits(asked)
        for name, limit in limits.items():
            before = used.get(name, 0)
            if before + asked.points > limit:
                self._alert(asked, name, hour, before + asked.points, limit)
                what = "all purposes together" if name == TOTAL else name
                raise QuotaError(
                    f"the quota of {limit} points a day for {what} is used up: "
                    f"{before} used within 24 hours, {asked.points} asked",
                    remedy="go on in a day, or ask the holders' operators for a larger quota",
                )
        bad = sum(
            points
            for (member, when), points in self._spoilt.items()
            if member == asked.member and when >= hour - WINDOW
        )
        if bad + asked.points > limits[TOTAL]:
            raise QuotaError("too many bad points within 24 hours", remedy="mend the client")

    def _request(self, run: sqlite3.Connection, asked: Asked) -> int | None:
        """How often it was answered, if it was charged before; OtherRequestError."""
        found = run.execute(
            "SELECT digest, purpose, reference, answers, proven FROM requests"
            " WHERE member = ? AND id = ?",
            (asked.member, asked.id),
        ).fetchone()
        if found is None:
            return None
        reference = self._store.hashed(asked.reference)
        if tuple(found[:3]) != (asked.digest, asked.purpose, reference):
            raise OtherRequestError("this request id stands for another request")
        if found[3] >= MOST_ANSWERS:
            raise OtherRequestError(f"this request was answered {MOST_ANSWERS} times")
        if asked.every and found[4] >= MOST_PROVEN:
            raise OtherRequestError(f"this request was proven {MOST_PROVEN} times")
        return int(found[3])

    def _charge(self, run: sqlite3.Connection, asked: Asked, hour: int) -> None:
        run.execute(
            "INSERT INTO quotas VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET used = used + excluded.used",
            (asked.member, hour, asked.purpose, asked.points),
        )
        reference = self._store.hashed(asked.reference)
        row = (asked.member, asked.id, asked.digest, asked.purpose, reference)
        when = (self._passing.today(), hour, asked.points)
        run.execute(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)",
            (*row, *when, int(asked.every)),
        )

    def _hour(self, run: sqlite3.Connection) -> int:
        """The hour it is; what is too old is forgotten."""
        hour = self._passing.seconds(run) // 3600
        run.execute("DELETE FROM requests WHERE hour < ?", (hour - 24 * self._settings.keep_days,))
        run.execute("DELETE FROM quotas WHERE hour < ?", (hour - WINDOW,))
        for known in [known for known in self._spoilt if known[1] < hour - WINDOW]:
            del self._spoilt[known]
        return hour

    def _alert(self, asked: Asked, name: str, hour: int, after: int, limit: int) -> None:
        """One line for each member, quota and level in 24 hours: a flood floods no log."""
        for percent in _ALERTS:
            what = (asked.member, name, percent)
            told = self._told.get(what)
            if after * 100 >= limit * percent and (told is None or told < hour - WINDOW):
                self._told[what] = hour
                _log.warning(
                    "alert: member %s has asked for %d of %d points for %s within 24 hours (%d %%)",
                    asked.member,
                    after,
                    limit,
                    "all purposes" if name == TOTAL else name,
                    percent,
                )


def _used(run: sqlite3.Connection, member: str, hour: int) -> dict[str, int]:
    """By purpose, and `total`."""
    rows = run.execute(
        "SELECT purpose, sum(used) FROM quotas WHERE member = ? AND hour >= ? GROUP BY purpose",
        (member, hour - WINDOW),
    ).fetchall()
    used = {str(purpose): int(points) for purpose, points in rows}
    return used | {TOTAL: sum(used.values())}


def _answer_again(run: sqlite3.Connection, asked: Asked) -> None:
    run.execute(
        "UPDATE requests SET answers = answers + 1, proven = proven + ?"
        " WHERE member = ? AND id = ?",
        (int(asked.every), asked.member, asked.id),
    )
