"""gRPC over mutual TLS, as key holders and registry serve it.

Invariants:
- Nobody is answered without a certificate of the consortium's authority, valid now, not revoked and
  in a role that may ask; who asks is what the certificate says, never what a message says.
- Messages are bounded in size before they are parsed.
- Answers that come in parts take at most three quarters of the threads, and few of one caller: who
  does not read what it asked for stops nobody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NoReturn

import grpc

from server.actor import Actor
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Role
from shared.identity.pem import certificate_from_pem, certificate_to_pem
from shared.identity.transport import Peer, read_peer

MOST_BYTES = 1 << 20
"""Largest message: 4,096 points are 128 kB."""
STREAMS_OF_ONE, STREAM_SECONDS = 3, 1800.0
"""Answers in parts that one caller may have under way, and how long each may take."""


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
    workers: int = 32,
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
        interceptors=(_Streams(workers * 3 // 4),),
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


class _Streams(grpc.ServerInterceptor):  # type: ignore[misc]
    """Counts answers in parts. A thread is taken for as long as its caller does not read, so they
    are few at a time, and ended after STREAM_SECONDS.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._guard = threading.Lock()
        self._callers: list[bytes] = []

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The handler of a call; that of a stream with its turn around it."""
        handler = continuation(details)
        if handler is None or handler.unary_stream is None:
            return handler
        return grpc.unary_stream_rpc_method_handler(
            partial(self._answer, handler.unary_stream),
            handler.request_deserializer,
            handler.response_serializer,
        )

    def _answer(
        self,
        answer: Callable[[Any, grpc.ServicerContext], Iterator[Any]],
        request: Any,
        context: grpc.ServicerContext,
    ) -> Iterator[Any]:
        (caller,) = context.auth_context().get("x509_pem_cert", [b""])
        with self._turn(caller, context):
            yield from answer(request, context)

    @contextmanager
    def _turn(self, caller: bytes, context: grpc.ServicerContext) -> Iterator[None]:
        """Given back at the end of the answer or of the call, whichever is noticed first."""
        with self._guard:
            of_one = self._callers.count(caller)
            if of_one >= STREAMS_OF_ONE or len(self._callers) >= self._most:
                text = "too many answers are under way; ask again when one has ended"
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, text)
            self._callers.append(caller)
        turns = [caller]

        def give_back() -> None:
            with self._guard:
                if turns:
                    self._callers.remove(turns.pop())
            timer.cancel()

        timer = threading.Timer(STREAM_SECONDS, context.cancel)
        timer.daemon = True
        timer.start()
        if not context.add_callback(give_back):
            give_back()
        try:
            yield
        finally:
            give_back()


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
