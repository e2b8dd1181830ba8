"""A key holder over gRPC and mutual TLS.

Invariants:
- Lenders evaluate; the coordinator and holders relay ceremonies; all roles may read key sets, and
  lenders also bring a key set that all holders signed to one that has not heard of it. Who asks is
  what the certificate says.
- A refusal is a status and one sentence. What was wrong with points is never said.
- An error of our own ends one call, not the server, and its text stays here.
- Outside the demo a process that knows the list or a case is refused a key share (`check_apart`).
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc

from server.actor import Actor, read_actor
from server.apart import EVENTS, GRAPH, LIST, check_without
from server.keyholder.evaluating import Evaluator, Question, StaleKeysError, quorum_of
from server.keyholder.participant import Participant
from server.keyholder.passing import Passing
from server.keyholder.quotas import OtherRequestError, QuotaError, Quotas
from server.keyholder.settings import Settings, read_settings
from server.keyholder.shares import Shares
from server.keyholder.store import Store
from server.one_at_a_time import Alone, alone_in
from server.tls import Peers, Running, refuse, where
from server.tls import serve as serve_tls
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.certificate import Role
from shared.identity.transport import Peer
from shared.secure_sum.encoding import text_of
from shared.secure_sum.trust import Trust
from shared.tokens.fastest import fastest_group
from shared.tokens.group import Group
from shared.tokens.key_generation import HolderSide
from shared.wire import keyholder_pb2 as wire
from shared.wire.keyholder_pb2_grpc import (
    KeyHolderServicer,
    add_KeyHolderServicer_to_server,
)
from shared.wire.keyholder_refusals import QUOTA, STALE_KEYS

Clock = Callable[[], datetime]
MOST_BYTES = 288 * 1024
"""Of a message: 4,096 points are 128 kB, a ceremony of 32 holders is less. Twice as many points are
still read, so that they are refused in the words of other bad points.
"""
_ASKING: Mapping[str, tuple[Role, ...]] = {
    "Describe": ("lender", "coordinator", "keyholder", "registry"),
    "Evaluate": ("lender",),
    "Ceremony": ("coordinator", "keyholder", "lender"),
}
"""Who may ask what; of a ceremony lenders only bring key sets that all holders signed."""
_RELAYS: tuple[Role, ...] = ("coordinator", "keyholder")
_MOST_STATEMENTS = 32
_log = logging.getLogger("lianfang.keyholder")
_STATUS: tuple[tuple[type[LianfangError], grpc.StatusCode], ...] = (
    (QuotaError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (OtherRequestError, grpc.StatusCode.ALREADY_EXISTS),
    (StaleKeysError, grpc.StatusCode.FAILED_PRECONDITION),
    (PeerError, grpc.StatusCode.INVALID_ARGUMENT),
)
_BEGINNINGS = ((StaleKeysError, STALE_KEYS), (QuotaError, QUOTA))


@dataclass(frozen=True)
class KeyHolder:
    """All parts of one holder, joined over its open file."""

    actor: Actor
    settings: Settings
    store: Store
    shares: Shares
    quotas: Quotas
    evaluator: Evaluator
    participant: Participant

    def retire(self, epoch: int, today_from: Clock) -> None:
        """Wipe this holder's share of an epoch whose grace window is over; OperatorError before."""
        self.shares.retire(epoch, today_from().date(), self.settings.grace_days)


@dataclass(frozen=True)
class Serving:
    """A holder that answers on `port` until `stop`."""

    holder: KeyHolder
    running: Running
    pool: ThreadPoolExecutor
    alone: Alone

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.running.port

    def stop(self) -> None:
        """End what is under way, then let file and threads go."""
        self.running.stop()
        self.pool.shutdown()
        self.holder.store.close()
        self.alone.release()
        _log.info("key holder %s has ended", self.holder.actor.identity.member.code)


def join(
    folder: Path,
    *,
    group: Group,
    clock: Clock,
    random: Callable[[int], bytes] = secrets.token_bytes,
    steady: Callable[[], float] = time.monotonic,
) -> KeyHolder:
    """The holder whose folder this is; OperatorError names the file or entry that is wrong.

    `steady`: seconds that only go forward, by which quotas come back.
    """
    settings = read_settings(folder)
    actor = read_actor(folder, "keyholder", clock())
    code = actor.identity.member.code
    if code not in settings.terms.holders:
        raise OperatorError(
            f"{folder}: {code} is not among the holders in its settings",
            remedy="mend keyholder.holders, or put this holder's own certificate in place",
        )
    check_apart(folder, settings.profile)
    store = Store(folder, actor.identity.private)
    shares, quotas = Shares(store), Quotas(store, settings, Passing(clock, steady))
    trust = Trust(actor.authority, clock)
    side = HolderSide(actor.identity, settings.terms, trust, group)
    evaluator = Evaluator(actor.identity, group, shares, quotas, random)
    participant = Participant(side, shares, clock, random)
    return KeyHolder(actor, settings, store, shares, quotas, evaluator, participant)


def check_apart(folder: Path, profile: str, modules: Container[str] = sys.modules) -> None:
    """OperatorError when this process (its loaded `modules`) or folder also has the list, a case or
    what is told of borrowing, outside the demo.
    """
    for part in (LIST, GRAPH, EVENTS):
        check_without(part, profile, folder, modules=modules)


def serve(folder: Path, address: str, *, clock: Clock = lambda: datetime.now(UTC)) -> Serving:
    """Answer at `address` ("127.0.0.1:0" takes a free port) for the holder in `folder`.

    Points are multiplied on all cores. Raises OperatorError; one process serves a folder.
    """
    with ExitStack() as undone:
        pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="points")
        undone.callback(pool.shutdown)
        read_settings(folder)  # a folder that is none is told of as such
        alone = alone_in(folder)
        undone.callback(alone.release)
        holder = join(folder, group=fastest_group(pool.map), clock=clock)
        undone.callback(holder.store.close)
        running = _listen(holder, address, clock)
        undone.pop_all()
    return Serving(holder, running, pool, alone)


def _listen(holder: KeyHolder, address: str, clock: Clock) -> Running:
    servicer = Servicer(holder, Peers(holder.actor, clock))

    def register(server: grpc.Server) -> None:
        add_KeyHolderServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]

    return serve_tls(holder.actor, address, register, most_bytes=MOST_BYTES, admit=servicer.admit)


class Servicer(KeyHolderServicer):
    """Takes messages apart, asks one part of the holder, and puts its answer together."""

    def __init__(self, holder: KeyHolder, peers: Peers) -> None:
        self._holder = holder
        self._peers = peers

    def admit(self, method: str, context: grpc.ServicerContext) -> Peer:
        """The caller, if it may call this method at all; ends the call otherwise."""
        return self._peers.of(context, _ASKING[method.rpartition("/")[2]])

    def Describe(  # noqa: N802
        self, request: wire.DescribeRequest, context: grpc.ServicerContext
    ) -> wire.Description:
        """The key sets in use."""
        self.admit("Describe", context)
        with _refusing(context):
            own = self._holder.actor.identity.member
            texts = [
                text_of(signed.with_certificate(own))
                for signed in self._holder.shares.answered_for()
            ]
            return wire.Description(holder=own.code, keys=texts)

    def Evaluate(  # noqa: N802
        self, request: wire.EvaluateRequest, context: grpc.ServicerContext
    ) -> wire.EvaluateReply:
        """A lender's points, evaluated."""
        peer = self.admit("Evaluate", context)
        with _refusing(context):
            question = Question(
                request.request_id,
                request.purpose,
                request.reference,
                request.keys,
                quorum_of(request.quorum),
                request.every,
                request.points,
            )
            answer, signature = self._holder.evaluator.answer(peer.code, question)
            points = answer.points.tobytes()
            return wire.EvaluateReply(points=points, proof=answer.proof, signature=signature)

    def Ceremony(  # noqa: N802
        self, request: wire.Step, context: grpc.ServicerContext
    ) -> wire.StepReply:
        """One step of a ceremony."""
        if request.move != "activate":  # which proves itself, by all holders' signatures
            self._peers.of(context, _RELAYS)
        self.admit("Ceremony", context)
        with _refusing(context):
            if len(request.statements) > _MOST_STATEMENTS:
                raise PeerError(f"a step has at most {_MOST_STATEMENTS} statements")
            if request.move == "status":
                return self._status()
            said = self._holder.participant.step(request.move, list(request.statements))
            return wire.StepReply(statement=said.statement, state=said.state)

    def _status(self) -> wire.StepReply:
        participant = self._holder.participant
        progress = participant.under_way()
        if progress is None:
            return wire.StepReply(state="none", signed=self._holder.shares.signed())
        return wire.StepReply(
            state=participant.state(progress),
            opening=text_of(progress.opening),
            signed=self._holder.shares.signed(),
        )


@contextmanager
def _refusing(context: grpc.ServicerContext) -> Iterator[None]:
    """Errors raised within as a status; the texts of our own stay here."""
    try:
        yield
    except PeerError as error:
        status = next(code for kind, code in _STATUS if isinstance(error, kind))
        begin = next((text for kind, text in _BEGINNINGS if isinstance(error, kind)), "")
        refuse(context, status, begin + error.what)
    except LianfangError as error:
        _log.error("%s", error)
        refuse(context, grpc.StatusCode.UNAVAILABLE, "this holder cannot answer; ask its operator")
    except Exception as error:  # noqa: BLE001  gRPC would send its text to the caller
        _log.error("a call ended in an error of our own: %s", where(error))
        refuse(context, grpc.StatusCode.INTERNAL, "an error of this holder")
