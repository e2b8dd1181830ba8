"""The stronger mode in one process: real halves of the secure sum, real masks, no network.

Invariants:
- What the coordinator's half is given is masked vectors and shares; it never holds a vector.
- Vaults and journals live in memory and go with the process: nothing here is asked twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from server.authority import Authority, create_authority, issue
from server.simulation.founding import now
from shared.borrowing.asked import MOST
from shared.identity.certificate import Identity, Role, identity_of, public_of
from shared.secure_sum.coordinator_round import Collecting, Opening, open_round
from shared.secure_sum.coordinator_side import SetUp, SetUpUnderWay
from shared.secure_sum.floors import Floors
from shared.secure_sum.history import History, Record
from shared.secure_sum.lender_side import LenderSide, Terms
from shared.secure_sum.statements import MaskedInput, Payload
from shared.secure_sum.suite import STANDARD
from shared.secure_sum.trust import Trust

Ints = NDArray[np.int64]
_DAYS = 1
Seen = Callable[[MaskedInput], None]


@dataclass
class _Vault:
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
class _Journal:
    history: History = field(default_factory=History)

    def append(self, record: Record) -> None:
        self.history.take(record)


class Federation:
    """Members of one ledger, and the coordinator that adds up for them.

    `bytes`: of all masked inputs so far. `seen` is shown each of them, as the coordinator is.
    """

    def __init__(self, codes: Sequence[str], ledger: bytes, *, seen: Seen | None = None) -> None:
        self._begun = now()
        self._authority = create_authority(
            "borrowing", days=_DAYS, now=self._begun, random=secrets.token_bytes
        )
        self._trust = Trust(self._authority.certificate, lambda: self._begun)
        self._ledger = sha256(b"lianfang/borrowing/asked/v1" + ledger).digest()
        self._coordinator = self._identity("coordinator", "coordinator")
        self._sides = {code: self._side(code) for code in codes}
        self._set_up = self._made(slots=8)
        self._agreed: tuple[tuple[str, bytes], ...] = ()
        self._seen = seen
        self._rounds = 0
        self.bytes = 0

    def total(self, batch: bytes, vectors: Mapping[str, Ints]) -> Ints:
        """The sum of all members' vectors of a batch (its digest), by two exchanges.

        PeerError, RefusedError.
        """
        length = len(next(iter(vectors.values())))
        payload = Payload(batch, f"borrowing/{self._rounds}", "counts", length, 0, float(MOST), 1)
        opened = open_round(STANDARD, self._coordinator, self._set_up, self._rounds, payload)
        collecting = Collecting(STANDARD, self._coordinator, self._set_up, opened)
        for code, vector in vectors.items():
            given = self._sides[code].mask(
                opened, payload, vector, purpose="counts of asked tokens", agreed=self._agreed
            )
            self.bytes += given.values.nbytes
            if self._seen is not None:
                self._seen(given)
            collecting.take_masked(given)
        closed = collecting.close()
        opening = Opening(STANDARD, self._set_up, closed)
        for code in closed.survivors.alive:
            opening.take_answer(self._sides[code].answer(closed.survivors))
        self._agreed, self._rounds = opening.agreed, self._rounds + 1
        return opening.total()

    def _made(self, slots: int) -> SetUp:
        under_way = SetUpUnderWay(
            STANDARD, self._coordinator, self._trust, agreement=self._ledger,
            counter=1, nonce=secrets.token_bytes(32), slots=slots,
        )  # fmt: skip
        for side in self._sides.values():
            under_way.take_keys(side.keys(under_way.opened))
        roll = under_way.close_keys()
        for side in self._sides.values():
            under_way.take_shares(side.shares(roll))
        for code, side in self._sides.items():
            under_way.take_ready(side.ready(under_way.delivery(code)))
        return under_way.finished()

    def _side(self, code: str) -> LenderSide:
        terms = Terms(
            STANDARD, self._identity(code, "lender"), self._trust, Floors.of("demo"), self._ledger
        )
        return LenderSide(terms, _Vault(), _Journal(), secrets.token_bytes)

    def _identity(self, code: str, role: Role) -> Identity:
        return _identity(self._authority, code, role, self._begun)


def _identity(authority: Authority, code: str, role: Role, at: datetime) -> Identity:
    private = secrets.token_bytes(32)
    certificate = issue(
        authority, code, role, public_of(private), days=_DAYS, now=at, random=secrets.token_bytes
    )
    return identity_of(certificate, private, authority.certificate, at)
