"""The sidecar carries to a coordinator only, and only for this user's processes."""

from __future__ import annotations

import secrets
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.node import sidecar
from client.node.loopback import HOST, Loopback
from client.node.mutual import Mutual
from client.node.same_user import is_own
from client.node.sidecar import Sidecar
from server.authority import Authority, create_authority, issue_transport
from shared.identity.certificate import Role
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import new_transport_key, transport_public_of
from tests.faulty_way import NONE, Fault, FaultyWay

NOW = datetime.now(UTC)
OURS = create_authority("ours", days=30, now=NOW, random=secrets.token_bytes)
OTHER = create_authority("ours", days=30, now=NOW, random=secrets.token_bytes)


def certified(folder: Path, authority: Authority, code: str, role: Role) -> Path:
    """A folder with a transport key and certificate, and our authority."""
    (folder / "own").mkdir(mode=0o700, parents=True)
    key = new_transport_key(secrets.token_bytes)
    (folder / "own/transport.key").touch(mode=0o600)
    (folder / "own/transport.key").write_bytes(key)
    certificate = issue_transport(
        authority, code, role, transport_public_of(key),
        days=9, now=NOW, random=secrets.token_bytes,
    )  # fmt: skip
    (folder / "transport.crt").write_bytes(certificate_to_pem(certificate))
    (folder / "authority.crt").write_bytes(certificate_to_pem(OURS.certificate))
    return folder


@contextmanager
def gate_of(folder: Path) -> Iterator[int]:
    """One that answers each connection with what it was sent, under a folder's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "authority.crt")
    context.load_cert_chain(folder / "transport.crt", folder / "own/transport.key")
    listening = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as spoken:
                    while heard := spoken.recv(100):
                        spoken.sendall(heard)
            except OSError:
                raw.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


@contextmanager
def carried(lender: Path, gate: int) -> Iterator[ssl.SSLSocket]:
    """A connection through a lender's sidecar."""
    loopback = Loopback(lender)
    loopback.renew()
    way = Sidecar(loopback, Mutual(lender), f"{HOST}:{gate}")
    way.start()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(loopback.certificate)
    try:
        with (
            socket.create_connection((HOST, loopback.port("sidecar")), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname=HOST) as spoken,
        ):
            yield spoken
    finally:
        way.stop()


def said(spoken: ssl.SSLSocket, word: bytes) -> bytes:
    """What comes back; empty when the connection is cut."""
    try:
        spoken.sendall(word)
        return spoken.recv(100)
    except TimeoutError:
        raise
    except OSError:
        return b""


def echoed(lender: Path, gate: int) -> bytes:
    """What comes back through a lender's sidecar; empty when the connection is cut."""
    try:
        with carried(lender, gate) as spoken:
            return said(spoken, b"hello")
    except OSError:
        return b""


@pytest.fixture
def way(tmp_path: Path) -> Iterator[FaultyWay]:
    """To a gate that answers with what it was sent."""
    with gate_of(certified(tmp_path / "gate", OURS, "c", "coordinator")) as port:
        made = FaultyWay(port)
        try:
            yield made
        finally:
            made.close()


@pytest.mark.parametrize(
    ("authority", "role", "expected"),
    [(OURS, "coordinator", b"hello"), (OURS, "lender", b""), (OTHER, "coordinator", b"")],
)
def test_it_carries_to_a_coordinator_of_ours_and_to_nobody_else(
    authority: Authority, role: Role, expected: bytes, tmp_path: Path
) -> None:
    """Another member, or another authority's coordinator, hears nothing."""
    lender = certified(tmp_path / "L01", OURS, "L01", "lender")
    with gate_of(certified(tmp_path / "gate", authority, "someone", role)) as port:
        assert echoed(lender, port) == expected


def test_it_serves_this_users_processes_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system tells whose the other end is."""
    lender = certified(tmp_path / "L01", OURS, "L01", "lender")
    asked: list[tuple[object, object]] = []

    def refusing(peer: tuple[str, int], here: tuple[str, int]) -> bool:
        asked.append((peer, here))
        return False

    monkeypatch.setattr(sidecar, "is_own", refusing)
    with gate_of(certified(tmp_path / "gate", OURS, "c", "coordinator")) as port:
        assert echoed(lender, port) == b""
    assert asked


def test_others_take_up_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent connection of another user's is ended at once, before TLS; one of this user's holds
    the only place for as long as a handshake may take: the control.
    """
    monkeypatch.setattr(sidecar, "MOST_CONNECTIONS", 1)
    monkeypatch.setattr(sidecar, "HANDSHAKE_SECONDS", 2.0)
    lender = certified(tmp_path / "L01", OURS, "L01", "lender")
    loopback = Loopback(lender)
    loopback.renew()
    way = Sidecar(loopback, Mutual(lender), f"{HOST}:9")
    way.start()
    at = (HOST, loopback.port("sidecar"))

    def ended(one: socket.socket, within: float) -> bool:
        return bool(select.select([one], [], [], within)[0]) and one.recv(1) == b""

    try:
        monkeypatch.setattr(sidecar, "is_own", lambda peer, here: False)
        with socket.create_connection(at) as stranger:
            assert ended(stranger, 10)
        monkeypatch.setattr(sidecar, "is_own", lambda peer, here: True)
        with socket.create_connection(at) as own, socket.create_connection(at) as another:
            assert ended(another, 10)
            assert not ended(own, 0)
            assert ended(own, 10)
    finally:
        way.stop()


def test_the_system_tells_whose_a_connection_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is; one not there, or another user's, is not. Where it does not tell, none is."""
    with socket.create_server((HOST, 0)) as server:
        here = server.getsockname()
        with socket.create_connection(here) as client:
            assert is_own(client.getsockname(), here)
            assert not is_own((HOST, 1), here)
            user: Callable[[], int] = lambda: 4_000_000  # noqa: E731
            with monkeypatch.context() as patch:
                patch.setattr("client.node.same_user.os.getuid", user)
                assert not is_own(client.getsockname(), here)
            assert is_own(client.getsockname(), here)
            monkeypatch.setattr("client.node.same_user._TABLE", Path("/nowhere/tcp"))
            assert not is_own(client.getsockname(), here)


def test_a_connection_that_hears_nothing_more_is_given_up(
    way: FaultyWay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an answer is owed: half open, it is cut within seconds. One that is idle for longer
    goes on.
    """
    monkeypatch.setattr(sidecar, "SILENT_SECONDS", 0.3)
    with carried(certified(tmp_path / "L01", OURS, "L01", "lender"), way.port) as spoken:
        assert said(spoken, b"first") == b"first"
        assert not select.select([spoken], [], [], 0.8)[0]
        assert said(spoken, b"second") == b"second"
        way.set(Fault("half open"))
        assert said(spoken, b"third") == b""
        assert way.struck == 1


def test_a_short_partition_costs_nothing(
    way: FaultyWay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the above: with more patience the same connection is still there, and what was
    held back arrives.
    """
    monkeypatch.setattr(sidecar, "SILENT_SECONDS", 60.0)
    with carried(certified(tmp_path / "L01", OURS, "L01", "lender"), way.port) as spoken:
        way.set(Fault("partition"))
        spoken.settimeout(0.8)
        with pytest.raises(TimeoutError):
            said(spoken, b"first")
        way.set(NONE)
        spoken.settimeout(10.0)
        assert spoken.recv(100) == b"first"
