"""What the registry's service answers, and to whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.exchange.registry import Synced
from shared.blacklist.rows import Changes
from shared.wire import registry_pb2 as wire
from shared.wire.registry_pb2_grpc import RegistryStub
from tests.client.exchange.served_exchange import Exchange


@pytest.fixture
def exchange(tmp_path: Path, list_url: str) -> Iterator[Exchange]:
    """Served on loopback, over each kind of database."""
    exchange = Exchange(tmp_path, list_url)
    yield exchange
    exchange.close()


def status_of(stub: Any, name: str, request: Any) -> grpc.StatusCode:
    """How a call ends."""
    try:
        answer = getattr(stub, name)(request)
        list(answer if isinstance(answer, Iterable) else [])
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()  # type: ignore[attr-defined]
        return code
    return grpc.StatusCode.OK


def test_only_lenders_are_answered(exchange: Exchange) -> None:
    """A coordinator's certificate is refused in every call; a lender's is not (control)."""
    exchange.identify("C01", "coordinator")
    stranger: Any = RegistryStub(exchange.open("C01"))  # type: ignore[no-untyped-call]
    calls: dict[str, Any] = {
        "Submit": wire.SubmitRequest(events=[b"{}"]),
        "Latest": wire.LatestRequest(),
        "Snapshot": wire.SnapshotRequest(),
        "Delta": wire.DeltaRequest(),
        "Own": wire.OwnRequest(),
        "Waiting": wire.WaitingRequest(),
    }
    member: Any = RegistryStub(exchange.open("L01"))  # type: ignore[no-untyped-call]
    for name, request in calls.items():
        assert status_of(stranger, name, request) is grpc.StatusCode.PERMISSION_DENIED
        assert status_of(member, name, request) is grpc.StatusCode.OK


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    method=st.sampled_from(["Submit", "Latest", "Delta", "Own", "Waiting"]),
    body=st.binary(max_size=300) | st.just(b"\x0a" + b"\xff" * 50) | st.just(bytes(2 << 20)),
)
def test_whatever_comes_the_registry_goes_on(exchange: Exchange, method: str, body: bytes) -> None:
    """Raw bytes in place of messages, oversized ones too: a status, and the next is served."""
    if not exchange.channels:
        exchange.open("L01")
    call = exchange.channels[0].unary_stream(f"/lianfang.registry.Registry/{method}")
    with suppress(grpc.RpcError):
        list(call(body, timeout=20))
    stub: Any = RegistryStub(exchange.channels[0])  # type: ignore[no-untyped-call]
    assert stub.Latest(wire.LatestRequest(), timeout=20).checkpoint


def test_the_index_protocol_is_the_index(exchange: Exchange) -> None:
    """An empty list is a list."""
    exchange.publish()
    index = exchange.index("L01")
    synced = exchange.client("L01").sync(index)
    assert isinstance(synced, Synced)
    assert (synced.rows, len(index)) == (0, 0)
    index.apply(Changes(), synced.version + 1)
