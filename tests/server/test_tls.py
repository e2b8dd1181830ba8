"""gRPC over mutual TLS: who is answered, who is not, and that the difference is the defence's."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from client.tls import Transport, channel
from server.actor import Actor, read_actor, write_actor
from server.authority import Authority, create_authority, issue, issue_transport
from server.tls import Peers, Running, serve
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


def echo(actor: Actor, clock: datetime = NOW, *, believes_all: bool = False) -> Running:
    """A server that answers who asks; `believes_all` leaves the judgement out."""
    peers = Peers(actor, lambda: clock)

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if believes_all:
            return b"anybody"
        return peers.of(context, ["lender"]).code.encode()

    method = grpc.unary_unary_rpc_method_handler(answer)
    handler = grpc.method_handlers_generic_handler("Echo", {"ask": method})
    return serve(actor, "127.0.0.1:0", lambda s: s.add_generic_rpc_handlers((handler,)))


@pytest.fixture
def running(actor: Actor) -> Iterator[Running]:
    server = echo(actor)
    yield server
    server.stop(0)


def ask(server: Running, transport: Transport, code: str = "H1", request: bytes = b"") -> bytes:
    with channel(f"127.0.0.1:{server.port}", code, transport) as line:
        answer: bytes = line.unary_unary("/Echo/ask")(request, timeout=10)
    return answer


def refused(server: Running, transport: Transport, code: str = "H1") -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as error:
        ask(server, transport, code)
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
