"""The way from the SuperNode to the coordinator's gate: it presents the lender's certificate.

    SuperNode ── TLS, 127.0.0.1 ──► sidecar ══ mutual TLS 1.3 ══► gate

Invariants:
- It carries bytes and looks at none. The lender's transport key is known to it alone: Flower's
  process has no use of it.
- It serves processes of this user only, and a bounded number of connections: who is another's is
  turned away before a word of TLS, so that nobody else on the machine uses its places up.
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
HANDSHAKE_SECONDS, _AGAIN_SECONDS = 10.0, 0.5
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
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self._loopback.certificate, self._loopback.key)
        self._listening = socket.create_server((HOST, self._loopback.port("sidecar")), backlog=100)
        self._listening.setblocking(False)
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
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listening.close()
        await asyncio.sleep(0.01)  # transports that were cut are let go

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        accepting = self._loop.create_task(self._accept())
        self._loop.run_forever()
        accepting.cancel()

    async def _accept(self) -> None:
        serving = set[asyncio.Task[None]]()
        while True:
            try:
                plain, peer = await self._loop.sock_accept(self._listening)
            except OSError:  # no handles are left, for example
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if self._open >= MOST_CONNECTIONS or not is_own(peer, plain.getsockname()):
                plain.close()
                continue
            self._open += 1
            task = self._loop.create_task(self._serve(plain))
            serving.add(task)
            task.add_done_callback(serving.discard)

    async def _serve(self, plain: socket.socket) -> None:
        try:
            reader, writer = await self._spoken(plain)
        except (OSError, ssl.SSLError, TimeoutError):
            self._open -= 1
            plain.close()
            return
        try:
            there = await self._connected()
            await _carry(reader, writer, *there)
        except (OSError, ssl.SSLError, TimeoutError, LianfangError) as error:
            self._tell(error)
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _spoken(
        self, plain: socket.socket
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader = asyncio.StreamReader(loop=self._loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self._loop)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: protocol, plain, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_SECONDS
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

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
    flow = _Flow(time.monotonic())
    silent = asyncio.create_task(flow.silence())
    ways = [
        asyncio.create_task(_copy(reader, far_writer, flow, up=True)),
        asyncio.create_task(_copy(far_reader, writer, flow, up=False)),
        silent,
    ]
    try:
        far_writer.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT
        )  # OSError where the gate has closed already
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
