"""A small HTTP server on loopback that no caller can hold up.

Invariants:
- At most `MOST_CALLERS` are heard at once: where one more comes, who has been there longest is cut.
  A caller that is quick is served, however many dawdle.
- A caller is cut after `MOST_SECONDS`, however busily it sends; one that is silent, earlier.
- A caller that goes away, or sends nonsense, is no news: nothing is written about it.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

MOST_CALLERS, MOST_SECONDS = 16, 10.0
_MOST_THREADS, _ROOM_SECONDS = 2 * MOST_CALLERS, 2.0
"""Those that were cut end within milliseconds; who comes in the meantime waits so long."""
_log = logging.getLogger("lianfang.watched")


class FewCallers(ThreadingHTTPServer):
    """Handles each caller in a thread of its own, as the class it is made of does."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *given: Any) -> None:
        self._guard = threading.Condition()
        self._heard: dict[socket.socket, float] = {}
        self._cut: set[socket.socket] = set()
        super().__init__(*given)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a caller, if there is room or somebody to make it."""
        with self._guard:
            if len(self._heard) - len(self._cut) >= MOST_CALLERS:
                self._cut_longest()
            refused = not self._guard.wait_for(self._has_room, _ROOM_SECONDS)
            if not refused:
                self._heard[request] = time.monotonic()
        if refused:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """A caller has gone."""
        with self._guard:
            self._heard.pop(request, None)
            self._cut.discard(request)
            self._guard.notify_all()
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut those whose time is over: called about twice a second."""
        super().service_actions()
        latest = time.monotonic() - MOST_SECONDS
        with self._guard:
            for one, since in self._heard.items():
                if since <= latest:
                    self._cut_one(one)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing is shown of a caller that was cut or has gone away."""
        _log.debug("a caller was not answered", exc_info=True)

    def _has_room(self) -> bool:
        return len(self._heard) < _MOST_THREADS

    def _cut_longest(self) -> None:
        for one in self._heard:  # in the order of their coming
            if one not in self._cut:
                self._cut_one(one)
                return

    def _cut_one(self, one: socket.socket) -> None:
        """Its thread notices, and ends."""
        self._cut.add(one)
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
