"""Calls to a service over a network that fails: tried again, and told by whose fault it is.

Invariants:
- Only what may be better a moment later is tried again. No error names more than a status and the
  service's own sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc

from shared.errors import InternalError, OperatorError, PeerError

T = TypeVar("T")


class UnreachableError(OperatorError):
    """The service, or the way to it, is down."""


class OvertakenError(OperatorError):
    """What was being read is of no use, since something newer came: read anew."""


_TRY_AGAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
    }
)


def reached(
    call: Callable[[], T],
    attempts: int,
    sleep: Callable[[float], None],
    who: str = "the registry",
) -> T:
    """Try again while the service (`who`) or the way to it is down; OperatorError or PeerError in
    the end. `sleep` waits that many seconds.
    """
    for attempt in range(attempts):
        try:
            return call()
        except grpc.RpcError as error:
            last = attempt == attempts - 1
            if last or _code(error) not in _TRY_AGAIN:
                raise _unreachable(error, who) from error
        sleep(0.2 * 2**attempt)
    raise InternalError("no attempt was made")


@contextmanager
def named_errors(who: str = "the registry") -> Iterator[None]:
    """What breaks off in the middle of a stream, as OperatorError or PeerError."""
    try:
        yield
    except grpc.RpcError as error:
        raise _unreachable(error, who) from error


def _code(error: grpc.RpcError) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call) else None


def _unreachable(error: grpc.RpcError, who: str) -> OperatorError | PeerError:
    code = _code(error)
    details = error.details() if isinstance(error, grpc.Call) else ""
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL):
        return PeerError(f"{who} refused the call: {details}")
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return OperatorError(
            f"{who} does not accept this lender: {details}",
            remedy="check that transport.crt is valid and not revoked",
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return UnreachableError(
            f"{who} cannot be reached: another service answers there",
            remedy=f"check in exchange.toml that the address is that of {who}",
        )
    if code is grpc.StatusCode.ABORTED:
        return OvertakenError(f"{who} broke off: {details}", remedy="sync again")
    return UnreachableError(
        f"{who} cannot be reached ({code.name if code else 'unknown'})",
        remedy="check its address and the network, and in exchange.toml that its code is the one "
        "in its certificate",
    )
