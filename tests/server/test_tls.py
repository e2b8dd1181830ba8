"""gRPC over mutual TLS: who is answered, who is not, and that the difference is the defence's."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from client.tls import Transport, channel
from server import tls
from server.actor import Actor, read_actor, write_actor
from server.authority import Authority, create_authority, issue, issue_transport
from server.tls import CALLS_OF_ONE, Peers, Running, serve
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import public_of
from shared.identity.pem import certificate_to_pem, private_to_pem
from shared.identity.transport import (
    Peer,
    new_transport_key,
    read_peer,
    transport_public,
    transport_public_of,
)

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=40)


def authority_of(name: str) -> Authority:
    return create_authority(name, days=100, now=NOW - timedelta(days=3), random=secrets.token_bytes)


def transport_of(
    authority: Authority, code: str, role: str = "lender", *, days: int = 30, now: datetime = NOW
) -> Transport:
    key = new_transport_key(secrets.token_bytes)
    certificate = issue_transport(
        authority,
        code,
        role,  # type: ignore[arg-type]
        transport_public_of(key),
        days=days,
        now=now,
        random=secrets.token_bytes,
    )
    return Transport(code, authority.certificate, certificate, key)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return authority_of("demo")


@pytest.fixture(scope="module")
def actor(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Actor:
    folder = tmp_path_factory.mktemp("H1")
    write_actor(folder, authority, "H1", "keyholder", days=30, now=NOW, random=secrets.token_bytes)
    return read_actor(folder, "keyholder", NOW)


def echo(
    actor: Actor, clock: datetime = NOW, *, believes_all: bool = False, **options: Any
) -> Running:
    """A server that answers who asks; `believes_all` leaves the judgement out."""
    peers = Peers(actor, lambda: clock)

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if believes_all:
            return b"anybody"
        return peers.of(context, ["lender"]).code.encode()

    method = grpc.unary_unary_rpc_method_handler(answer)
    parts = grpc.unary_stream_rpc_method_handler(lambda request, context: [request] * 2)
    handler = grpc.method_handlers_generic_handler("Echo", {"ask": method, "parts": parts})
    return serve(actor, "127.0.0.1:0", lambda s: s.add_generic_rpc_handlers((handler,)), **options)


@contextmanager
def half_open(
    server: Running, transports: Sequence[Transport], count: int, method: str = "/Echo/ask"
) -> Iterator[list[grpc.Future]]:
    """Calls that are begun, by each of these in turn, and send nothing until the end."""
    end = threading.Event()

    def nothing() -> Iterator[bytes]:
        end.wait()
        yield from ()

    with ExitStack() as lines:
        address = f"127.0.0.1:{server.port}"
        opened = [lines.enter_context(channel(address, "H1", one)) for one in transports]
        calls = [
            opened[number % len(opened)].stream_unary(method).future(nothing())
            for number in range(count)
        ]
        try:
            yield list(calls)  # one that nobody holds is cancelled
        finally:
            end.set()


def ended(call: grpc.Future) -> grpc.StatusCode:
    try:
        call.result(timeout=10)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


@pytest.fixture
def running(actor: Actor) -> Iterator[Running]:
    server = echo(actor)
    yield server
    server.stop(0)


def ask(server: Running, transport: Transport, code: str = "H1", seconds: float = 10) -> bytes:
    with channel(f"127.0.0.1:{server.port}", code, transport) as line:
        answer: bytes = line.unary_unary("/Echo/ask")(b"", timeout=seconds)
    return answer


def refused(
    server: Running, transport: Transport, code: str = "H1", seconds: float = 10
) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as error:
        ask(server, transport, code, seconds)
    return error.value.code()


def test_a_lender_is_known_by_its_certificate(running: Running, authority: Authority) -> None:
    """Who asks is what the certificate says."""
    assert ask(running, transport_of(authority, "L07")) == b"L07"


def test_another_authority_is_not_believed(running: Running) -> None:
    """A certificate of an authority with the same name ends the handshake."""
    assert refused(running, transport_of(authority_of("demo"), "L07")) is (
        grpc.StatusCode.UNAVAILABLE
    )


def test_a_server_under_another_code_is_not_believed(
    running: Running, authority: Authority
) -> None:
    """A lender that asks for H2 does not talk to H1."""
    assert refused(running, transport_of(authority, "L07"), "H2") is grpc.StatusCode.UNAVAILABLE


def test_a_wrong_role_is_refused(running: Running, authority: Authority) -> None:
    """A registry may not ask what lenders may."""
    transport = transport_of(authority, "R", "registry")
    assert refused(running, transport) is grpc.StatusCode.PERMISSION_DENIED


def test_an_expired_certificate_is_refused_by_our_own_clock(
    actor: Actor, authority: Authority
) -> None:
    """Expiry is judged by the injected clock; without the judgement the same caller is answered."""
    transport = transport_of(authority, "L07")
    server, open_to_all = echo(actor, LATER), echo(actor, LATER, believes_all=True)
    try:
        assert refused(server, transport) is grpc.StatusCode.UNAUTHENTICATED
        assert ask(open_to_all, transport) == b"anybody"
    finally:
        server.stop(0)
        open_to_all.stop(0)


def test_an_expired_certificate_ends_the_handshake(running: Running, authority: Authority) -> None:
    """The TLS library itself refuses what expired by this machine's clock."""
    past = transport_of(authority, "L07", days=1, now=NOW - timedelta(days=2))
    assert refused(running, past) is grpc.StatusCode.UNAVAILABLE


def test_a_revoked_code_is_refused(actor: Actor, authority: Authority) -> None:
    """A code on the list is refused; the same certificate is answered without the list."""
    transport = transport_of(authority, "L07")
    server = echo(replace(actor, revoked=frozenset({"L07"})))
    try:
        assert refused(server, transport) is grpc.StatusCode.UNAUTHENTICATED
        assert ask(server, transport_of(authority, "L08")) == b"L08"
    finally:
        server.stop(0)


def test_an_oversized_message_is_refused_and_the_next_is_answered(
    running: Running, authority: Authority
) -> None:
    """More than a megabyte is not parsed, and the server goes on."""
    transport = transport_of(authority, "L07")
    with (
        channel(f"127.0.0.1:{running.port}", "H1", replace(transport)) as line,
        pytest.raises(grpc.RpcError) as error,
    ):
        line.unary_unary("/Echo/ask")(bytes((1 << 20) - 1) + b"xx", timeout=10)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ask(running, transport) == b"L07"


@pytest.mark.parametrize("method", ["/Echo/ask", "/Echo/parts"])
def test_half_open_calls_of_one_member_stop_nobody(
    actor: Actor, authority: Authority, method: str
) -> None:
    """A member that begins more calls than there are threads, under two certificates, and sends no
    request has its share of them and no more; others are answered.
    """
    attackers = [transport_of(authority, "L01") for _ in range(2)]
    server = echo(actor, workers=CALLS_OF_ONE + 2, request_seconds=60)
    try:
        with half_open(server, attackers, 2 * CALLS_OF_ONE, method) as calls:
            over = [next(as_done(calls)) for _ in range(CALLS_OF_ONE)]
            assert {ended(call) for call in over} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
            assert ask(server, transport_of(authority, "L02")) == b"L02"
            assert refused(server, attackers[0]) is grpc.StatusCode.RESOURCE_EXHAUSTED
    finally:
        server.stop(0)


def as_done(calls: list[grpc.Future]) -> Iterator[grpc.Future]:
    """Calls in the order they end; each is removed from `calls`."""
    while calls:
        for call in calls:
            if call.done():
                calls.remove(call)
                yield call
                break
        else:
            threading.Event().wait(0.01)


def test_without_turns_half_open_calls_stop_everybody(
    actor: Actor, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positive control: the same calls, not counted, take every thread."""
    begun = threading.Semaphore(0)

    def uncounted(self: tls._Turns, handler: Any, call: Any) -> Any:
        begun.release()
        return handler(call)

    monkeypatch.setattr(tls._Turns, "intercept_service", uncounted)
    server = echo(actor, workers=CALLS_OF_ONE + 2)
    try:
        with half_open(server, [transport_of(authority, "L01")], 2 * CALLS_OF_ONE):
            assert all(begun.acquire(timeout=10) for _ in range(2 * CALLS_OF_ONE))
            late = refused(server, transport_of(authority, "L02"), seconds=1)
            assert late is grpc.StatusCode.DEADLINE_EXCEEDED
    finally:
        server.stop(0)


def test_a_call_without_its_request_is_ended(actor: Actor, authority: Authority) -> None:
    """After the time a request has to come in, the call is cancelled and its turn is free."""
    transport = transport_of(authority, "L01")
    server = echo(actor, request_seconds=0.2)
    try:
        with half_open(server, [transport], CALLS_OF_ONE) as calls:
            assert {ended(call) for call in calls} == {grpc.StatusCode.CANCELLED}
        assert ask(server, transport) == b"L01"
    finally:
        server.stop(0)


def test_who_may_not_ask_is_refused_before_its_request(actor: Actor, authority: Authority) -> None:
    """With `admit` a wrong role is turned away at once, and takes no thread to wait for it."""
    peers = Peers(actor, lambda: NOW)
    server = echo(
        actor, request_seconds=60, admit=lambda method, context: peers.of(context, ["lender"])
    )
    try:
        with half_open(server, [transport_of(authority, "R", "registry")], 1) as calls:
            assert ended(calls[0]) is grpc.StatusCode.PERMISSION_DENIED
    finally:
        server.stop(0)


def test_a_call_that_ends_without_a_request_is_the_callers_fault(
    running: Running, authority: Authority
) -> None:
    """No request at all is refused by name; answers in parts still come."""
    with channel(f"127.0.0.1:{running.port}", "H1", transport_of(authority, "L07")) as line:
        with pytest.raises(grpc.RpcError) as error:
            line.stream_unary("/Echo/ask")(iter(()), timeout=10)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert list(line.unary_stream("/Echo/parts")(b"x", timeout=10)) == [b"x", b"x"]


def test_one_port_serves_one_server(running: Running, actor: Actor) -> None:
    """A second server at the same address is an operator's error with a remedy."""
    with pytest.raises(OperatorError, match="in use"):
        serve(actor, f"127.0.0.1:{running.port}", lambda server: None, workers=1)


def test_identity_and_transport_are_not_taken_for_each_other(authority: Authority) -> None:
    """An identity's certificate opens no connection, though the authority issued it."""
    public = public_of(bytes(31) + b"\1")
    identity = issue(
        authority, "L07", "lender", public, days=9, now=NOW, random=secrets.token_bytes
    )
    with pytest.raises(PeerError, match="P-256"):
        read_peer(identity, authority.certificate, NOW)


def test_a_peer_is_read_back(authority: Authority) -> None:
    """What was issued names code and role."""
    transport = transport_of(authority, "L07")
    assert read_peer(transport.certificate, authority.certificate, NOW) == Peer("L07", "lender")


@pytest.mark.parametrize("text", [b"", b"-----BEGIN PUBLIC KEY-----\n", bytes(40)])
def test_what_is_no_key_is_an_operators_error(text: bytes) -> None:
    """Neither form of a transport key is read from something else."""
    with pytest.raises(OperatorError):
        transport_public(text)
    with pytest.raises(OperatorError):
        transport_public_of(text)


def test_an_ed25519_key_is_no_transport_key() -> None:
    """The identity's kind of key is refused by name."""
    with pytest.raises(OperatorError, match="P-256"):
        transport_public_of(private_to_pem(bytes(32)))


def test_keys_others_can_read_are_refused(authority: Authority, tmp_path: Path) -> None:
    """A transport key with mode 0644 stops the actor before it serves."""
    write_actor(tmp_path, authority, "H1", "keyholder", days=9, now=NOW, random=secrets.token_bytes)
    (tmp_path / "own/transport.key").chmod(0o644)
    with pytest.raises(OperatorError, match="read by others"):
        read_actor(tmp_path, "keyholder", NOW)


def test_a_folder_has_one_role(authority: Authority, tmp_path: Path) -> None:
    """A key holder's folder is no registry's, and its transport certificate must be its own."""
    write_actor(tmp_path, authority, "H1", "keyholder", days=9, now=NOW, random=secrets.token_bytes)
    with pytest.raises(OperatorError, match="not both those of one registry"):
        read_actor(tmp_path, "registry", NOW)
    other = transport_of(authority, "H2", "keyholder")
    (tmp_path / "transport.crt").write_bytes(certificate_to_pem(other.certificate))
    with pytest.raises(OperatorError, match="not both"):
        read_actor(tmp_path, "keyholder", NOW)
    with pytest.raises(OperatorError, match="is there already"):
        write_actor(
            tmp_path, authority, "H1", "keyholder", days=9, now=NOW, random=secrets.token_bytes
        )


def test_revoked_codes_are_a_list(authority: Authority, tmp_path: Path) -> None:
    """A list that cannot be read stops the actor: nobody is believed by accident."""
    write_actor(tmp_path, authority, "H1", "keyholder", days=9, now=NOW, random=secrets.token_bytes)
    (tmp_path / "revoked.json").write_text('["L03"]')
    assert read_actor(tmp_path, "keyholder", NOW).revoked == {"L03"}
    (tmp_path / "revoked.json").write_text('{"L03": true}')
    with pytest.raises(OperatorError, match="list of codes"):
        read_actor(tmp_path, "keyholder", NOW)


def test_a_changed_list_is_taken_with_the_next_call(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Revoked while the service runs: refused at once. A list that cannot be read changes nothing
    and is told; one that is taken away believes again.
    """
    write_actor(tmp_path, authority, "H1", "keyholder", days=9, now=NOW, random=secrets.token_bytes)
    path, transport = tmp_path / "revoked.json", transport_of(authority, "L03")
    server = echo(read_actor(tmp_path, "keyholder", NOW))
    try:
        assert ask(server, transport) == b"L03"
        path.write_text('["L03"]')
        assert refused(server, transport) is grpc.StatusCode.UNAUTHENTICATED
        path.write_text('["L03", ')
        assert refused(server, transport) is grpc.StatusCode.UNAUTHENTICATED
        assert "the list before stays in force" in caplog.text
        path.unlink()
        assert ask(server, transport) == b"L03"
    finally:
        server.stop(0)
