"""Handshakes at the gate are bounded in time and number; who is silent stops nobody else."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import uvloop

from server.deployment import entrance
from server.deployment.entrance import Entrance, bound
from shared.errors import OperatorError
from shared.identity.loopback import loopback_pair

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class _Greeting(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    home = tmp_path_factory.mktemp("tls")
    certificate, key = loopback_pair(secrets.token_bytes, datetime.now(UTC))
    (home / "crt").write_bytes(certificate)
    (home / "key").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "crt", home / "key")
    return context


class _Door:
    """An entrance on a free port, and those who come."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.turned = 0
        self._listening = bound("127.0.0.1", 0)
        self._address = self._listening[0].getsockname()
        self.entrance = Entrance(self._listening, tls, _Greeting, self._count)

    def _count(self) -> None:
        self.turned += 1

    async def silent(self) -> asyncio.StreamReader:
        """Who connects and says nothing; the writer is kept."""
        reader, writer = await asyncio.open_connection(*self._address)
        self.__dict__.setdefault("kept", []).append(writer)
        return reader

    async def honest(self, source: str = "127.0.0.1") -> bytes:
        """What an honest caller hears; nothing where it is turned away."""
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        try:
            reader, writer = await asyncio.open_connection(
                *self._address, ssl=trusting, local_addr=(source, 0)
            )
        except OSError:
            return b""
        found = await reader.read(5)
        writer.transport.abort()
        return found

    async def over(self) -> None:
        for writer in self.__dict__.get("kept", []):
            writer.transport.abort()
        self.entrance.close()
        await self.entrance.wait_closed()
        await asyncio.sleep(0.01)


def at_a_door(
    tls: ssl.SSLContext,
    what: Callable[[_Door], Awaitable[None]],
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def there() -> None:
        door = _Door(tls)
        try:
            await what(door)
        finally:
            await door.over()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(there())


async def ended(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether the other end closes within this time."""
    with suppress(TimeoutError, ConnectionError):
        return await asyncio.wait_for(reader.read(1), seconds) == b""
    return False


@pytest.mark.parametrize("loop", LOOPS)
def test_who_holds_handshakes_open_is_turned_away_and_nobody_else(
    loop: Callable[[], asyncio.AbstractEventLoop],
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One address has its own few places; another address is served meanwhile. With one place more
    the same caller is served: the control.
    """
    monkeypatch.setattr(entrance, "HANDSHAKES_OF_ONE", 3)

    async def three_silent(door: _Door) -> None:
        for _ in range(3):
            await door.silent()
        while door.entrance.shaking.total() < 3:
            await asyncio.sleep(0.01)
        assert await door.honest() == b""
        assert door.turned == 1
        assert await door.honest("127.0.0.2") == b"hello"
        monkeypatch.setattr(entrance, "HANDSHAKES_OF_ONE", 4)
        assert await door.honest() == b"hello"
        monkeypatch.setattr(entrance, "HANDSHAKES", 3)
        assert await door.honest("127.0.0.2") == b""

    at_a_door(tls, three_silent, loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_handshake_that_does_not_end_is_ended(
    loop: Callable[[], asyncio.AbstractEventLoop],
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And its place is free again; with the usual time it is still open: the control."""

    async def silent(door: _Door) -> None:
        waits = await door.silent()
        assert not await ended(waits, 0.3)
        monkeypatch.setattr(entrance, "HANDSHAKE_SECONDS", 0.1)
        assert await ended(await door.silent(), 10.0)
        assert door.entrance.shaking.total() == 1

    at_a_door(tls, silent, loop)


def test_an_address_that_is_taken_or_is_none_is_named() -> None:
    """Both families are tried, and what is not to be had is an operator's error."""
    (held,) = bound("127.0.0.1", 0)
    with held:
        port = held.getsockname()[1]
        with pytest.raises(OperatorError, match=f"127.0.0.1:{port} cannot be served"):
            bound("127.0.0.1", port)
    with pytest.raises(OperatorError, match="no address of this machine"):
        bound("256.1.1.1", 1)
    everywhere = bound("", 0)
    assert socket.AF_INET in {one.family for one in everywhere}
    for one in everywhere:
        one.close()
