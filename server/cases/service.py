"""The case desk on the network: gRPC over mutual TLS.

Invariants:
- Only lenders are answered, and each only under the code of its certificate.
- Whatever comes in a message, the answer is a status and a sentence; the server goes on.
- The log holds counts, weeks and codes; never tokens, pages or who sent which.
- Outside the profile `demo` nothing is served where a key share is (`server.apart`).
- One process serves a folder.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc

from server import tls
from server.actor import Actor, read_actor
from server.apart import SHARE, check_without
from server.cases.desk import ClosedError, Desk
from server.cases.settings import read_settings
from server.cases.store import FORGOTTEN, Store
from server.one_at_a_time import Alone, alone_in
from server.ticking import Ticker
from shared.cases.case import ROLE
from shared.identity.transport import Peer
from shared.secure_sum.encoding import text_of
from shared.wire import cases_pb2 as wire
from shared.wire.cases_pb2_grpc import CaseDeskServicer, add_CaseDeskServicer_to_server

TICK_SECONDS = 60.0
CHUNK_BYTES = 256 << 10
_log = logging.getLogger("lianfang.cases")


class Service(CaseDeskServicer):
    """Turns calls into questions to a `Desk`."""

    def __init__(self, desk: Desk, peers: tls.Peers) -> None:
        self._desk, self._peers = desk, peers

    def admit(self, _method: str, context: grpc.ServicerContext) -> Peer:
        """The caller, if it is a lender; ends the call otherwise, before its request is read."""
        return self._peers.of(context, ("lender",))

    def Cases(  # noqa: N802
        self, request: wire.CasesRequest, context: grpc.ServicerContext
    ) -> wire.CasesReply:
        """See cases.proto."""
        self.admit("Cases", context)
        reply = wire.CasesReply()
        with _refusing(context):
            for one in self._desk.standings():
                if one.stage == FORGOTTEN:  # nothing of it is left to be asked for
                    continue
                said = text_of(self._desk.said(one))
                reply.cases.add(case=text_of(one.signed), standing=said)
        return reply

    def Submit(  # noqa: N802
        self, request: wire.PageRequest, context: grpc.ServicerContext
    ) -> wire.PageReply:
        """See cases.proto."""
        peer = self.admit("Submit", context)
        with _refusing(context):
            receipt = self._desk.submit(peer.code, request.case, request.stage, request.page)
            if self._desk.is_demo:  # whoever tries it alone does not wait for the next tick
                self._desk.tick()
            return wire.PageReply(receipt=text_of(receipt), certificate=self._desk.certificate)

    def Told(  # noqa: N802
        self, request: wire.ToldRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.ToldChunk]:
        """See cases.proto."""
        peer = self.admit("Told", context)
        with _refusing(context):
            week, ids = self._desk.told(peer.code, request.case)
            if week < 0:
                return
            said = text_of(self._desk.said_shared(peer.code, request.case, week, ids))
        first, *others = _chunks(ids)
        yield wire.ToldChunk(ids=first, said=said)
        for chunk in others:
            yield wire.ToldChunk(ids=chunk)

    def Heads(  # noqa: N802
        self, request: wire.HeadsRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.HeadReply]:
        """See cases.proto."""
        self.admit("Heads", context)
        with _refusing(context):
            heads = self._desk.heads(request.case, request.since)
        for head in heads:
            yield wire.HeadReply(head=text_of(head))

    def Content(  # noqa: N802
        self, request: wire.ContentRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.ContentChunk]:
        """See cases.proto."""
        self.admit("Content", context)
        with _refusing(context):
            content = self._desk.content(request.case, request.version)
        for chunk in _chunks(content):
            yield wire.ContentChunk(content=chunk)


def _chunks(content: bytes) -> Iterator[bytes]:
    """At least one, so that nothing is told apart from no answer."""
    for at in range(0, max(len(content), 1), CHUNK_BYTES):
        yield content[at : at + CHUNK_BYTES]


@dataclass(frozen=True)
class Serving:
    """A desk that answers on `port` until `stop`."""

    port: int
    desk: Desk
    _running: tls.Running
    _store: Store
    _ticker: Ticker
    _alone: Alone

    def stop(self) -> None:
        """End calls, ticker and store, in this order; the log's last line says so."""
        self._running.stop()
        self._ticker.stop()
        self._store.close()
        self._alone.release()
        _log.info("case desk %s has ended", self.desk.code)


def desk_in(
    folder: Path,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    random: Callable[[int], bytes] = os.urandom,
) -> tuple[Desk, Store, Actor]:
    """The desk whose folder this is, not serving; OperatorError, DamagedError. The store is to be
    closed. Refused with a key share in the process or in the folder, outside the demo.
    """
    settings = read_settings(folder)
    check_without(SHARE, settings.profile, folder)
    actor = read_actor(folder, ROLE, clock())
    store = Store(folder)
    try:
        desk = Desk(store, actor.identity, actor.authority, settings, clock=clock, random=random)
    except BaseException:
        store.close()
        raise
    return desk, store, actor


def serve(
    folder: Path,
    address: str,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    random: Callable[[int], bytes] = os.urandom,
    tick_seconds: float = TICK_SECONDS,
) -> Serving:
    """Serve the cases in a desk's folder at `address` ("127.0.0.1:0" takes a free port). Raises
    OperatorError; DamagedError serves nothing.
    """
    with ExitStack() as undone:
        alone = alone_in(folder)
        undone.callback(alone.release)
        desk, store, actor = desk_in(folder, clock=clock, random=random)
        undone.callback(store.close)
        service = Service(desk, tls.Peers(actor, clock))

        def register(server: grpc.Server) -> None:
            add_CaseDeskServicer_to_server(service, server)  # type: ignore[no-untyped-call]

        running = tls.serve(actor, address, register, admit=service.admit)
        undone.pop_all()
    ticker = Ticker(desk.tick, tick_seconds, _log, "no step")
    ticker.start()
    ticker.wake()  # a bulletin may have been under way when the last process ended
    return Serving(running.port, desk, running, store, ticker, alone)


@contextmanager
def _refusing(context: grpc.ServicerContext) -> Iterator[None]:
    """As `tls.refusing`; a page that came too early or too late is told so."""
    with tls.refusing(context, _log, "the case desk"):
        try:
            yield
        except ClosedError as error:
            tls.refuse(context, grpc.StatusCode.FAILED_PRECONDITION, error.what)
