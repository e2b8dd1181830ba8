"""The borrowing desk on the network: gRPC over mutual TLS.

Invariants:
- Only lenders are answered, and each only under the code of its certificate.
- Nobody can ask about a subject: what there is to ask for is the whole table, the same for all.
- Messages have few sizes; the log holds counts, never tokens.
- Outside the profile `demo` nothing is served where a key share is (`server.apart`).
- One process serves a folder.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc

from server import tls
from server.actor import read_actor
from server.apart import SHARE, check_without
from server.borrowing.desk import MOST_PAGES, BorrowingDesk, RefusedError, Terms
from server.borrowing.settings import read_settings
from server.borrowing.store import Store
from server.one_at_a_time import Alone, alone_in
from server.ticking import Ticker
from shared.identity.transport import Peer
from shared.secure_sum.encoding import text_of
from shared.wire import borrowing_pb2 as wire
from shared.wire import registry_pb2 as registry
from shared.wire.borrowing_pb2_grpc import BorrowingServicer, add_BorrowingServicer_to_server
from shared.wire.padding import fill_in_steps

TICK_SECONDS = 60.0
STEP_BYTES = 16_384
PART_BYTES = 512 << 10
_NAME = "the borrowing desk"
_log = logging.getLogger("lianfang.borrowing")


class Service(BorrowingServicer):
    """Turns calls into questions to a `BorrowingDesk`. `wake` is called when there may be news."""

    def __init__(self, desk: BorrowingDesk, peers: tls.Peers, wake: Callable[[], None]) -> None:
        self._desk, self._peers, self._wake = desk, peers, wake

    def admit(self, _method: str, context: grpc.ServicerContext) -> Peer:
        """The caller, if it is a lender; ends the call otherwise, before its request is read."""
        return self._peers.of(context, ("lender",))

    def Submit(  # noqa: N802
        self, request: registry.SubmitRequest, context: grpc.ServicerContext
    ) -> registry.SubmitReply:
        """See borrowing.proto."""
        peer = self.admit("Submit", context)
        with tls.refusing(context, _log, _NAME):
            answers = self._desk.submit(peer.code, list(request.events)[: MOST_PAGES + 1])
        self._wake()
        reply = registry.SubmitReply(certificate=self._desk.certificate)
        for answer in answers:
            if isinstance(answer, RefusedError):
                refusal = registry.Refusal(
                    reason=answer.reason, what=answer.what, remedy=answer.remedy
                )
                reply.answers.append(registry.EventAnswer(refusal=refusal))
            else:
                reply.answers.append(registry.EventAnswer(receipt=text_of(answer)))
        fill_in_steps(reply, STEP_BYTES)
        return reply

    def Heads(  # noqa: N802
        self, request: wire.HeadsRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.Head]:
        """See borrowing.proto."""
        self.admit("Heads", context)
        with tls.refusing(context, _log, _NAME):
            for text in self._desk.heads(min(request.since, 2**62)):
                yield wire.Head(head=text)

    def Table(  # noqa: N802
        self, request: wire.TableRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.Part]:
        """See borrowing.proto."""
        self.admit("Table", context)
        with tls.refusing(context, _log, _NAME):
            rows = self._desk.table(min(request.version, 2**62))
            if rows is None:
                tls.refuse(context, grpc.StatusCode.ABORTED, "there is another version by now")
            for start in range(0, len(rows), PART_BYTES):
                yield wire.Part(rows=rows[start : start + PART_BYTES].tobytes())


@dataclass(frozen=True)
class Serving:
    """A desk that answers on `port` until `stop`."""

    port: int
    desk: BorrowingDesk
    _running: tls.Running
    _store: Store
    _ticker: Ticker
    _alone: Alone

    def stop(self) -> None:
        """End calls, ticker and file, in this order; the log's last line says so."""
        self._running.stop()
        self._ticker.stop()
        self._store.close()
        self._alone.release()
        _log.info("borrowing desk %s has ended", self.desk.code)


def serve(
    folder: Path,
    address: str,
    *,
    profile: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    random: Callable[[int], bytes] = os.urandom,
    terms: Terms | None = None,
    tick_seconds: float = TICK_SECONDS,
) -> Serving:
    """Serve the desk of an actor's folder at `address`. What is not given is read from
    `borrowing.toml` there, if it exists. Raises OperatorError.

    Refused with a key share in the process or the folder, unless `profile` is `demo`; and where
    another process serves this folder.
    """
    kept = read_settings(folder)
    check_without(SHARE, profile or kept.profile, folder)
    actor = read_actor(folder, "desk", clock())
    peers = tls.Peers(actor, clock)
    with ExitStack() as undone:
        alone = alone_in(folder)
        undone.callback(alone.release)
        store = Store(folder)
        undone.callback(store.close)
        desk = BorrowingDesk(
            store,
            actor.identity,
            actor.authority,
            clock=clock,
            random=random,
            terms=terms or kept.terms,
        )
        desk.tick()
        ticker = Ticker(desk.tick, tick_seconds, _log)
        service = Service(desk, peers, ticker.wake)

        def register(server: grpc.Server) -> None:
            add_BorrowingServicer_to_server(service, server)  # type: ignore[no-untyped-call]

        running = tls.serve(actor, address, register, admit=service.admit)
        undone.pop_all()
    ticker.start()
    return Serving(running.port, desk, running, store, ticker, alone)
