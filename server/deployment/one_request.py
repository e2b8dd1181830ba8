"""A small HTTPS server for strangers: one request a connection, bounded in size, time and number.

Invariants:
- TLS 1.3 only. Handshakes are bounded in time and number (`entrance.py`), and a connection ends
  `SECONDS` after its own, whatever came by then: who connects and is silent holds one of few places
  of its own address, and none of anybody else's.
- A request's head and body are bounded before they are taken; nothing is parsed but by `h11`.
- A certificate that was renewed on disk is shown from the next connection on.

Sources: RFC 9110, RFC 9112 (HTTP/1.1), RFC 8446 (TLS 1.3).
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h11

from server.deployment.entrance import Entrance, bound
from shared.errors import OperatorError

T = TypeVar("T")
SECONDS, _GOODBYE_SECONDS = 15.0, 1.0
MOST_CONNECTIONS, MOST_OF_ONE = 256, 16
_MOST_HEAD = 16_384
_log = logging.getLogger("lianfang.server")


@dataclass(frozen=True)
class Request:
    """`address`: of the other end, without its port."""

    method: str
    path: str
    body: bytes
    address: str


@dataclass(frozen=True)
class Response:
    """What is sent back."""

    status: int
    body: bytes
    kind: str = "application/json"


Handler = Callable[[Request], Response]


def refusal(status: int, error: str, remedy: str = "") -> Response:
    """A refusal as JSON: what, and what to do."""
    return Response(status, json.dumps({"error": error, "remedy": remedy}).encode())


class OneRequestServer:
    """Answers at `address` from the time it is made until `stop`, in threads of its own.

    `handle` is called in a thread, one call at a time. Raises OperatorError when the address is
    taken or the certificate cannot be used.
    """

    def __init__(
        self,
        address: tuple[str, int],
        certificate: Path,
        key: Path,
        handle: Handler,
        *,
        most_body: int,
        seconds: float = SECONDS,
    ) -> None:
        self._files = (certificate, key)
        self._handle, self._most_body, self._seconds = handle, most_body, seconds
        self._stamps = self._stamped()
        self._tls = self._newest = self._loaded()
        self._tls.sni_callback = self._follow
        self._open: Counter[str] = Counter()
        self._turn = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._server = self._run(self._listen(address))
        except OperatorError:
            self._end_loop()
            raise
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Take no more requests and end; the one under way is answered first, if it is quick."""
        self._run(self._close())
        self._end_loop()

    def answering(self, seconds: float = 1.0) -> bool:
        """Whether it still takes connections: says the thread that does, within `seconds`."""

        async def listening() -> bool:
            return self._server.is_serving()

        asked = asyncio.run_coroutine_threadsafe(listening(), self._loop)
        try:
            return self._thread.is_alive() and asked.result(seconds)
        except TimeoutError:
            asked.cancel()
            return False

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, address: tuple[str, int]) -> Entrance:
        return Entrance(bound(*address), self._tls, self._made, goodbye=_GOODBYE_SECONDS)

    def _made(self) -> asyncio.Protocol:
        reader = asyncio.StreamReader(limit=_MOST_HEAD, loop=self._loop)
        return asyncio.StreamReaderProtocol(reader, self._connected, loop=self._loop)

    async def _close(self) -> None:
        self._server.close()
        async with self._turn:
            pass
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        full = self._open.total() >= MOST_CONNECTIONS or self._open[address] >= MOST_OF_ONE
        if full:
            writer.close()
            return
        self._open[address] += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._serve(reader, writer, address)
        except (TimeoutError, OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._open[address] -= 1
            self._open += Counter()  # forgets addresses without connections
            writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str
    ) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)
        try:
            request = await self._request(connection, reader, address)
        except _TooLargeError:
            response = refusal(413, f"a request has at most {self._most_body} bytes")
        except h11.RemoteProtocolError:
            response = refusal(400, "this is not an HTTP request")
        else:
            async with self._turn:
                response = await asyncio.to_thread(self._answered, request)
        head = h11.Response(
            status_code=response.status,
            headers=[
                ("content-type", response.kind),
                ("content-length", str(len(response.body))),
                ("connection", "close"),
            ],
        )
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            parts = (head, h11.Data(response.body), h11.EndOfMessage())
            writer.write(b"".join(connection.send(part) or b"" for part in parts))
            await writer.drain()

    async def _request(
        self, connection: h11.Connection, reader: asyncio.StreamReader, address: str
    ) -> Request:
        method = path = ""
        body = bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(_MOST_HEAD))
            elif isinstance(event, h11.Request):
                method, path = event.method.decode(), event.target.decode()
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._most_body:
                    raise _TooLargeError
            elif isinstance(event, h11.EndOfMessage):
                return Request(method, path, bytes(body), address)
            else:  # the other end has gone
                raise ConnectionAbortedError

    def _answered(self, request: Request) -> Response:
        try:
            return self._handle(request)
        except Exception as error:  # noqa: BLE001 - its text may hold anything; only its kind is told
            _log.error("a request could not be answered: %s", type(error).__name__)
            return refusal(500, "the coordinator has a fault", "tell its operator the time of this")

    def _follow(self, connection: ssl.SSLObject, name: str | None, context: object) -> None:
        """Called in each handshake: a renewed certificate is taken from here on; one that cannot be
        used changes nothing.
        """
        stamps = self._stamped()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._newest = self._loaded()
            except OperatorError as error:
                _log.error("%s; the certificate before stays in use", error)
        connection.context = self._newest

    def _loaded(self) -> ssl.SSLContext:
        certificate, key = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:  # ssl.SSLError is one
            raise OperatorError(
                f"{certificate} and {key.name} cannot be used for TLS: "
                f"{error.strerror or type(error).__name__}",
                remedy="lianfang-server renew makes both anew",
            ) from error
        return context

    def _stamped(self) -> tuple[object, ...]:
        try:
            found = [path.stat() for path in self._files]
        except OSError:
            return ()
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


class _TooLargeError(Exception):
    """The body is larger than this server takes."""
