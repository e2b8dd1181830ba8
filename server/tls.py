"""gRPC over mutual TLS, as key holders and registry serve it.

Invariants:
- Nobody is answered without a certificate of the consortium's authority, valid now, not revoked and
  in a role that may ask; who asks is what the certificate says, never what a message says.
- Messages are bounded in size before they are parsed.
- One member has few calls under way, whichever of its certificates it shows, and a call whose
  request does not come is ended: who begins calls and sends nothing stops nobody else.
- Answers that come in parts take at most three quarters of the threads, and few of one member: who
  does not read what it asked for stops nobody else.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from traceback import format_tb
from typing import Any, NoReturn

import grpc

from server.actor import Actor
from server.revoked import RevokedCodes
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Role
from shared.identity.pem import certificate_from_pem, certificate_to_pem
from shared.identity.transport import Peer, read_peer

MOST_BYTES = 1 << 20
"""Largest message: 4,096 points are 128 kB."""
CALLS_OF_ONE, REQUEST_SECONDS = 8, 10.0
"""Calls that one member may have under way, and how long each waits for its request."""
STREAMS_OF_ONE, STREAM_SECONDS = 3, 1800.0
"""Answers in parts that one member may have under way, and how long each may take."""
Admit = Callable[[str, grpc.ServicerContext], object]
"""Ends a call to the method of this name ("/package.Service/Method") by whom it is not for."""


_Answer = Callable[[Any, grpc.ServicerContext], Any]


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
    admit: Admit | None = None,
    request_seconds: float = REQUEST_SECONDS,
) -> Running:
    """Answer at `address` ("127.0.0.1:0" takes a free port) with the handlers `register` adds.

    `admit` is asked before a call's request is waited for, up to `request_seconds`. Raises
    OperatorError when the address is taken or not this machine's.
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
        interceptors=(_Turns(workers, admit, request_seconds),),
        maximum_concurrent_rpcs=4 * workers,
    )
    register(server)
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise OperatorError(
            f"{address} cannot be served: it is in use or not this machine's",
            remedy="choose another address to listen at, or stop what uses it",
        ) from error
    server.start()
    return Running(port, server)


class _Turns(grpc.ServerInterceptor):  # type: ignore[misc]
    """Counts calls by member. A thread is taken from a call's first byte on, before its request is
    there, and of an answer in parts for as long as its caller does not read.

    So a call with one request is handled as one with many, which is the same on the wire: its
    request is waited for here, after the call was counted, and not for ever.
    """

    def __init__(self, workers: int, admit: Admit | None, seconds: float) -> None:
        self._calls = _Places(workers, CALLS_OF_ONE, "calls")
        self._streams = _Places(workers * 3 // 4, STREAMS_OF_ONE, "answers")
        self._admit = admit
        self._seconds = seconds

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """The handler of a call with one request, with its turn around it."""
        handler = continuation(details)
        if handler is None or handler.request_streaming:
            return handler
        if handler.response_streaming:
            make, answer, own = grpc.stream_stream_rpc_method_handler, self._parts, "unary_stream"
        else:
            make, answer, own = grpc.stream_unary_rpc_method_handler, self._whole, "unary_unary"
        behaviour = partial(answer, getattr(handler, own), details.method)
        return make(behaviour, handler.request_deserializer, handler.response_serializer)

    def _whole(
        self, answer: _Answer, method: str, requests: Iterator[Any], context: grpc.ServicerContext
    ) -> Any:
        with self._calls.taken(context):
            return answer(self._request(method, requests, context), context)

    def _parts(
        self, answer: _Answer, method: str, requests: Iterator[Any], context: grpc.ServicerContext
    ) -> Iterator[Any]:
        with self._calls.taken(context):
            request = self._request(method, requests, context)
        with self._streams.taken(context, early=True), _ended_after(STREAM_SECONDS, context):
            yield from answer(request, context)

    def _request(self, method: str, requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        if self._admit is not None:
            self._admit(method, context)
        with _ended_after(self._seconds, context):
            request = next(requests, None)
        if request is None:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "the call has no request")
        return request


class _Places:
    """At most `most` calls under way, `of_one` of each member; `what` they are, in a refusal."""

    def __init__(self, most: int, of_one: int, what: str) -> None:
        self._most, self._of_one, self._what = most, of_one, what
        self._guard = threading.Lock()
        self._callers: list[bytes] = []

    @contextmanager
    def taken(self, context: grpc.ServicerContext, *, early: bool = False) -> Iterator[None]:
        """Given back when what is within has ended: the thread is free then. `early`: or the call
        has, since nobody ends an answer in parts that nobody reads.
        """
        caller = b"".join(context.auth_context().get("x509_common_name", ()))
        with self._guard:
            free = len(self._callers) < self._most
            if free and self._callers.count(caller) < self._of_one:
                self._callers.append(caller)
            else:
                text = f"too many {self._what} are under way; ask again when one has ended"
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        turns = [caller]

        def give_back() -> None:
            with self._guard:
                if turns:
                    self._callers.remove(turns.pop())

        if early and not context.add_callback(give_back):
            give_back()
        try:
            yield
        finally:
            give_back()


@contextmanager
def _ended_after(seconds: float, context: grpc.ServicerContext) -> Iterator[None]:
    """Cancels the call when what is within takes longer."""
    timer = threading.Timer(seconds, context.cancel)
    timer.daemon = True
    timer.start()
    if not context.add_callback(timer.cancel):
        timer.cancel()
    try:
        yield
    finally:
        timer.cancel()


@dataclass(frozen=True)
class Peers:
    """Judges who may ask. `clock`: the time with a zone."""

    actor: Actor
    clock: Callable[[], datetime]
    revoked: RevokedCodes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codes = RevokedCodes(self.actor.folder, self.actor.revoked)
        object.__setattr__(self, "revoked", codes)

    def of(self, context: grpc.ServicerContext, roles: Sequence[Role]) -> Peer:
        """The caller, if its role is among `roles`; ends the call otherwise, saying no more."""
        peer = self._peer(context)
        if peer is None or peer.code in self.revoked:
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


def where(error: BaseException) -> str:
    """An unforeseen error for a log: its kind and the lines of code it came through. Its text is
    left out, since a database's may quote the rows it was about.
    """
    return "\n".join([type(error).__name__, *map(str.rstrip, format_tb(error.__traceback__))])


def refuse(context: grpc.ServicerContext, code: grpc.StatusCode, text: str) -> NoReturn:
    """End a call with a status and a sentence."""
    context.abort(code, text)
    raise AssertionError("abort raises")  # gRPC's own types do not say so


@contextmanager
def refusing(context: grpc.ServicerContext, log: logging.Logger, name: str) -> Iterator[None]:
    """What is raised within ends the call by whose fault it was, with the sentence made for it and
    no more: gRPC would send the text of any exception to the caller. `name`: of the service.
    """
    try:
        yield
    except PeerError as error:
        refuse(context, grpc.StatusCode.INVALID_ARGUMENT, error.what)
    except OperatorError as error:
        log.error("%s", error)
        refuse(context, grpc.StatusCode.UNAVAILABLE, f"{name} cannot answer now")
    except Exception as error:  # gRPC's own, when the caller is gone or was refused, and ours
        if not context.is_active() or context.code() is not None:
            raise
        log.error("a call failed: %s", where(error))
        refuse(context, grpc.StatusCode.INTERNAL, f"{name} failed on this call")
