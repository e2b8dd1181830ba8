"""A borrowing desk and lenders in this process: real pages, service and tables, no network."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from client.borrowing.desk import Borrowing, Contributed, Elsewhere
from client.borrowing.desk_client import DeskClient
from client.borrowing.table import KnownTables, OwnTable
from client.exchange.own_tokens import OwnTokens
from client.exchange.secret import read_secret
from client.exchange.submissions import Submissions
from server.borrowing.desk import BorrowingDesk, Terms
from server.borrowing.service import Service
from server.borrowing.store import Store
from server.demo.identities import Person
from shared.borrowing.terms import LenderClass
from shared.identity.transport import Peer
from shared.tokens.identifiers import canonical
from tests.blacklist_members import AUTHORITY, Clock, member
from tests.identities import NOW, fixed_random

DESK, CONTEXT = "DESK", "Five lenders"
HEADER = "event,day,reference,amount,resident_id,phone\n"


def output_of(text: bytes, epoch: int = 1) -> bytes:
    """What the key holders' key would give, 64 bytes (the key is the test's)."""
    return hashlib.shake_256(b"test key" + epoch.to_bytes(4, "big") + text).digest(64)


@dataclass
class Key:
    """The key holders, as `TokenKey`. `asked`: how many inputs so far."""

    asked: int = 0
    down: bool = False

    def pinned(self) -> Collection[int]:
        return (1, 2)

    def key_sets(self) -> Mapping[int, Any]:
        return {}

    def left(self, epochs: Collection[int]) -> frozenset[int]:
        return frozenset()

    def in_parts(
        self, inputs: Sequence[bytes], asking: Any, *, epoch: int | None = None
    ) -> Iterator[tuple[Sequence[bytes], np.ndarray]]:
        assert not self.down, "the key holders were asked"
        self.asked += len(inputs)
        outputs = b"".join(output_of(one, epoch or 1) for one in inputs)
        yield inputs, np.frombuffer(outputs, np.uint8).reshape(-1, 64)


class EndedError(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """A call that ended with a status."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._status = code, details

    def code(self) -> grpc.StatusCode:
        return self._status[0]

    def details(self) -> str:
        return self._status[1]


for _name in ("add_callback", "cancel", "initial_metadata", "is_active", "time_remaining",
              "trailing_metadata"):  # fmt: skip
    setattr(EndedError, _name, lambda self, *_: None)
EndedError.__abstractmethods__ = frozenset()


class _Context:
    """Of a call in this process."""

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise EndedError(code, details)

    def is_active(self) -> bool:
        return False  # what nobody foresaw is raised as it is


@dataclass
class _Peers:
    code: str

    def of(self, _context: object, _roles: object) -> Peer:
        return Peer(self.code, "lender")


@dataclass
class Stub:
    """The desk as the lender `code` reaches it. `lost`: so many answers do not arrive."""

    desk: DeskHere
    code: str
    lost: int = 0
    sent: list[bytes] = field(default_factory=list)

    def _call(self, method: str, request: Any) -> Any:
        service = Service(self.desk.desk, _Peers(self.code), lambda: None)  # type: ignore[arg-type]
        self.sent.append(request.SerializeToString())
        return getattr(service, method)(request, _Context())

    def Submit(self, request: Any, timeout: float) -> Any:  # noqa: N802
        reply = self._call("Submit", request)
        if self.lost:
            self.lost -= 1
            raise EndedError(grpc.StatusCode.UNAVAILABLE, "the connection was lost")
        return reply

    def Heads(self, request: Any, timeout: float) -> Any:  # noqa: N802
        return self._call("Heads", request)

    def Table(self, request: Any, timeout: float) -> Any:  # noqa: N802
        return self._call("Table", request)


class DeskHere:
    """The desk, over a file in `folder`."""

    def __init__(self, folder: Path, terms: Terms, clock: Clock) -> None:
        self.folder, self.terms, self.clock = folder, terms, clock
        folder.mkdir(exist_ok=True)
        self.identity = member(DESK, "desk")
        self.start()

    def start(self) -> None:
        self.store = Store(self.folder)
        self.desk = BorrowingDesk(
            self.store,
            self.identity,
            AUTHORITY.certificate,
            clock=self.clock,
            random=fixed_random(f"desk {self.clock()}"),
            terms=self.terms,
        )

    def restart(self) -> None:
        self.store.close()
        self.start()


class Lender:
    """A lender with a folder of its own."""

    def __init__(self, home: Path, code: str, desk: DeskHere, clock: Clock) -> None:
        self.own, self.code, self.clock = home / code / "own", code, clock
        self.key, self.stub, self.epochs = Key(), Stub(desk, code), [1]
        self.own.mkdir(parents=True, mode=0o700)
        here = self.own / "borrowing"
        self.table = OwnTable(here, KnownTables(here, DESK, AUTHORITY.certificate))
        self.submissions = Submissions(here / "submissions.db")
        client = DeskClient(
            self.stub,
            DESK,
            AUTHORITY.certificate,
            self.submissions,
            self.table,
            clock=clock,
            sleep=lambda _: None,
            attempts=1,
        )
        random = fixed_random(f"lender {code}")
        tokens = OwnTokens(
            f"{CONTEXT}/ring", self.own / "rings" / "tokens", self.key, lambda: self.epochs, random
        )
        self.borrowing = Borrowing(
            member(code), CONTEXT, DESK, tokens, self.table, client,
            read_secret(self.own / "filed", random), clock=clock, random=random,
        )  # fmt: skip

    def contribute(self, lines: Sequence[str], *, retract: bool = False) -> Contributed:
        """Contribute events, each a line of a file."""
        path = self.own.parent / "events.csv"
        path.write_text(HEADER + "".join(f"{one}\n" for one in lines), encoding="utf-8")
        return self.borrowing.contribute(path, retract=retract)

    def check(self, person: Person) -> Elsewhere:
        """What is known of a person."""
        today = self.clock().date()
        kinds = (("resident_id", person.resident_id), ("phone", person.phone))
        return self.borrowing.check([canonical(kind, text, today=today) for kind, text in kinds])


@dataclass
class Borrowers:
    """A desk and lenders, by code."""

    desk: DeskHere
    lenders: dict[str, Lender]
    clock: Clock

    def __getitem__(self, code: str) -> Lender:
        return self.lenders[code]

    def day(self, ago: int) -> date:
        """So many days before today."""
        return self.clock().date() - timedelta(days=ago)

    def publish(self, **span: float) -> None:
        """Let time pass (a day), make a table, and let all fetch it."""
        self.clock.forward(**(span or {"days": 1}))
        assert self.desk.desk.tick() is not None
        for lender in self.lenders.values():
            lender.borrowing.sync()


@contextmanager
def borrowers(
    home: Path, codes: Sequence[str] = ("L01", "L02", "L03", "L04"), terms: Terms | None = None
) -> Iterator[Borrowers]:
    """Made in `home`; files are let go at the end. All are of one class unless the terms say."""
    clock, given = Clock(NOW), terms or Terms()
    of = dict.fromkeys(codes, LenderClass.CONS)
    desk = DeskHere(home / "desk", replace(given, classes=given.classes or of), clock)
    made = {code: Lender(home, code, desk, clock) for code in codes}
    try:
        yield Borrowers(desk, made, clock)
    finally:
        desk.store.close()
        for lender in made.values():
            lender.submissions.close()


def applied(person: Person, day: date, reference: str) -> str:
    """A line about an application."""
    return f"application,{day},{reference},,{person.resident_id},{person.phone}"
