"""Renews a lender's certificates while its node runs, before they end.

Invariants:
- It looks at the dates once an hour, more often where certificates last for hours only, and asks
  in the last third of their time; when that fails, however it does, it is told in the log, and
  tried again at the next look.
- Nothing is interrupted: connections show the new certificate from the next one on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from client.logs import kind_and_place
from client.renewal import DUE, lifetime, renew_if_due
from shared.errors import LianfangError

SECONDS, SHORTEST, LOOKS = 3600.0, 1.0, 10
_log = logging.getLogger("lianfang.renewal")


def _now() -> datetime:
    return datetime.now(UTC)


class Renewing:
    """Of a lender's folder, in a thread of its own."""

    def __init__(
        self, folder: Path, *, clock: Callable[[], datetime] = _now, seconds: float = SECONDS
    ) -> None:
        self._folder, self._clock, self._seconds = folder, clock, seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewing", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join(2.0)

    def look(self) -> None:
        """Renew if it is time; what hinders it is told and changes nothing."""
        try:
            renewed = renew_if_due(self._folder, now=self._clock())
        except LianfangError as error:
            _log.error("certificates are due and could not be renewed: %s", error)
            return
        except Exception as error:  # noqa: BLE001 - a thread that ends would never renew again
            _log.error("certificates could not be renewed: %s", kind_and_place(error))
            return
        if renewed is not None:
            _log.info("certificates renewed until %s", f"{renewed.until:%Y-%m-%d}")
        if renewed is not None and renewed.terms_differ:
            _log.warning("the coordinator's consortium.toml is another than the one here")

    def _pause(self) -> float:
        """Ten looks, at least, in the third in which renewing is due."""
        try:
            return min(self._seconds, max(SHORTEST, lifetime(self._folder) * DUE / LOOKS))
        except LianfangError:
            return self._seconds

    def _run(self) -> None:
        while True:
            self.look()
            if self._ended.wait(self._pause()):
                return
