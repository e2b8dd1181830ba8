"""Whoever is not certified, or not in this role, is refused by both services in every method."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from client.tls import Transport, channel
from server.actor import write_actor
from server.authority import create_authority
from server.keyholder import service as keyholder
from server.registry import service as registry
from shared.wire import keyholder_pb2, registry_pb2
from shared.wire.keyholder_pb2_grpc import KeyHolderStub
from shared.wire.registry_pb2_grpc import RegistryStub
from tests.server.keyholder.key_holders import AUTHORITY, CONTEXT, NOW, make_folder, transport_of

FORGER = create_authority(
    CONTEXT, days=400, now=NOW - timedelta(days=3), random=secrets.token_bytes
)
REFUSED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)
"""The handshake fails, or the call is refused."""


@dataclass
class Clock:
    """The services' own."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True)
class Service:
    """`calls`: each method, given a channel."""

    code: str
    port: int
    clock: Clock
    calls: Callable[[grpc.Channel], list[Callable[[], Any]]]

    def outcomes(self, transport: Transport) -> set[grpc.StatusCode]:
        """How each method ends for this caller."""
        with channel(f"127.0.0.1:{self.port}", self.code, transport) as opened:
            return {status(call) for call in self.calls(opened)}


def status(call: Callable[[], Any]) -> grpc.StatusCode:
    try:
        answer = call()
        with suppress(TypeError):
            list(answer)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()  # type: ignore[attr-defined]
        return code
    return grpc.StatusCode.OK


def of_holder(opened: grpc.Channel) -> list[Callable[[], Any]]:
    stub = KeyHolderStub(opened)  # type: ignore[no-untyped-call]
    return [
        lambda: stub.Describe(keyholder_pb2.DescribeRequest(), timeout=20),
        lambda: stub.Evaluate(keyholder_pb2.EvaluateRequest(), timeout=20),
    ]


def of_registry(opened: grpc.Channel) -> list[Callable[[], Any]]:
    stub = RegistryStub(opened)  # type: ignore[no-untyped-call]
    return [
        lambda: stub.Submit(registry_pb2.SubmitRequest(events=[b"{}"]), timeout=20),
        lambda: stub.Latest(registry_pb2.LatestRequest(), timeout=20),
        lambda: stub.Snapshot(registry_pb2.SnapshotRequest(), timeout=20),
        lambda: stub.Delta(registry_pb2.DeltaRequest(), timeout=20),
        lambda: stub.Own(registry_pb2.OwnRequest(), timeout=20),
        lambda: stub.Waiting(registry_pb2.WaitingRequest(), timeout=20),
    ]


@pytest.fixture(scope="module", params=["keyholder", "registry"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Each of the two, believing `AUTHORITY`, with L66 revoked."""
    folder, clock = tmp_path_factory.mktemp(request.param), Clock()
    serving: Any
    if request.param == "keyholder":
        make_folder(folder, "K1", ["K1", "K2"])
    else:
        random = secrets.token_bytes
        write_actor(folder, AUTHORITY, "R1", "registry", days=300, now=NOW, random=random)
    (folder / "revoked.json").write_text('["L66"]')
    if request.param == "keyholder":
        serving = keyholder.serve(folder, "127.0.0.1:0", clock=clock)
        yield Service("K1", serving.port, clock, of_holder)
    else:
        serving = registry.serve(folder, "127.0.0.1:0", profile="demo", clock=clock)
        yield Service("R1", serving.port, clock, of_registry)
    serving.stop()


def test_a_lender_is_answered(service: Service) -> None:
    """Control for all below: the same calls are answered, or refused for what is in them."""
    asked = service.outcomes(transport_of("L01"))
    assert asked <= {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
    assert grpc.StatusCode.OK in asked


WRONG = {
    "expired": lambda: transport_of("L01", now=NOW - timedelta(days=2), days=1),
    "another authority": lambda: transport_of("L01", authority=FORGER),
    "revoked": lambda: transport_of("L66"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_certificate_that_does_not_count(service: Service, wrong: str) -> None:
    """Expired, of another authority under the same name, revoked: refused in every method."""
    assert service.outcomes(WRONG[wrong]()) <= set(REFUSED)


def test_a_certificate_that_expires_while_connected(service: Service) -> None:
    """The connection outlives it, the answers do not; with the clock put back they go on."""
    transport = transport_of("L01", days=30)
    with channel(f"127.0.0.1:{service.port}", service.code, transport) as opened:
        calls = service.calls(opened)
        assert grpc.StatusCode.OK in {status(call) for call in calls}
        service.clock.ahead = timedelta(days=31)
        try:
            assert {status(call) for call in calls} == {grpc.StatusCode.UNAUTHENTICATED}
        finally:
            service.clock.ahead = timedelta()
        assert grpc.StatusCode.OK in {status(call) for call in calls}


@pytest.mark.parametrize("role", ["coordinator", "keyholder", "registry"])
def test_a_role_that_may_not_ask(service: Service, role: str) -> None:
    """Nobody but a lender evaluates points or touches the list; key sets are for all to read."""
    asked = service.outcomes(transport_of("X1", role))
    described = {grpc.StatusCode.OK} if service.code == "K1" else set()
    assert asked == {grpc.StatusCode.PERMISSION_DENIED} | described


METHODS = {
    "K1": "/lianfang.keyholder.v1.KeyHolder/Evaluate",
    "R1": "/lianfang.registry.Registry/Own",
}


def test_a_wrong_role_holds_no_thread_while_it_says_nothing(service: Service) -> None:
    """A call that is begun without a request is ended at once; a lender's waits for it (control)
    and is told once none comes.
    """
    end = threading.Event()

    def nothing() -> Iterator[bytes]:
        end.wait()
        yield from ()

    def begun(opened: grpc.Channel) -> Any:
        return opened.stream_stream(METHODS[service.code])(nothing(), timeout=20)

    address = f"127.0.0.1:{service.port}"
    with (
        channel(address, service.code, transport_of("L01")) as lender,
        channel(address, service.code, transport_of("X1", "coordinator")) as other,
    ):
        waiting, refused = begun(lender), begun(other)
        assert refused.code() is grpc.StatusCode.PERMISSION_DENIED
        assert waiting.is_active()
        end.set()
        assert waiting.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_service_of_another_authority_is_not_spoken_to(service: Service) -> None:
    """A lender that believes another authority ends the handshake."""
    assert service.outcomes(transport_of("L01", trusting=FORGER)) == {grpc.StatusCode.UNAVAILABLE}
