"""When a week's pages leave: at a moment drawn here, so that a lender's usual hour says nothing.

    exchange.toml   [cases]
                    window_hours = 8      0: at once

Invariants:
- The moment is drawn uniformly from now to the end of the window; nobody else has a part in it.
- Until then nothing is said to the desk, not even "which cases?".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from client.exchange.settings import number_of

USUAL_HOURS, MOST_HOURS = 8, 20
ENTRY = "window_hours"
_LONGEST = 60.0
_STEPS = 2**64


def window_of(folder: Path, section: str) -> timedelta:
    """As the lender's folder says. OperatorError."""
    return timedelta(hours=number_of(folder, section, ENTRY, USUAL_HOURS, MOST_HOURS))


def drawn_moment(now: datetime, window: timedelta, random: Callable[[int], bytes]) -> datetime:
    """A time from `now` on, before `now + window`; `random`: as `os.urandom`."""
    return now + window * (int.from_bytes(random(8), "big") / _STEPS)


def wait_until(
    moment: datetime, clock: Callable[[], datetime], sleep: Callable[[float], None] = time.sleep
) -> None:
    """Sleep until the clock says so, also where the machine slept meanwhile."""
    while (left := (moment - clock()).total_seconds()) > 0:
        sleep(min(left, _LONGEST))
