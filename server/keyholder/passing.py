"""The time that has passed at a holder, whatever its clock was set to.

Invariants:
- It goes forward only, and while the service runs at the pace of the machine's steady counter: a
  clock put forward opens no quota, one put back (also from a year ahead) holds none up.
- Over a restart it goes on by what the clock shows since then, and never back. So who can set the
  clock and restart the service can make time pass; that is the holder's own operator.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime

_KEPT_EVERY = 60
"""Seconds of it that a crash may lose, at most: quotas come back that much later."""


class Passing:
    """Counts it, in a holder's file. `clock`: the time with a zone; `steady`: seconds that only go
    forward, as `time.monotonic`.
    """

    def __init__(self, clock: Callable[[], datetime], steady: Callable[[], float]) -> None:
        self._clock = clock
        self._steady = steady
        self._before: tuple[float, float] | None = None

    def today(self) -> str:
        """The day by the clock, for the records."""
        return self._clock().date().isoformat()

    def seconds(self, run: sqlite3.Connection) -> int:
        """Within a transaction: since about 1970, if the clock was right at first."""
        wall, steady = int(self._clock().timestamp()), self._steady()
        found = run.execute("SELECT wall, own FROM passed").fetchone()
        if self._before is not None:
            own, counted = self._before
            own += max(0.0, steady - counted)
        else:
            own = found[1] + max(0, wall - found[0]) if found else wall
        self._before = own, max(steady, self._before[1]) if self._before else steady
        if found is None or own >= found[1] + _KEPT_EVERY:
            run.execute("INSERT OR REPLACE INTO passed VALUES (1, ?, ?)", (wall, int(own)))
        return int(own)
