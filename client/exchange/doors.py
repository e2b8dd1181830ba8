"""A key holder as a lender reaches it, and what can come back instead of an answer.

Invariants:
- Whatever goes wrong is one of few errors, by what the lender does about it: fetch the key sets
  anew, leave this holder alone, or ask another one and come back.
"""

from __future__ import annotations

from typing import Protocol

import grpc

from client.tls import Transport, channel
from shared.errors import PeerError
from shared.wire import keyholder_pb2 as wire
from shared.wire.keyholder_pb2_grpc import KeyHolderStub
from shared.wire.keyholder_refusals import QUOTA, STALE_KEYS

SECONDS, SECONDS_A_POINT = 5.0, 0.01
"""The longest wait for an answer. A holder needs about 0.0001 s a point when it is not busy."""

_REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
)


class HolderFailedError(PeerError):
    """A holder does not answer, or not with an answer."""


class RefusedError(HolderFailedError):
    """The holder refuses, and would again."""


class StaleKeysError(HolderFailedError):
    """The holder has not (any more) the key set that was asked for."""


class QuotaUsedError(RefusedError):
    """The holder answers this lender no more today, for this purpose."""


class Door(Protocol):
    """One key holder. Both methods raise HolderFailedError."""

    def describe(self) -> tuple[bytes, ...]:
        """Texts of the signed key sets it has in use."""

    def evaluate(self, request: wire.EvaluateRequest) -> wire.EvaluateReply:
        """Its answer to blinded points."""


class RemoteDoor:
    """A holder over gRPC and mutual TLS at `address` ("host:port"), certified as `code`."""

    def __init__(
        self, code: str, address: str, transport: Transport, seconds: float = SECONDS
    ) -> None:
        self._channel = channel(address, code, transport)
        self._stub = KeyHolderStub(self._channel)  # type: ignore[no-untyped-call]
        self._seconds = seconds

    def describe(self) -> tuple[bytes, ...]:
        """Texts of the signed key sets it has in use."""
        try:
            reply = self._stub.Describe(wire.DescribeRequest(), timeout=self._seconds)
        except grpc.RpcError as error:
            raise failed(error) from error
        return tuple(reply.keys)

    def evaluate(self, request: wire.EvaluateRequest) -> wire.EvaluateReply:
        """Its answer to blinded points."""
        wait = self._seconds + SECONDS_A_POINT * len(request.points) / 32
        try:
            reply: wire.EvaluateReply = self._stub.Evaluate(request, timeout=wait)
        except grpc.RpcError as error:
            raise failed(error) from error
        return reply

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()


def failed(error: grpc.RpcError) -> HolderFailedError:
    """What a failed call means to a lender."""
    details = str(error.details() or error.code().name)
    if details.startswith(STALE_KEYS):
        return StaleKeysError(details.removeprefix(STALE_KEYS))
    if details.startswith(QUOTA):
        return QuotaUsedError(details.removeprefix(QUOTA))
    if error.code() in _REFUSALS:
        return RefusedError(details)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return HolderFailedError("it does not answer")
    return HolderFailedError(details)
