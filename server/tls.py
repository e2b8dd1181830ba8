"""gRPC over mutual TLS, as key holders and registry serve it.

Invariants:
- Nobody is answered without a certificate of the consortium's authority, valid now, not revoked and
  in a role that may ask; who asks is what the certificate says, never what a message says.
- Messages are bounded in size before they are parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import grpc

from server.actor import Actor
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Role
from shared.identity.pem import certificate_from_pem, certificate_to_pem
from shared.identity.transport import Peer, read_peer

MOST_BYTES = 1 << 20
"""Largest message: 4,096 points are 128 kB."""


@dataclass(frozen=True)
class Running:
    """A server that answers on `port` until `stop`."""

    port: int
    server: grpc.Server

    def stop(self, grace: float | None = 0.5) -> None:
        """Take no more calls, give those under way `grace` seconds, then end."""
        self.server.stop(grace).wait()


def serve(
    actor: Actor,
    address: str,
    register: Callable[[grpc.Server], None],
    *,
    workers: int = 16,
    most_bytes: int = MOST_BYTES,
) -> Running:
    """Answer at `address` ("127.0.0.1:0" takes a free port) with the handlers `register` adds.

    Raises OperatorError when the address is taken or not this machine's.
    """
    pem = certificate_to_pem
    credentials = grpc.ssl_server_credentials(
        [(actor.transport_key, pem(actor.transport))],
        pem(actor.authority),
        require_client_auth=True,
    )
    server = grpc.server(
        ThreadPoolExecutor(workers, thread_name_prefix="serve"),
        options=[
            ("grpc.max_receive_message_length", most_bytes),
            ("grpc.max_send_message_length", most_bytes),
            ("grpc.so_reuseport", 0),  # a second server on the same port is an error
        ],
        maximum_concurrent_rpcs=4 * workers,
    )
    register(server)
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise OperatorError(
            f"{address} cannot be served: it is in use or not this machine's",
            remedy="choose another address with --listen, or stop what uses it",
        ) from error
    server.start()
    return Running(port, server)


@dataclass(frozen=True)
class Peers:
    """Judges who may ask. `clock`: the time with a zone."""

    actor: Actor
    clock: Callable[[], datetime]

    def of(self, context: grpc.ServicerContext, roles: Sequence[Role]) -> Peer:
        """The caller, if its role is among `roles`; ends the call otherwise, saying no more."""
        peer = self._peer(context)
        if peer is None or peer.code in self.actor.revoked:
            refuse(context, grpc.StatusCode.UNAUTHENTICATED, "your certificate is not accepted")
        if peer.role not in roles:
            refuse(context, grpc.StatusCode.PERMISSION_DENIED, f"not for a {peer.role}")
        return peer

    def _peer(self, context: grpc.ServicerContext) -> Peer | None:
        try:
            (text,) = context.auth_context()["x509_pem_cert"]
            return read_peer(certificate_from_pem(text), self.actor.authority, self.clock())
        except (KeyError, ValueError, OperatorError, PeerError):
            return None


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, text: str) -> NoReturn:
    """End a call with a status and a sentence."""
    context.abort(code, text)
    raise AssertionError("abort raises")  # gRPC's own types do not say so
