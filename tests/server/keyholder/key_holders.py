"""Key holders with folders of their own, in this process or on loopback, and who asks them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from client.exchange.doors import HolderFailedError, QuotaUsedError, RefusedError, StaleKeysError
from client.tls import Transport
from server.actor import Actor, read_actor, write_actor
from server.authority import Authority, create_authority, issue_transport
from server.keyholder import evaluating
from server.keyholder.ceremony import Relay, relay_of
from server.keyholder.evaluating import Question
from server.keyholder.quotas import QuotaError
from server.keyholder.service import KeyHolder, Serving, join, serve
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.transport import new_transport_key, transport_public_of
from shared.secure_sum.encoding import text_of
from shared.secure_sum.trust import Trust
from shared.tokens.ceremony_checks import Terms
from shared.tokens.sodium import Sodium
from shared.wire import keyholder_pb2 as wire

CONTEXT = "Ring watch"
NOW = datetime.now(UTC)
GROUP = Sodium()
AUTHORITY = create_authority(
    CONTEXT, days=400, now=NOW - timedelta(days=3), random=secrets.token_bytes
)
TRUST = Trust(AUTHORITY.certificate, lambda: NOW)


@dataclass
class Clock:
    """A time that tests move."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def make_folder(
    folder: Path,
    code: str,
    holders: Sequence[str],
    threshold: int = 2,
    *,
    quotas: Mapping[str, int] | None = None,
    profile: str = "demo",
    authority: Authority = AUTHORITY,
) -> Path:
    """A key holder's folder with certificates and settings."""
    write_actor(folder, authority, code, "keyholder", days=300, now=NOW, random=secrets.token_bytes)
    codes = ", ".join(f'"{one}"' for one in holders)
    text = f'[keyholder]\ncontext = "{CONTEXT}"\nholders = [{codes}]\nthreshold = {threshold}\n'
    text += f'profile = "{profile}"\n[quotas]\n'
    text += "".join(f"{name} = {points}\n" for name, points in (quotas or {}).items())
    (folder / "keyholder.toml").write_text(text, encoding="utf-8")
    return folder


@dataclass
class Local:
    """A holder in this process, as the relay and as lenders see it. `wrong` changes its answers;
    `down`: it does not answer; `jumped`: seconds by which its clock was set forward, not passed.
    """

    folder: Path
    member: str = "L01"
    clock: Clock = field(default_factory=Clock)
    down: bool = False
    calls: int = 0
    jumped: float = 0.0
    before: Callable[[], None] = lambda: None
    wrong: Callable[[wire.EvaluateRequest, wire.EvaluateReply], wire.EvaluateReply] | None = None

    def __post_init__(self) -> None:
        self.holder = self._join()

    def _join(self) -> KeyHolder:
        return join(
            self.folder,
            group=GROUP,
            clock=lambda: self.clock(),
            steady=lambda: self.clock().timestamp() - self.jumped,
        )

    def restart(self) -> None:
        """As after a crash: what is not on disk is gone."""
        self.holder.store.close()
        self.holder = self._join()

    def step(self, move: str, statements: Sequence[bytes]) -> wire.StepReply:
        if self.down:
            raise PeerError("it does not answer")
        participant = self.holder.participant
        if move == "status":
            progress, signed = participant.under_way(), self.holder.shares.signed()
            if progress is None:
                return wire.StepReply(state="none", signed=signed)
            opening = text_of(progress.opening)
            state = participant.state(progress)
            return wire.StepReply(state=state, opening=opening, signed=signed)
        said = participant.step(move, statements)
        return wire.StepReply(statement=said.statement, state=said.state)

    def describe(self) -> wire.Description:
        if self.down:
            raise PeerError("it does not answer")
        texts = [text_of(signed) for signed in self.holder.shares.answered_for()]
        return wire.Description(holder=self.holder.actor.identity.member.code, keys=texts)

    def evaluate(self, request: wire.EvaluateRequest) -> wire.EvaluateReply:
        self.before()
        self.calls += 1
        if self.down:
            raise HolderFailedError("it does not answer")
        try:
            answer, signature = self.holder.evaluator.answer(self.member, question_of(request))
        except evaluating.StaleKeysError as error:
            raise StaleKeysError(error.what) from error
        except QuotaError as error:
            raise QuotaUsedError(error.what) from error
        except OperatorError as error:
            raise HolderFailedError("it cannot answer") from error
        except LianfangError as error:
            raise RefusedError(error.what) from error
        reply = wire.EvaluateReply(
            points=answer.points.tobytes(), proof=answer.proof, signature=signature
        )
        return self.wrong(request, reply) if self.wrong else reply


class LocalDoor:
    """What a lender sees of a `Local`."""

    def __init__(self, local: Local) -> None:
        self.local = local

    def describe(self) -> tuple[bytes, ...]:
        if self.local.down:
            raise HolderFailedError("it does not answer")
        return tuple(self.local.describe().keys)

    def evaluate(self, request: wire.EvaluateRequest) -> wire.EvaluateReply:
        return self.local.evaluate(request)


def question_of(request: wire.EvaluateRequest) -> Question:
    return Question(
        request.request_id,
        request.purpose,
        request.reference,
        request.keys,
        tuple(request.quorum),
        request.every,
        request.points,
    )


def locals_of(
    parent: Path, threshold: int = 2, count: int = 3, **options: object
) -> dict[str, Local]:
    """Holders K1, K2, … in this process."""
    codes = [f"K{number}" for number in range(1, count + 1)]
    clock = Clock()
    return {
        code: Local(
            make_folder(parent / code, code, codes, threshold, **options),  # type: ignore[arg-type]
            clock=clock,
        )
        for code in codes
    }


def relay_between(holders: Mapping[str, Local], threshold: int = 2) -> Relay:
    return Relay(
        Terms(CONTEXT, threshold, tuple(holders)), dict(holders), TRUST, secrets.token_bytes
    )


def transport_of(
    code: str,
    role: str = "lender",
    *,
    authority: Authority = AUTHORITY,
    trusting: Authority = AUTHORITY,
    now: datetime = NOW,
    days: int = 300,
) -> Transport:
    """Transport credentials of `code`, of one authority and believing another if so asked."""
    key = new_transport_key(secrets.token_bytes)
    certificate = issue_transport(
        authority,
        code,
        role,  # type: ignore[arg-type]
        transport_public_of(key),
        days=days,
        now=now,
        random=secrets.token_bytes,
    )
    return Transport(code, trusting.certificate, certificate, key)


def operator(folder: Path) -> Actor:
    """The coordinator, who relays ceremonies."""
    write_actor(
        folder, AUTHORITY, "C1", "coordinator", days=300, now=NOW, random=secrets.token_bytes
    )
    return read_actor(folder, "coordinator", NOW)


@contextmanager
def served(
    parent: Path, threshold: int = 2, count: int = 3, **options: object
) -> Iterator[tuple[dict[str, Serving], Relay]]:
    """Holders on loopback, and a relay to them."""
    codes = [f"K{number}" for number in range(1, count + 1)]
    running = {}
    try:
        for code in codes:
            folder = make_folder(parent / code, code, codes, threshold, **options)  # type: ignore[arg-type]
            running[code] = serve(folder, "127.0.0.1:0")
        addresses = {code: f"127.0.0.1:{one.port}" for code, one in running.items()}
        terms = Terms(CONTEXT, threshold, tuple(codes))
        relay = relay_of(operator(parent / "C1"), terms, addresses, TRUST, secrets.token_bytes)
        yield running, relay
    finally:
        for one in running.values():
            one.stop()
