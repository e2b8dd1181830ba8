"""Key holders and registry as they are reached through the outbox: no message without a line.

Invariants:
- A line with size and digest of a message is on the disk before the message leaves; if the disk
  does not take it, nothing leaves (OperatorError).
- A line says to whom, for what purpose and how much; what left shows no subject, and so the line
  shows none.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import grpc

from client.exchange.doors import Door
from client.outbox import Outbox
from shared.blacklist.events import kind_of
from shared.secure_sum.history import Record, RecordKind
from shared.wire import keyholder_pb2, registry_pb2

About = Callable[[Any], tuple[RecordKind, str]]
"""A request to its line's kind and purpose."""


class RecordedDoor:
    """The key holder `code` behind `door`."""

    def __init__(self, code: str, door: Door, outbox: Outbox) -> None:
        self._code, self._door, self._outbox = code, door, outbox

    def describe(self) -> tuple[bytes, ...]:
        """As `Door.describe`."""
        content = keyholder_pb2.DescribeRequest().SerializeToString()
        self._append("request", "which key sets are in use?", "keys", content)
        return self._door.describe()

    def evaluate(self, request: keyholder_pb2.EvaluateRequest) -> keyholder_pb2.EvaluateReply:
        """As `Door.evaluate`."""
        points = len(request.points) // 32
        purpose = f"{request.purpose}: {points:,} blinded points, looking random to the holder"
        self._append("points", purpose, request.purpose, request.SerializeToString())
        return self._door.evaluate(request)

    def _append(self, kind: RecordKind, purpose: str, payload: str, content: bytes) -> None:
        append(self._outbox, kind, self._code, purpose, payload, content)


def append(
    outbox: Outbox, kind: RecordKind, code: str, purpose: str, payload: str, content: bytes
) -> None:
    """A line about a message (`content`) to the actor `code`."""
    record = Record(
        kind=kind,
        purpose=purpose,
        content=sha256(content).hexdigest(),
        size=len(content),
        agreement="",
        stage=f"to {code}",
        payload=payload,
    )
    outbox.append(record)


class _Recorder(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Sees every call to the actor `code` before it leaves."""

    def __init__(self, code: str, outbox: Outbox, about: About) -> None:
        self._code, self._outbox, self._about = code, outbox, about

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], details: Any, request: Any
    ) -> Any:
        """Record, then go on."""
        self._record(request)
        return continuation(details, request)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], details: Any, request: Any
    ) -> Any:
        """Record, then go on."""
        self._record(request)
        return continuation(details, request)

    def _record(self, request: Any) -> None:
        kind, purpose = self._about(request)
        payload = type(request).__name__.removesuffix("Request").lower()
        append(self._outbox, kind, self._code, purpose, payload, request.SerializeToString())


def about_events(request: Any) -> tuple[RecordKind, str]:
    """What a call to the registry, or to the desk for borrowing elsewhere, is for."""
    sends = isinstance(request, registry_pb2.SubmitRequest)
    return ("events" if sends else "request"), _purpose(request)


def recorded_channel(
    channel: grpc.Channel, code: str, outbox: Outbox, about: About = about_events
) -> grpc.Channel:
    """The channel to the actor `code`, with a line for each call; `about`: what each is for."""
    return grpc.intercept_channel(channel, _Recorder(code, outbox, about))


def _purpose(request: Any) -> str:
    if isinstance(request, registry_pb2.SubmitRequest):
        counts: dict[str, int] = {}
        whose = "for the list"
        for text in request.events:
            kind = kind_of(text)
            name = _EVENTS.get(kind, kind)
            counts[name] = counts.get(name, 0) + 1
            whose = "on borrowing, under tokens" if kind == _PAGE else whose
        told = ", ".join(
            f"{number} {name}{'' if number == 1 else 's'}"
            for name, number in sorted(counts.items())
        )
        return f"signed events {whose}: {told}"
    if isinstance(request, registry_pb2.DeltaRequest):
        return f"what is new on the list since version {request.since}?"
    return _ASKED.get(type(request).__name__, type(request).__name__)


_PAGE = "ContributionPage"
_EVENTS = {
    "File": "filing",
    "Approve": "approval",
    "Dispute": "dispute",
    "Resolve": "dispute outcome",
    "Withdraw": "withdrawal",
    "Refile": "re-filing",
    "OpenEpoch": "epoch opening",
    "RetireEpoch": "epoch retirement",
    "Consent": "consent",
    _PAGE: "page",
}
_ASKED = {
    "LatestRequest": "which version of the list is the latest?",
    "SnapshotRequest": "the whole list, please",
    "OwnRequest": "this lender's own entries, please",
    "WaitingRequest": "what waits for a second institution?",
    "HeadsRequest": "which tables of borrowing elsewhere are new?",
    "TableRequest": "the whole table of borrowing elsewhere, please",
}
