"""Signs of life of what works inside processes, for /health: one that is there may be stuck.

    FOLDER/flower/alive/NAME     touched by NAME every few seconds, while it gets on

Invariants:
- A part is looked at from its first sign on; it is silent when its last one is older than
  `MOST_SILENT` has it.
- Giving a sign raises nothing and takes no room: a full disk makes nobody silent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

ALIVE = "flower/alive"
EVERY = 5.0
MOST_SILENT: Mapping[str, float] = {
    "superlink": 60.0, "gate": 30.0, "runs": 60.0, "enrolment": 60.0,
    "keyholder": 60.0, "registry": 60.0, "cases": 60.0, "borrowing": 60.0,
}  # fmt: skip
"""Seconds. The SuperLink's signs are its answers to the executor of runs."""


class Heartbeat:
    """Of the part `name` of the processes of `folder`. `clock`: seconds that only grow."""

    def __init__(
        self, folder: Path, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = folder / ALIVE / name
        self._clock = clock
        self._last: float | None = None

    @property
    def due(self) -> bool:
        """Whether the last sign is some seconds old."""
        return self._last is None or self._clock() - self._last >= EVERY

    def beat(self) -> None:
        """Give a sign, if it is time."""
        if self.due:
            self._last = self._clock()
            with suppress(OSError):
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path.touch(mode=0o600)


def forget(folder: Path) -> None:
    """Signs of an earlier start count no more."""
    for path in (folder / ALIVE).glob("*"):
        with suppress(OSError):
            path.unlink()


def silences(folder: Path, now: Callable[[], float] = time.time) -> dict[str, float]:
    """Seconds since the last sign of each part that has given one. `now`: since 1970. A sign from
    the future counts alike: where the clock was set back, whoever gets on gives a new one.
    """
    found = {}
    for name in MOST_SILENT:
        with suppress(OSError):
            found[name] = abs(now() - (folder / ALIVE / name).stat().st_mtime)
    return found


def silent(folder: Path, threads: Iterable[str], now: Callable[[], float] = time.time) -> list[str]:
    """Parts that have not given a sign for too long, and those of `threads`, by name, that this
    process does not have any more.
    """
    late = [name for name, age in silences(folder, now).items() if age > MOST_SILENT[name]]
    running = {one.name for one in threading.enumerate()}
    return sorted([*late, *(f"thread {name}" for name in threads if name not in running)])
