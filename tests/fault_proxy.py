"""A way to a service that holds back what it should carry: half-open or slow."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class FaultProxy:
    """Forwards to `port` on loopback. After `passing` bytes from the client, none by default, it
    carries nothing either way until `release`; both ends stay open.
    """

    def __init__(self, port: int, passing: int = 0) -> None:
        self._to, self._passing = port, passing
        self._free = threading.Event()
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.held = threading.Event()
        """Something is being held back."""
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    def release(self) -> None:
        """Carry everything from now on."""
        self._free.set()

    def close(self) -> None:
        """Cut all connections."""
        self._free.set()
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work, *arguments) -> None:  # type: ignore[no-untyped-def]
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._open += [near, far]
            left = [self._passing]
            self._start(self._carry, near, far, left, True)
            self._start(self._carry, far, near, left, False)

    def _carry(
        self, source: socket.socket, target: socket.socket, left: list[int], counted: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    left[0] -= len(data)
                if left[0] < 0 and not self._free.is_set():
                    self.held.set()
                    self._free.wait()
                target.sendall(data)
