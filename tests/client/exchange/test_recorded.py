"""Nothing leaves for key holders or registry without a line in the outbox, written first."""

from __future__ import annotations

import os
from concurrent import futures
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import grpc
import pytest

from client.exchange.recorded import RecordedDoor, recorded_channel
from client.outbox import Outbox
from client.outbox_table import read_outbox
from shared.errors import OperatorError
from shared.wire import keyholder_pb2, registry_pb2
from shared.wire.registry_pb2_grpc import (
    RegistryServicer,
    RegistryStub,
    add_RegistryServicer_to_server,
)

NOW = datetime(2031, 5, 6, tzinfo=UTC)
REQUEST = keyholder_pb2.EvaluateRequest(purpose="application", points=bytes(8 * 32))


class Door:
    """Notes what came through it, and how long the journal was then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[int] = []

    def describe(self) -> tuple[bytes, ...]:
        self.seen.append(len(read_outbox(self.folder).entries))
        return ()

    def evaluate(self, request: keyholder_pb2.EvaluateRequest) -> keyholder_pb2.EvaluateReply:
        self.seen.append(len(read_outbox(self.folder).entries))
        return keyholder_pb2.EvaluateReply()


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "own" / "outbox.jsonl", lambda: NOW)


def test_a_line_is_on_the_disk_before_points_leave(tmp_path: Path, outbox: Outbox) -> None:
    """With size and digest of just the message that leaves, to whom and for what."""
    door = Door(tmp_path)
    recorded = RecordedDoor("K1", door, outbox)
    recorded.describe()
    recorded.evaluate(REQUEST)
    assert door.seen == [1, 2]
    record = read_outbox(tmp_path).entries[1].record
    content = REQUEST.SerializeToString()
    assert (record.kind, record.stage, record.size) == ("points", "to K1", len(content))
    assert record.content == sha256(content).hexdigest()
    assert record.purpose.startswith("application: 8 blinded points")


def test_what_the_disk_does_not_take_does_not_leave(
    tmp_path: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The door is not opened; with a disk that works it is."""
    door = Door(tmp_path)
    recorded = RecordedDoor("K1", door, outbox)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", full)
        with pytest.raises(OperatorError, match="nothing was sent"):
            recorded.evaluate(REQUEST)
    assert door.seen == []
    recorded.evaluate(REQUEST)
    assert door.seen == [1]


class Registry(RegistryServicer):
    """Counts calls."""

    calls = 0

    def Latest(self, request: object, context: object) -> registry_pb2.CheckpointReply:  # noqa: N802
        self.calls += 1
        return registry_pb2.CheckpointReply()

    def Own(self, request: object, context: object):  # type: ignore[no-untyped-def]  # noqa: N802
        self.calls += 1
        yield registry_pb2.OwnEntry()


def test_every_call_to_the_registry_has_a_line_and_none_leaves_without(
    tmp_path: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Single answers and streams alike."""
    server, servicer = grpc.server(futures.ThreadPoolExecutor(2)), Registry()
    add_RegistryServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as plain:
            stub = RegistryStub(recorded_channel(plain, "R1", outbox))
            stub.Latest(registry_pb2.LatestRequest())
            assert len(list(stub.Own(registry_pb2.OwnRequest()))) == 1
            told = [one.record.purpose for one in read_outbox(tmp_path).entries]
            assert told == [
                "which version of the list is the latest?",
                "this lender's own entries, please",
            ]
            monkeypatch.setattr(os, "fdatasync", _full)
            with pytest.raises(OperatorError):
                stub.Latest(registry_pb2.LatestRequest())
            with pytest.raises(OperatorError):
                list(stub.Own(registry_pb2.OwnRequest()))
    finally:
        server.stop(0).wait()
    assert servicer.calls == 2


def _full(handle: int) -> None:
    raise OSError(28, "No space left on device")
