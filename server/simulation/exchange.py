"""The fraud list's key holders, registry and members in one process, without a network.

    FOLDER/simulated.txt      says that simulate.py made this folder and may remove it
    FOLDER/K1 … K3            key holders; two of them answer together
    FOLDER/registry           the registry, on SQLite
    FOLDER/members/L01 …      what a lender needs for the exchange, and what it keeps

Invariants:
- Everybody's code is that of the services, below the network: members speak through
  `InProcessChannel`, and are answered by their certificates.
- One process has key shares and list together, which only the profile `demo` allows: here the
  separation protects nobody.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from server.actor import read_actor, write_actor
from server.authority import Authority
from server.keyholder.ceremony import Relay
from server.keyholder.service import KeyHolder, Servicer, join
from server.registry.database import FILE, Database
from server.registry.epoch_admission import EpochAdmission
from server.registry.publishing import AT_ONCE
from server.registry.registry import Registry
from server.registry.service import Service
from server.simulation.in_process_channel import InProcessChannel, Meter, RefusedCallError, Register
from server.tls import Peers
from shared.errors import PeerError
from shared.identity.pem import certificate_to_pem
from shared.secure_sum.trust import Trust
from shared.tokens.fastest import fastest_group
from shared.wire import keyholder_pb2 as wire
from shared.wire.keyholder_pb2_grpc import KeyHolderStub, add_KeyHolderServicer_to_server
from shared.wire.registry_pb2_grpc import add_RegistryServicer_to_server

HOLDERS = ("K1", "K2", "K3")
THRESHOLD = 2
REGISTRY, COORDINATOR = "R1", "coordinator"
MEMBERS = "members"
_DAYS = 90  # made anew with every simulation
_POINT = 32


class Shown(Protocol):
    """What a member shows of itself: its transport certificate (DER)."""

    @property
    def certificate(self) -> bytes:
        """DER."""


def found_exchange(
    folder: Path, authority: Authority, context: str, members: Sequence[str], now: datetime
) -> None:
    """Write everybody's folder into `folder`, which is there and empty but for its mark."""

    def write(place: Path, code: str, role: str) -> None:
        own = {"days": _DAYS, "now": now, "random": secrets.token_bytes}
        write_actor(place, authority, code, role, **own)  # type: ignore[arg-type]

    name = json.dumps(context)
    holders = json.dumps(HOLDERS)
    for code in HOLDERS:
        write(folder / code, code, "keyholder")
        (folder / code / "keyholder.toml").write_text(
            f"[keyholder]\ncontext = {name}\nholders = {holders}\nthreshold = {THRESHOLD}\n"
            'profile = "demo"\n'
        )
    write(folder / "registry", REGISTRY, "registry")
    write(folder / COORDINATOR, COORDINATOR, "coordinator")
    addresses = "".join(f'{code} = "in-process:0"\n' for code in HOLDERS)
    for code in members:
        write(folder / MEMBERS / code, code, "lender")
        (folder / MEMBERS / code / "exchange.toml").write_text(
            f'[exchange]\nmember = "{code}"\ncontext = {name}\n'
            f'[registry]\ncode = "{REGISTRY}"\naddress = "in-process:0"\n[holders]\n{addresses}'
        )


@dataclass
class Exchange:
    """Open holders and registry. `meter`: of all that crosses; `evaluations`: points multiplied."""

    folder: Path
    holders: Mapping[str, KeyHolder]
    registry: Registry
    registers: Mapping[str, Register]
    meter: Meter = field(default_factory=Meter)
    evaluations: int = 0
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Exchange:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._open.close()

    def door(self, code: str, _address: str, shown: Shown) -> InProcessDoor:
        """A member's way to a key holder."""
        return InProcessDoor(self, self.channel(_address, code, shown))

    def channel(self, _address: str, code: str, shown: Shown) -> InProcessChannel:
        """A member's way to the actor `code`."""
        return InProcessChannel(
            self.registers[code], certificate_to_pem(shown.certificate), self.meter
        )

    def publish(self) -> None:
        """Let the registry do what its clock brings."""
        self.registry.tick()


class InProcessDoor:
    """A key holder as a lender reaches it (`client.exchange.doors.Door`)."""

    def __init__(self, exchange: Exchange, channel: InProcessChannel) -> None:
        self._exchange = exchange
        self._stub = KeyHolderStub(channel)  # type: ignore[no-untyped-call]

    def describe(self) -> tuple[bytes, ...]:
        """Texts of the signed key sets it has in use."""
        return tuple(_answered(self._stub.Describe, wire.DescribeRequest()).keys)

    def evaluate(self, request: wire.EvaluateRequest) -> wire.EvaluateReply:
        """Its answer to blinded points."""
        reply: wire.EvaluateReply = _answered(self._stub.Evaluate, request)
        self._exchange.evaluations += len(reply.points) // _POINT
        return reply

    def close(self) -> None:
        """Nothing is open."""


class _Relayed:
    """A key holder as who relays a ceremony reaches it (`server.keyholder.ceremony.Holder`)."""

    def __init__(self, channel: InProcessChannel) -> None:
        self._stub = KeyHolderStub(channel)  # type: ignore[no-untyped-call]

    def step(self, move: str, statements: Sequence[bytes]) -> wire.StepReply:
        question = wire.Step(move=move, statements=statements)
        reply: wire.StepReply = _answered(self._stub.Ceremony, question)
        return reply

    def describe(self) -> wire.Description:
        reply: wire.Description = _answered(self._stub.Describe, wire.DescribeRequest())
        return reply


def open_exchange(
    folder: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Exchange:
    """The exchange in `folder`. Its holders have no key yet: `make_key`."""
    opened = ExitStack()
    holders = {}
    for code in HOLDERS:
        holders[code] = join(folder / code, group=fastest_group(), clock=clock)
        opened.callback(holders[code].store.close)
    actor = read_actor(folder / "registry", "registry", clock())
    database = Database(f"sqlite:///{folder / 'registry' / FILE}")
    opened.callback(database.close)
    registry = Registry(
        database,
        actor.identity,
        actor.authority,
        clock=clock,
        random=secrets.token_bytes,
        admission=EpochAdmission(actor.authority, clock, fastest_group(), frozenset(HOLDERS)),
        batches=AT_ONCE,
    )
    service = Service(registry, Peers(actor, clock), lambda: None)
    registers = {
        code: _adding(Servicer(one, Peers(one.actor, clock))) for code, one in holders.items()
    }
    registers[REGISTRY] = lambda server: add_RegistryServicer_to_server(service, server)  # type: ignore[no-untyped-call]
    return Exchange(folder, holders, registry, registers, _open=opened)


def _adding(servicer: Servicer) -> Register:
    return lambda server: add_KeyHolderServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]


def make_key(
    exchange: Exchange, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """Let the holders make their first key, without a dealer."""
    actor = read_actor(exchange.folder / COORDINATOR, "coordinator", clock())
    certificate = certificate_to_pem(actor.transport)
    ways = {
        code: _Relayed(InProcessChannel(exchange.registers[code], certificate, exchange.meter))
        for code in HOLDERS
    }
    terms = exchange.holders[HOLDERS[0]].settings.terms
    Relay(terms, ways, Trust(actor.authority, clock), secrets.token_bytes).generate()


def _answered(call: Callable[..., Any], request: object) -> Any:
    try:
        return call(request)
    except RefusedCallError as error:
        raise PeerError(error.details()) from error
