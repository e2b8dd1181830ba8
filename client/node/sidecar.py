"""The way from the SuperNode to the coordinator's gate: it presents the lender's certificate.

    SuperNode ── TLS, 127.0.0.1 ──► sidecar ══ mutual TLS 1.3 ══► gate

Invariants:
- It carries bytes and looks at none. The lender's transport key is known to it alone: Flower's
  process has no use of it.
- It serves processes of this user only, and a bounded number of connections.
- A connection on which the gate owes an answer and nothing moves any more is given up: a way that
  is broken without a word (half open) costs seconds, not Flower's half minute for each call.
- Whatever goes wrong ends one connection; the SuperNode tries again by itself.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import socket
import ssl
import threading
import time
from dataclasses import dataclass

from client.node.loopback import HOST, Loopback
from client.node.mutual import Mutual
from client.node.same_user import is_own
from shared.errors import LianfangError
from shared.identity.address import host_and_port

MOST_CONNECTIONS = 32
CONNECT_SECONDS, SILENT_SECONDS = 10.0, 12.0
"""The gate answers within some three seconds, also where it waits for a message."""
_PIECE, _UNSENT = 1 << 16, 1 << 17
"""Bytes: read at once; left to the kernel to send, so that it is seen whether they go."""
_log = logging.getLogger("lianfang.sidecar")


class Sidecar:
    """Of a lender's folder, in a thread of its own. `gate`: "host:port"."""

    def __init__(self, loopback: Loopback, mutual: Mutual, gate: str) -> None:
        self._loopback = loopback
        self._mutual = mutual
        self._gate = host_and_port(gate)
        self._open = 0
        self._told = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sidecar", daemon=True)

    def start(self) -> None:
        """Listen; returns when it does. Raises OSError when the port is taken."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._loopback.certificate, self._loopback.key)
        port = self._loopback.port("sidecar")
        served = asyncio.start_server(self._serve, HOST, port, ssl=context)
        self._server = self._loop.run_until_complete(served)
        self._thread.start()

    def stop(self) -> None:
        """Cut all connections."""
        ended = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        with contextlib.suppress(TimeoutError, concurrent.futures.CancelledError):
            ended.result(2.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2.0)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports that were cut are let go

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, here = (writer.get_extra_info(name) for name in ("peername", "sockname"))
        if self._open >= MOST_CONNECTIONS or not is_own(peer, here):
            writer.transport.abort()
            return
        self._open += 1
        try:
            there = await self._connected()
            await _carry(reader, writer, *there)
        except (OSError, ssl.SSLError, TimeoutError, LianfangError) as error:
            self._tell(error)
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._gate
        context = self._mutual.context()
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=context, server_hostname=host
            )
        try:
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            self._mutual.check(shown)
        except LianfangError:
            writer.transport.abort()
            raise
        if self._told:
            self._told = ""
            _log.info("the gate answers again")
        return reader, writer

    def _tell(self, error: BaseException) -> None:
        told = error.what if isinstance(error, LianfangError) else type(error).__name__
        if told != self._told:
            self._told = told
            _log.warning("no way to the gate: %s", told)


@dataclass
class _Flow:
    """When something last moved (monotonic), and whether the gate owes an answer."""

    moved: float
    owed: bool = False

    async def silence(self) -> None:
        """Returns when there is nothing more to hope for."""
        while (left := self._until() - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def _until(self) -> float:
        return (self.moved if self.owed else time.monotonic()) + SILENT_SECONDS


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    """Both ways, until either end closes. TimeoutError when the gate says nothing more."""
    far_writer.get_extra_info("socket").setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT
    )
    flow = _Flow(time.monotonic())
    silent = asyncio.create_task(flow.silence())
    ways = [
        asyncio.create_task(_copy(reader, far_writer, flow, up=True)),
        asyncio.create_task(_copy(far_reader, writer, flow, up=False)),
        silent,
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if silent.done():
            raise TimeoutError
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        far_writer.transport.abort()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: _Flow, *, up: bool
) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while piece := await reader.read(_PIECE):
            flow.owed, flow.moved = up, time.monotonic()
            writer.write(piece)
            await writer.drain()
            flow.moved = time.monotonic()
