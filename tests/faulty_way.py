"""A TCP way to a service on loopback whose faults change while it is in use.

Invariants:
- A fault works on bytes under way and looks at none: what is above (TLS, HTTP) has to bear it.
- A connection that was half open once stays so for ever, and is not closed: neither end is told.
- At the end of a partition whatever was held back arrives, in order; so do new connections.
- A cut, or bytes sent twice, strike once; the way is sound again after that.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

HOST = "127.0.0.1"
_PIECE = 1 << 14
Kind = Literal["none", "slow", "half open", "partition", "cut", "twice"]
Direction = Literal["up", "down"]


@dataclass(frozen=True)
class Fault:
    """`latency` (seconds) for each piece, `rate` (bytes per second) of a slow way; a cut, or bytes
    sent twice, come after so many bytes more in this `direction` ("up": to the service), a
    partition after so many up.
    """

    kind: Kind = "none"
    latency: float = 0.0
    rate: float = 1e9
    direction: Direction = "up"
    after: int = 0


NONE = Fault()


@dataclass(eq=False)
class _Connection:
    near: socket.socket
    far: socket.socket
    dead: bool = False


class FaultyWay:
    """Forwards connections to `port`. `struck`: how many connections a fault has met so far; `met`
    is set once something is being held back.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._changed = threading.Condition()
        self._fault, self._left, self._ended = NONE, 0, False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.struck = 0
        self.met = threading.Event()
        self._listening = socket.create_server((HOST, 0))
        self._start(self._accept)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    @property
    def fault(self) -> Fault:
        """What is wrong with it now."""
        return self._fault

    def set(self, fault: Fault) -> None:
        """From now on; `NONE`: carry everything."""
        with self._changed:
            self._fault, self._left = fault, fault.after
            self._changed.notify_all()

    def close(self) -> None:
        """Cut all connections and wait for all threads."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for one in (self._listening, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work, *arguments) -> None:  # type: ignore[no-untyped-def]
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            self._sockets.append(near)
            self._start(self._connect, near)

    def _connect(self, near: socket.socket) -> None:
        if not self._passable(None):
            return
        try:
            far = socket.create_connection((HOST, self._to))
        except OSError:
            near.close()
            return
        self._sockets.append(far)
        connection = _Connection(near, far)
        self._start(self._carry, connection, near, far, "up")
        self._carry(connection, far, near, "down")

    def _passable(self, connection: _Connection | None, up: int = 0) -> bool:
        """Wait while nothing passes, these bytes on their way `up` included; False when nothing
        ever will.
        """
        with self._changed:
            self._left -= up if self._fault.kind == "partition" else 0
            while self._parted and not self._ended:
                self.struck += 1
                self.met.set()
                self._changed.wait()
            if self._fault.kind == "half open":
                self.struck += 1
                if connection is not None:
                    connection.dead = True
                return False
            return not (self._ended or (connection is not None and connection.dead))

    def _carry(
        self, one: _Connection, source: socket.socket, target: socket.socket, way: Direction
    ) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                if not self._passable(one, len(data) if way == "up" else 0):
                    return  # both ends stay open, and hear nothing more
                fault = self._strikes(way, len(data))
                if fault.kind == "cut":
                    target.sendall(data[: len(data) // 2])
                    self._cut(one)
                    return
                if fault.kind == "slow":
                    time.sleep(fault.latency + len(data) / fault.rate)
                target.sendall(data * 2 if fault.kind == "twice" else data)
        if not one.dead:
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    @property
    def _parted(self) -> bool:
        return self._fault.kind == "partition" and (self._left < 0 or not self._fault.after)

    def _strikes(self, way: Direction, size: int) -> Fault:
        """The fault that these bytes meet."""
        with self._changed:
            fault = self._fault
            if fault.kind in ("none", "slow"):
                self.struck += fault.kind == "slow"
                return fault
            if fault.direction == way:
                self._left -= size
                if self._left < 0:
                    self._fault = NONE
                    self.struck += 1
                    return fault
        return NONE

    def _cut(self, one: _Connection) -> None:
        """Both ends are reset, not closed in order."""
        one.dead = True
        for end in (one.near, one.far):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)  # wakes who reads: the reset waits for that
            end.close()
