"""Tells a log what a thread sees: each thing once, and never more lines than fit a disk.

Invariants:
- What it remembers is bounded by `MOST_TOLD`: beyond that the oldest is forgotten, and told anew.
- In an hour it writes at most `MOST_LINES` lines: what is told about may be somebody else's choice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

MOST_TOLD, MOST_LINES = 1000, 100
_HOUR = 3600.0


class Telling:
    """To one log. `clock`: seconds, of any beginning."""

    def __init__(self, log: logging.Logger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._told: dict[str, None] = {}  # in the order it was told in
        self._hour, self._lines = clock(), 0

    def __contains__(self, about: str) -> bool:
        return about in self._told

    def once(self, about: str, what: str) -> None:
        """A warning, unless one was written about the same."""
        if about in self._told:
            return
        self._told[about] = None
        if len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        self.say(logging.WARNING, what)

    def forget(self, about: str) -> None:
        """It is over: another time it is told again."""
        self._told.pop(about, None)

    def say(self, level: int, what: str) -> None:
        """A line, while the hour has lines left; the last one says that it is the last."""
        if self._clock() - self._hour >= _HOUR:
            self._hour, self._lines = self._clock(), 0
        self._lines += 1
        if self._lines < MOST_LINES:
            self._log.log(level, "%s", what)
        elif self._lines == MOST_LINES:
            self._log.warning("there is more to tell than an hour's %d lines", MOST_LINES)
