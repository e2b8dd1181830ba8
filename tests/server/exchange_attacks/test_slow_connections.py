"""Half-open, slow and unread connections of one member: the others' calls go on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from client.exchange.doors import RemoteDoor
from client.exchange.holders import Asking, Holders
from server import tls
from server.registry.registry import Registry
from shared.wire import registry_pb2
from shared.wire.registry_pb2_grpc import RegistryStub
from tests.client.exchange.test_registry_client import Exchange as Listed
from tests.client.exchange.test_registry_client import file_some
from tests.exchange_processes import Exchange
from tests.faulty_way import NONE, Fault, FaultyWay
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import CONTEXT, GROUP, TRUST, transport_of

ASKING = Asking("rotation", "slow")
INPUTS = [f"{CONTEXT}|v1|phone|{number}".encode() for number in range(3)]


def lender(
    stack: ExitStack, exchange: Exchange, code: str, own: Path, ports: dict[str, int], wait: float
) -> Holders:
    """A lender that reaches some holders through other ports, and waits so many seconds."""
    doors = {}
    for holder, process in exchange.holders.items():
        address = f"127.0.0.1:{ports.get(holder, process.port)}"
        doors[holder] = RemoteDoor(holder, address, transport_of(code), seconds=wait)
        stack.callback(doors[holder].close)
    made = Holders(doors, own, CONTEXT, TRUST, GROUP, fixed_random(code), pause=lambda _: None)
    stack.callback(made.close)
    return made


@pytest.mark.parametrize("passing", [0, 3000], ids=["half open", "stopped in the middle"])
def test_a_held_connection_holds_up_nobody_else(
    exchange: Exchange, tmp_path: Path, passing: int
) -> None:
    """L01's way to K1 accepts and carries nothing (at all, or from the middle of its handshake or
    request on), with sixty more connections that never say a word: L02 is answered by K1 meanwhile;
    L01 has its answer from the other two.
    """
    with ExitStack() as stack:
        way = FaultyWay(exchange.holders["K1"].port)
        stack.callback(way.close)
        way.set(Fault("partition", after=passing))
        for _ in range(60):
            idle = socket.create_connection(("127.0.0.1", exchange.holders["K1"].port))
            stack.callback(idle.close)
        other = lender(stack, exchange, "L02", tmp_path / "L02", {}, 20)
        held = lender(stack, exchange, "L01", tmp_path / "L01", {"K1": way.port}, 0.7)
        found: list[np.ndarray] = []
        slow = threading.Thread(target=lambda: found.append(held.outputs(INPUTS, ASKING)))
        slow.start()
        assert way.met.wait(20)
        expected = other.outputs(INPUTS, ASKING)
        slow.join(30)
        assert np.array_equal(found[0], expected)


def test_what_was_held_arrives_once_and_right(exchange: Exchange, tmp_path: Path) -> None:
    """A slow way that carries everything in the end: the answer is right, and other members were
    answered by the same holder in between.
    """
    with ExitStack() as stack:
        ways = {code: FaultyWay(one.port) for code, one in exchange.holders.items()}
        for way in ways.values():
            stack.callback(way.close)
            way.set(Fault("partition"))
        ports = {code: way.port for code, way in ways.items()}
        slow = lender(stack, exchange, "L01", tmp_path / "L01", ports, 60)
        found: list[np.ndarray] = []
        thread = threading.Thread(target=lambda: found.append(slow.outputs(INPUTS, ASKING)))
        thread.start()
        assert all(way.met.wait(20) for way in ways.values())
        expected = lender(stack, exchange, "L02", tmp_path / "L02", {}, 20).outputs(INPUTS, ASKING)
        assert thread.is_alive()
        assert not found
        for way in ways.values():
            way.set(NONE)
        thread.join(60)
        assert np.array_equal(found[0], expected)


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listed]:
    """A registry whose list is longer than what fits into a connection's buffers."""
    exchange = Listed(tmp_path / "list", f"sqlite:///{tmp_path / 'registry.db'}")
    one, _ = exchange.found()
    file_some(exchange, one, "somebody")
    exchange.publish()
    real = Registry.snapshot

    def long(self: Registry) -> Iterator[Any]:
        first, row = real(self)
        yield first
        for _ in range(20_000):
            yield row

    monkeypatch.setattr(Registry, "snapshot", long)
    yield exchange
    exchange.close()


def unread(exchange: Listed, count: int) -> list[Any]:
    """As many snapshots as one member gets, each begun and not read on."""
    stub: Any = RegistryStub(exchange.open("L01"))  # type: ignore[no-untyped-call]
    streams = [stub.Snapshot(registry_pb2.SnapshotRequest()) for _ in range(count)]
    return [stream for stream in streams if is_begun(stream)]


def is_begun(stream: Any) -> bool:
    """Whether a first part comes; if none does, the stream is refused for the right reason."""
    with suppress(grpc.RpcError):
        next(stream)
        return True
    assert stream.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    return False


def latest(exchange: Listed, seconds: float) -> bytes:
    """Another member's call."""
    stub: Any = RegistryStub(exchange.open("L02"))  # type: ignore[no-untyped-call]
    return bytes(stub.Latest(registry_pb2.LatestRequest(), timeout=seconds).checkpoint)


def test_a_member_that_reads_nothing_stops_nobody(listed: Listed) -> None:
    """Forty snapshots asked for at once and left unread: three are begun, others are refused, and
    another member's calls are answered, streams too. Given up, there is room again.
    """
    begun = unread(listed, 40)
    assert len(begun) == tls.STREAMS_OF_ONE
    assert latest(listed, 20)
    assert list(listed.client("L02").own()) == []
    for stream in begun:
        stream.cancel()
    assert latest(listed, 20)
    assert len(unread(listed, 1)) == 1


def test_without_the_limit_it_stops_everybody(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positive control: as many streams as there are threads, and no other call is answered."""

    monkeypatch.setattr(tls._Places, "taken", lambda *arguments, **options: nullcontext())
    streams = unread(listed, 32)
    assert len(streams) == 32
    with pytest.raises(grpc.RpcError) as caught:
        latest(listed, 1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    for stream in streams:
        stream.cancel()
    assert latest(listed, 20)


def test_no_answer_takes_for_ever(listed: Listed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that are not read are ended by the registry after their time: there is room again,
    though their member never gives them up.
    """
    monkeypatch.setattr(tls, "STREAM_SECONDS", 1.0)
    kept = unread(listed, tls.STREAMS_OF_ONE)
    pause = threading.Event()
    assert any(unread(listed, 1) or pause.wait(0.2) for _ in range(100))
    assert len(kept) == tls.STREAMS_OF_ONE
