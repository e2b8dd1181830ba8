"""The registry on the network: gRPC over mutual TLS.

Invariants:
- Only lenders are answered, and each only under the code of its certificate.
- Whatever comes in a message, the answer is a status or a refusal; the server goes on.
- Pages and submissions have few sizes; the log holds counts, never tags or members' entries.
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
from server.one_at_a_time import Alone, alone_in
from server.registry.database import FILE, Database
from server.registry.epoch_admission import EpochAdmission
from server.registry.handing_out import OvertakenError
from server.registry.publishing import Batches
from server.registry.registry import MOST_EVENTS, Refusal, Registry
from server.registry.settings import read_settings
from server.ticking import Ticker
from shared.blacklist.checkpoint import Checkpoint
from shared.blacklist.rows import PAGE_BYTES, pages_of
from shared.blacklist.terms import TERMS, Terms
from shared.identity.transport import Peer
from shared.secure_sum.encoding import text_of
from shared.tokens.sodium import Sodium
from shared.wire import registry_pb2 as wire
from shared.wire.padding import fill_in_steps
from shared.wire.registry_pb2_grpc import RegistryServicer, add_RegistryServicer_to_server

TICK_SECONDS = 60.0
STEP_BYTES = 16_384
"""A reply to a submission has 1, 2, 4 … times this many bytes, as the submission itself."""
_ADD = b"\x01"
_log = logging.getLogger("lianfang.registry")


class Service(RegistryServicer):
    """Turns calls into questions to a `Registry`. `wake` is called when there may be news."""

    def __init__(self, registry: Registry, peers: tls.Peers, wake: Callable[[], None]) -> None:
        self._registry, self._peers, self._wake = registry, peers, wake

    def admit(self, _method: str, context: grpc.ServicerContext) -> Peer:
        """The caller, if it is a lender; ends the call otherwise, before its request is read."""
        return self._peers.of(context, ("lender",))

    def Submit(  # noqa: N802
        self, request: wire.SubmitRequest, context: grpc.ServicerContext
    ) -> wire.SubmitReply:
        """See registry.proto."""
        peer = self.admit("Submit", context)
        with _refusing(context):
            answers = self._registry.submit(peer.code, list(request.events)[: MOST_EVENTS + 1])
        self._wake()
        reply = wire.SubmitReply(certificate=self._registry.certificate)
        for answer in answers:
            if isinstance(answer, Refusal):
                refusal = wire.Refusal(reason=answer.reason, what=answer.what, remedy=answer.remedy)
                reply.answers.append(wire.EventAnswer(refusal=refusal))
            else:
                reply.answers.append(wire.EventAnswer(receipt=text_of(answer)))
        fill_in_steps(reply, STEP_BYTES)
        return reply

    def Latest(  # noqa: N802
        self, request: wire.LatestRequest, context: grpc.ServicerContext
    ) -> wire.CheckpointReply:
        """See registry.proto."""
        self.admit("Latest", context)
        with _refusing(context):
            checkpoint = self._registry.latest()
        return wire.CheckpointReply(checkpoint=b"" if checkpoint is None else text_of(checkpoint))

    def Snapshot(  # noqa: N802
        self, request: wire.SnapshotRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.Page]:
        """See registry.proto."""
        self.admit("Snapshot", context)
        with _refusing(context):
            items = self._registry.snapshot()
            for first in items:
                if isinstance(first, Checkpoint):
                    yield wire.Page(checkpoint=text_of(first))
                    break
            packed = (_ADD + row.packed() for row in items if not isinstance(row, Checkpoint))
            for page in pages_of(packed):
                yield wire.Page(page=page)

    def Delta(  # noqa: N802
        self, request: wire.DeltaRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.Page]:
        """See registry.proto."""
        self.admit("Delta", context)
        with _refusing(context):
            for version in self._registry.versions_since(min(request.since, 2**62)):
                if version.changes is None:
                    yield wire.Page(checkpoint=version.checkpoint)
                    continue
                checkpoint = version.checkpoint
                for page in pages_of(version.changes) if version.changes else [bytes(PAGE_BYTES)]:
                    yield wire.Page(checkpoint=checkpoint, page=page)
                    checkpoint = b""

    def Own(  # noqa: N802
        self, request: wire.OwnRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.OwnEntry]:
        """See registry.proto."""
        peer = self.admit("Own", context)
        with _refusing(context):
            for entry in self._registry.own(peer.code):
                yield wire.OwnEntry(state=text_of(entry))

    def Waiting(  # noqa: N802
        self, request: wire.WaitingRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.WaitingItem]:
        """See registry.proto."""
        peer = self.admit("Waiting", context)
        with _refusing(context):
            for item in self._registry.waiting(peer.code):
                yield wire.WaitingItem(waiting=text_of(item))


@dataclass(frozen=True)
class Serving:
    """A registry that answers on `port` until `stop`."""

    port: int
    registry: Registry
    _running: tls.Running
    _database: Database
    _ticker: Ticker
    _alone: Alone

    def stop(self) -> None:
        """End calls, ticker and database, in this order; the log's last line says so."""
        self._running.stop()
        self._ticker.stop()
        self._database.close()
        self._alone.release()
        _log.info("registry %s has ended", self.registry.code)


def serve(
    folder: Path,
    address: str,
    *,
    database_url: str | None = None,
    profile: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    random: Callable[[int], bytes] = os.urandom,
    terms: Terms = TERMS,
    batches: Batches | None = None,
    tick_seconds: float = TICK_SECONDS,
) -> Serving:
    """Serve the list in an actor's folder at `address`. Settings not given are read from
    `registry.toml` there, if it exists. Raises OperatorError; DamagedError serves nothing.

    Refused with a key share in the process, in the folder or beside the database, unless `profile`
    is `demo`; and where another process serves this folder.
    """
    kept = read_settings(folder)
    url = database_url or kept.database or f"sqlite:///{folder / FILE}"
    check_without(SHARE, profile or kept.profile, folder, *_place_of(url))
    actor = read_actor(folder, "registry", clock())
    peers = tls.Peers(actor, clock)
    with ExitStack() as undone:
        alone = alone_in(folder)
        undone.callback(alone.release)
        database = Database(url)
        undone.callback(database.close)
        registry = Registry(
            database,
            actor.identity,
            actor.authority,
            clock=clock,
            random=random,
            terms=terms,
            batches=batches or kept.batches,
            admission=EpochAdmission(
                actor.authority, clock, Sodium(), kept.holders, kept.context, peers.revoked
            ),
        )
        registry.tick()
        ticker = Ticker(registry.tick, tick_seconds, _log)
        running = _listen(address, Service(registry, peers, ticker.wake), actor)
        undone.pop_all()
    ticker.start()
    return Serving(running.port, registry, running, database, ticker, alone)


def _place_of(url: str) -> list[Path]:
    """The folder of an SQLite database."""
    kind, _, path = url.partition(":///")
    return [Path(path.partition("?")[0]).parent] if kind.startswith("sqlite") and path else []


def _listen(address: str, service: Service, actor: Actor) -> tls.Running:
    def register(server: grpc.Server) -> None:
        add_RegistryServicer_to_server(service, server)  # type: ignore[no-untyped-call]

    return tls.serve(actor, address, register, admit=service.admit)


@contextmanager
def _refusing(context: grpc.ServicerContext) -> Iterator[None]:
    """As `tls.refusing`; who reads a version that is over is told to read anew."""
    with tls.refusing(context, _log, "the registry"):
        try:
            yield
        except OvertakenError as error:
            tls.refuse(context, grpc.StatusCode.ABORTED, error.what)
