"""A thread that does what time brings, now and then and when it is woken.

Invariants:
- What fails is logged, without its text where nobody foresaw it, and tried again at the next turn.
- `stop` returns after a turn under way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from server.tls import where
from shared.errors import LianfangError


class Ticker:
    """Calls `tick` every so many seconds; `failed`: how a line about a failure begins."""

    def __init__(
        self,
        tick: Callable[[], object],
        seconds: float,
        log: logging.Logger,
        failed: str = "no new version",
    ) -> None:
        self._do, self._seconds, self._log, self._failed = tick, seconds, log, failed
        self._event, self._ended = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Tick soon."""
        self._event.set()

    def stop(self) -> None:
        """End, after a tick under way."""
        self._ended = True
        self._event.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended:
            self._event.wait(self._seconds)
            self._event.clear()
            if not self._ended:
                self._tick()

    def _tick(self) -> None:
        try:
            self._do()
        except LianfangError as error:
            self._log.error("%s: %s", self._failed, error)
        except Exception as error:  # noqa: BLE001  the next tick may do better
            self._log.error("%s: %s", self._failed, where(error))
