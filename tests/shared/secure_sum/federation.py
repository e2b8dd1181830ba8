"""Both real halves of the secure sum, joined in memory: no network, no disk, no Flower."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256, shake_256

import numpy as np
from numpy.typing import NDArray

from server.authority import Authority, create_authority, issue
from shared.identity.certificate import Identity, Role, identity_of, public_of
from shared.secure_sum.coordinator_round import Closed, Collecting, Opening, open_round
from shared.secure_sum.coordinator_side import SetUp, SetUpUnderWay
from shared.secure_sum.floors import Floors
from shared.secure_sum.history import History, Record
from shared.secure_sum.lender_side import LenderSide, Terms
from shared.secure_sum.statements import Payload, RoundOpen
from shared.secure_sum.suite import STANDARD, Randomness, Suite
from shared.secure_sum.trust import Trust

NOW = datetime(2026, 11, 22, tzinfo=UTC)
AGREEMENT = sha256(b"an agreement").digest()


def seeded(seed: object) -> Randomness:
    """Bytes that follow from a seed: for tests only."""
    numbers = itertools.count()
    return lambda size: shake_256(f"{seed}|{next(numbers)}".encode()).digest(size)


@cache
def authority() -> Authority:
    """The consortium's."""
    return create_authority("tests", days=3650, now=NOW, random=seeded("authority"))


@cache
def identity(code: str, role: Role = "lender") -> Identity:
    """A member with a key of its own."""
    private = seeded(f"{role}|{code}")(32)
    certificate = issue(
        authority(), code, role, public_of(private), days=365, now=NOW, random=seeded(code)
    )
    return identity_of(certificate, private, authority().certificate, NOW)


def trust() -> Trust:
    """Of the consortium's authority, at the tests' time."""
    return Trust(authority().certificate, lambda: NOW)


@dataclass
class MemoryStore:
    """A vault that forgets with the process."""

    kept: bytes | None = None
    records: list[bytes | None] = field(default_factory=list)

    def keep(self, state: bytes, slots: Sequence[bytes]) -> None:
        self.kept, self.records = state, list(slots)

    def state(self) -> bytes | None:
        return self.kept

    def slot(self, number: int) -> bytes | None:
        return self.records[number]

    def slots(self, count: int) -> list[bytes | None]:
        return self.records[:count]

    def wipe(self, number: int) -> None:
        self.records[number] = None


@dataclass
class MemoryJournal:
    """An outbox in memory."""

    history: History = field(default_factory=History)
    records: list[Record] = field(default_factory=list)

    def append(self, record: Record) -> None:
        self.records.append(record)
        self.history.take(record)


def payload(number: int, length: int, kind: str = "gradients", **other: object) -> Payload:
    """What stage `number` of a run would ask for."""
    run = sha256(f"run|{number}".encode()).digest()
    fields = {"fraction_bits": 10, "clip": 1.0, "minimum_cell": 1} | other
    return Payload(run, f"stage/{number}", kind, length, **fields)  # type: ignore[arg-type]


class Federation:
    """N lenders L01 … and a coordinator. Faults are made by calling less, or something else."""

    def __init__(
        self,
        lenders: int,
        *,
        suite: Suite = STANDARD,
        floors: Floors | None = None,
        slots: int = 8,
        seed: object = 0,
    ) -> None:
        self.suite, self.slots, self.seed = suite, slots, seed
        self.codes = [f"L{number + 1:02d}" for number in range(lenders)]
        self.stores = {code: MemoryStore() for code in self.codes}
        self.journals = {code: MemoryJournal() for code in self.codes}
        self.floors = floors or Floors.of("demo")
        self.agreement, self.rows = AGREEMENT, ""
        self.coordinator = identity("coordinator", "coordinator")
        self.sides = {code: self.side(code) for code in self.codes}
        self.counter = 0
        self.agreed: dict[str, tuple[tuple[str, bytes], ...]] = {}

    def side(self, code: str) -> LenderSide:
        """A lender's half as it is after a restart: from its vault and journal alone."""
        terms = Terms(self.suite, identity(code), trust(), self.floors, self.agreement, self.rows)
        randomness = seeded(f"{self.seed}|{code}|{len(self.journals[code].records)}")
        return LenderSide(terms, self.stores[code], self.journals[code], randomness)

    def under_way(self, counter: int | None = None) -> SetUpUnderWay:
        """A set-up the coordinator has just opened."""
        self.counter = self.counter + 1 if counter is None else counter
        return SetUpUnderWay(
            self.suite, self.coordinator, trust(), agreement=self.agreement, counter=self.counter,
            nonce=seeded(f"{self.seed}|nonce|{self.counter}")(32), slots=self.slots,
        )  # fmt: skip

    def set_up(self, codes: Sequence[str] | None = None, threshold: int | None = None) -> SetUp:
        """A set-up of all (or these) lenders, from the first statement to the last."""
        codes, under_way = codes or self.codes, self.under_way()
        for code in codes:
            under_way.take_keys(self.sides[code].keys(under_way.opened))
        roll = under_way.close_keys(threshold)
        for code in codes:
            under_way.take_shares(self.sides[code].shares(roll))
        for code in codes:
            under_way.take_ready(self.sides[code].ready(under_way.delivery(code)))
        return under_way.finished()

    def open(self, set_up: SetUp, slot: int, asked: Payload) -> RoundOpen:
        """A RoundOpen by the coordinator."""
        return open_round(self.suite, self.coordinator, set_up, slot, asked)

    def collected(
        self,
        set_up: SetUp,
        opened: RoundOpen,
        vectors: dict[str, NDArray[np.int64]],
    ) -> Closed:
        """The round closed with the masked inputs of those who have a vector; each is shown that
        the round it answered last was answered alike.
        """
        collecting = Collecting(self.suite, self.coordinator, set_up, opened)
        for code, vector in vectors.items():
            given = self.sides[code].mask(
                opened, opened.payload, vector, purpose="a test", agreed=self.agreed.get(code, ())
            )
            collecting.take_masked(given)
        return collecting.close()

    def opened(self, set_up: SetUp, closed: Closed, codes: Sequence[str] | None = None) -> Opening:
        """The answers of all survivors, or of these."""
        opening = Opening(self.suite, set_up, closed)
        for code in codes or closed.survivors.alive:
            opening.take_answer(self.sides[code].answer(closed.survivors))
        self.agreed |= dict.fromkeys(opening.answered, opening.agreed)
        return opening


def vectors_of(codes: Sequence[str], length: int, seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Every lender's own numbers, of either sign."""
    rng = np.random.default_rng(seed)
    return {code: rng.integers(-5000, 5000, length) for code in codes}
