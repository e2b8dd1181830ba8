"""A real gate on loopback, over mutual TLS, with two members; what is behind it is given."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.actor import TRANSPORT, TRANSPORT_KEY
from server.authority import Authority, create_authority, issue_transport
from server.deployment import gate as gates
from server.deployment.gate import Gate, server_of
from server.deployment.loopback import Loopback
from server.keys import AUTHORITY, write_key
from shared.identity.certificate import Role
from shared.identity.node_key import new_node_key, node_public_of
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import new_transport_key, transport_public_of

MEMBERS = ("L01", "L02")
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """Of the gate."""

    status: int
    head: bytes
    body: bytes


@dataclass(frozen=True)
class OpenGate:
    """`keys`: of members' nodes, PEM, private; `home`: members' certificates."""

    gate: Gate
    port: int
    home: Path
    keys: dict[str, bytes]

    def context(self, code: str) -> ssl.SSLContext:
        """What a member shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.home / AUTHORITY)
        context.load_cert_chain(self.home / f"{code}.crt", self.home / f"{code}.key")
        return context

    @contextmanager
    def connected(self, code: str = "L01", seconds: float = 20.0) -> Iterator[ssl.SSLSocket]:
        """A member's connection."""
        with (
            socket.create_connection((HOST, self.port), seconds) as plain,
            self.context(code).wrap_socket(plain) as line,
        ):
            yield line

    def asked(self, request: bytes, code: str = "L01") -> Answer:
        """What a member's whole request is answered, over a connection of its own."""
        with self.connected(code) as line:
            line.sendall(request)
            return answer_on(line)

    def key_header(self, code: str) -> str:
        """As Flower's nodes show their key."""
        from base64 import b64encode

        return b64encode(node_public_of(self.keys[code])).decode()


def answer_on(line: ssl.SSLSocket) -> Answer:
    """The next answer on a connection; status 0 where it closes without one."""
    told = b""
    while b"\r\n\r\n" not in told:
        piece = _read(line)
        if not piece:
            return Answer(0, told, b"")
        told += piece
    head, _, body = told.partition(b"\r\n\r\n")
    sizes = [row for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")]
    most = int(sizes[0].split(b":")[1]) if sizes else 1 << 60
    while len(body) < most and (piece := _read(line)):
        body += piece
    return Answer(int(head.split(b" ")[1]), head, body)


def _read(line: ssl.SSLSocket) -> bytes:
    with suppress(ConnectionError, ssl.SSLError):
        return line.recv(1 << 16)
    return b""


def _certified(home: Path, authority: Authority, code: str, role: Role, name: str) -> None:
    now, key = datetime.now(UTC), new_transport_key(secrets.token_bytes)
    certificate = issue_transport(
        authority, code, role, transport_public_of(key), days=9, now=now, random=secrets.token_bytes
    )
    (home / f"{name}.key").parent.mkdir(exist_ok=True)
    write_key(home / f"{name}.key", key)
    (home / f"{name}.crt").write_bytes(certificate_to_pem(certificate))


@contextmanager
def open_gate(folder: Path, behind: Any) -> Iterator[OpenGate]:
    """Serves until the block ends. `behind`: in place of the way to the SuperLink."""
    now = datetime.now(UTC)
    authority = create_authority("ours", days=99, now=now, random=secrets.token_bytes)
    (folder / AUTHORITY).write_bytes(certificate_to_pem(authority.certificate))
    _certified(folder, authority, "coordinator", "coordinator", "coordinator")
    (folder / TRANSPORT_KEY).parent.mkdir(parents=True, exist_ok=True)
    (folder / "coordinator.key").rename(folder / TRANSPORT_KEY)
    (folder / "coordinator.crt").rename(folder / TRANSPORT)
    for code in MEMBERS:
        _certified(folder, authority, code, "lender", code)
    keys = {code: new_node_key(secrets.token_bytes) for code in MEMBERS}
    listed = {
        code: {"public": "00", "node": node_public_of(key).decode()} for code, key in keys.items()
    }
    (folder / "members.json").write_text(json.dumps(listed))
    Loopback(folder).renew()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "Forwarding", lambda loopback: behind)
        gate = Gate(folder)
        server = server_of(gate, HOST, 0)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield OpenGate(gate, port, folder, keys)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
