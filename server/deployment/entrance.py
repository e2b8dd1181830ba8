"""Where connections come in: takes them, lets them finish their handshake, hands them to HTTP.

Invariants:
- A handshake is over in `HANDSHAKE_SECONDS`, or the connection is ended.
- At most `HANDSHAKES` are under way, `HANDSHAKES_OF_ONE` of one address: who holds its own open is
  turned away at once, and costs others nothing while there are places left.
- What one connection does ends neither the others nor the taking of new ones.

The gate and the enrolment are behind it. Uvicorn takes connections by itself, waits a minute for a
handshake and counts none; so it is given this in place of its own `asyncio.Server`. Both of its
event loops have what is used here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable

import uvicorn

from server.deployment.seldom import Seldom
from server.logs import kind_and_place
from shared.errors import OperatorError

HANDSHAKE_SECONDS = 10.0
HANDSHAKES, HANDSHAKES_OF_ONE = 256, 32
GOODBYE_SECONDS = 30.0
"""For the other end to take what is still to be sent, and to say that it has."""
_WAITING = 1024
"""Connections that the system holds for us; as many as uvicorn has."""
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)
_PAUSE, _LOG_SECONDS = 0.5, 60.0
_log = logging.getLogger("lianfang.gate")


class Entrance:
    """Of one server. `made`: a new protocol for each connection; `turned`: called for each that is
    turned away; `goodbye`: seconds. As uvicorn wants it: `sockets`, `close`, `wait_closed`.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        tls: ssl.SSLContext,
        made: Callable[[], asyncio.Protocol],
        turned: Callable[[], None] = lambda: None,
        goodbye: float = GOODBYE_SECONDS,
    ) -> None:
        self.sockets = sockets
        self._goodbye = goodbye
        self._tls, self._made, self._turned = tls, made, turned
        self.shaking: Counter[str] = Counter()
        """Handshakes under way, by address."""
        self._told = Seldom(1, _LOG_SECONDS)
        self._accepting = [asyncio.create_task(self._taken(one)) for one in sockets]
        self._tasks = set(self._accepting)

    def is_serving(self) -> bool:
        """Whether it takes connections."""
        return not any(task.done() for task in self._accepting)

    def close(self) -> None:
        """Take no more; handshakes that are under way are cut."""
        for task in self._tasks:
            task.cancel()
        for one in self.sockets:
            one.close()

    async def wait_closed(self) -> None:
        """Until all is cut."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _taken(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listening)
            except ConnectionError:  # it has gone again
                continue
            except OSError as error:  # no more handles, for one
                if self._told.take(error.errno):
                    _log.error("no connection can be taken: %s", error.strerror)
                await asyncio.sleep(_PAUSE)
                continue
            host = str(address[0])
            if self.shaking.total() >= HANDSHAKES or self.shaking[host] >= HANDSHAKES_OF_ONE:
                self._turned()
                connection.close()
                continue
            self.shaking[host] += 1
            task = asyncio.create_task(self._shaken(connection, host))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _shaken(self, connection: socket.socket, host: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._made,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=self._goodbye,
            )
        except OSError:
            pass  # TLS that fails, or takes too long
        except Exception as error:  # noqa: BLE001 - one connection's, whatever it is
            _log.error("a connection could not be taken: %s", kind_and_place(error))
        finally:
            self.shaking[host] -= 1
            if self.shaking[host] <= 0:
                del self.shaking[host]


class EntranceServer(uvicorn.Server):
    """Uvicorn's server behind an `Entrance`. `turned`: as there."""

    def __init__(self, config: uvicorn.Config, turned: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._turned = turned

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; OperatorError when the address cannot be had."""
        listening = sockets or bound(self.config.host, self.config.port)
        try:
            await super().startup(sockets=[])  # everything but the listening
        finally:
            if self.should_exit:
                for one in listening:
                    one.close()
        if self.should_exit or self.config.ssl is None:
            return
        entrance = Entrance(listening, self.config.ssl, self._protocol, self._turned)
        self.servers = [entrance]  # type: ignore[list-item]

    def _protocol(self) -> asyncio.Protocol:
        kind = self.config.http_protocol_class
        state = self.lifespan.state
        return kind(config=self.config, server_state=self.server_state, app_state=state)  # type: ignore[call-arg]


def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen there, without waiting; an empty host is every address of the machine, of
    both families as far as it has them. OperatorError when it cannot be had.
    """
    found: list[socket.socket] = []
    why = "it is no address of this machine"
    try:
        places = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror:
        places = []
    for family, kind, protocol, _, address in dict.fromkeys(places):
        try:
            found.append(_listening(socket.socket(family, kind, protocol), address))
        except OSError as error:
            why = error.strerror or why
            if error.errno not in _NO_FAMILY:
                found, gone = [], found
                for one in gone:
                    one.close()
                break
    if not found:
        raise OperatorError(
            f"{host or '*'}:{port} cannot be served: {why}",
            remedy="stop what uses it, or change the address in consortium.toml",
        )
    return found


def _listening(one: socket.socket, address: object) -> socket.socket:
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if one.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setblocking(False)
        one.bind(address)  # type: ignore[arg-type]
        one.listen(_WAITING)
    except OSError:
        one.close()
        raise
    return one
