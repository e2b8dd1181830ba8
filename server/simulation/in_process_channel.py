"""A gRPC channel without a network: the real servicers behind the real stubs, in this process.

    stub ─ serialised request ─► handler ─ the servicer's own checks ─► serialised reply ─ stub

Invariants:
- Every message is serialised and read again, so what works here is what travels elsewhere; its
  size is metered. No object is shared between the two ends.
- Who asks is what a transport certificate says, as with mutual TLS; nobody proves to have its key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc

Register = Callable[[Any], None]
"""Adds a servicer to a server, as gRPC's generated functions do."""


@dataclass
class Meter:
    """Calls and bytes both ways, over all channels that share it."""

    calls: int = 0
    bytes: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, size: int, *, calls: int = 0) -> None:
        """Add to it."""
        with self._guard:
            self.calls += calls
            self.bytes += size


class RefusedCallError(grpc.RpcError):  # type: ignore[misc]
    """A call that the servicer ended."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        """Its status."""
        return self._code

    def details(self) -> str:
        """The servicer's sentence."""
        return self._details

    def result(self, timeout: float | None = None) -> NoReturn:
        """As gRPC's interceptors ask for what came of a call."""
        raise self


grpc.Call.register(RefusedCallError)  # so that clients ask it for its status


class InProcessChannel:
    """To the servicer that `register` adds, as whoever has `certificate` (transport, PEM)."""

    def __init__(self, register: Register, certificate: bytes, meter: Meter) -> None:
        self._handlers = _handlers(register)
        self._certificate, self._meter = certificate, meter

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        _registered_method: bool = False,
    ) -> _Answer:
        """What a stub calls for one answer."""
        return _Answer(self._way(method), request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
        _registered_method: bool = False,
    ) -> _Answers:
        """What a stub calls for a stream of answers."""
        return _Answers(self._way(method), request_serializer, response_deserializer)

    def close(self) -> None:
        """Nothing is open."""

    def _way(self, method: str) -> _Way:
        return _Way(self._handlers[method], _Context(self._certificate), self._meter)


@dataclass(frozen=True)
class _Way:
    """To one method of the servicer."""

    handler: Any
    context: _Context
    meter: Meter

    def asked(self, request: bytes) -> Any:
        """The request as the servicer reads it."""
        self.meter.count(len(request), calls=1)
        return self.handler.request_deserializer(request)

    def replied(self, message: Any) -> bytes:
        """An answer as it travels."""
        reply: bytes = self.handler.response_serializer(message)
        self.meter.count(len(reply))
        return reply


@dataclass(frozen=True)
class _Answer:
    way: _Way
    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]

    def __call__(self, request: Any, timeout: float | None = None) -> Any:
        asked = self.way.asked(self.write(request))
        return self.read(self.way.replied(self.way.handler.unary_unary(asked, self.way.context)))

    def with_call(
        self, request: Any, timeout: float | None = None, **_: Any
    ) -> tuple[Any, grpc.Call | None]:
        """As gRPC's interceptors call it."""
        return self(request, timeout), None


@dataclass(frozen=True)
class _Answers:
    way: _Way
    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]

    def __call__(self, request: Any, timeout: float | None = None, **_: Any) -> Iterator[Any]:
        asked = self.way.asked(self.write(request))
        for message in self.way.handler.unary_stream(asked, self.way.context):
            yield self.read(self.way.replied(message))


class _Context:
    """As much of a ServicerContext as the servicers use."""

    def __init__(self, certificate: bytes) -> None:
        self._certificate = certificate

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return {"x509_pem_cert": [self._certificate]}

    def is_active(self) -> bool:
        return True

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise RefusedCallError(code, details)


class _Server:
    """Takes note of what a servicer answers."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The same handlers come by name, too."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        self.handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}


def _handlers(register: Register) -> Mapping[str, Any]:
    server = _Server()
    register(server)
    return server.handlers
