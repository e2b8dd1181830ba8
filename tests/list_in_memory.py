"""A list in memory: the rules alone, no database and no network."""

from datetime import date, timedelta
from typing import Any

import pytest

from shared.blacklist.entry import SubjectToken
from shared.blacklist.events import Event, Expire, File, Outcome, Suspend
from shared.blacklist.lifecycle import Logged, RefusedError, step
from shared.blacklist.row_names import row_names
from shared.blacklist.state import EntryState, State
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import ANSWERING, Status
from tests.blacklist_members import NOW, REGISTRY, TODAY, Lender, member

TERMS = Terms(filings_a_day=1000)
FINAL = frozenset({Status.CORRECTED, Status.REMOVED, Status.EXPIRED})
"""Statuses that no move leaves."""


class Exchange:
    """A list in memory; every event goes through the rules, and the fold is compared with it."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.terms = terms
        self.state = State()
        self.log: list[Logged] = []
        self.day = 0
        self.a, self.b, self.c = (Lender.of(code) for code in ("L01", "L02", "L03"))
        self.registry = Lender(member(REGISTRY, "registry"))
        self.open(1)

    def take(self, event: Event) -> None:
        """Apply one event, or raise and change nothing."""
        received = int(NOW.timestamp()) + 86_400 * self.day
        logged = Logged(len(self.log) + 1, received, event)
        self.state.take(step(self.state, logged, self.terms))
        self.log.append(logged)

    def open(self, epoch: int) -> None:
        """Open a key epoch with two institutions."""
        proposal = self.a.open_epoch(epoch)
        self.take(proposal)
        self.take(self.b.consent(proposal))

    def retire(self, epoch: int) -> None:
        """Retire a key epoch with two institutions."""
        proposal = self.a.retire_epoch(epoch)
        self.take(proposal)
        self.take(self.b.consent(proposal))

    def active(self, lender: Lender | None = None, **fields: Any) -> bytes:
        """An active entry's name."""
        lender = lender or self.a
        day = TODAY + timedelta(days=self.day)
        filed = lender.file(lender.entry(f"subject {lender.number}", day=day, **fields))
        self.take(filed)
        if fields.get("severity") == 3:
            self.take((self.b if lender is self.a else self.a).approve(filed))
        self.take(lender.approve(filed))
        return filed.entry.entry_id

    def entry(self, name: bytes) -> EntryState:
        """Its state."""
        return self.state.entries[name]

    def filing(self, name: bytes) -> File:
        """The event that filed it."""
        filed = self.log[self.entry(name).seq - 1].event
        assert isinstance(filed, File)
        return filed

    def tokens(self, name: bytes) -> tuple[SubjectToken, ...]:
        """What it was filed under."""
        return self.filing(name).tokens

    def row(self, name: bytes) -> bytes:
        """The name of the first row it was filed with."""
        return row_names(self.filing(name))[0]

    def today(self) -> date:
        """The registry's day."""
        return TODAY + timedelta(days=self.day)

    def answering(self, lender: Lender | None = None) -> int:
        """How many entries, of one lender or all, are on the list."""
        return sum(
            entry.status in ANSWERING and (lender is None or entry.contributor == lender.code)
            for entry in self.state.entries.values()
        )

    def goes(self, event: Event) -> bool:
        """Try it; whether it was taken."""
        try:
            self.take(event)
        except RefusedError:
            return False
        return True

    def expire(self, *names: bytes) -> Expire:
        """The registry's event."""
        return self.registry.sign(Expire(**self.registry.header(), entries=names))

    def suspend(self, *names: bytes) -> Suspend:
        """The registry's event."""
        return self.registry.sign(Suspend(**self.registry.header(), entries=names))

    def refused(self, event: Event, reason: str) -> None:
        """It is refused for this reason and changes nothing."""
        before = self.state.copy()
        with pytest.raises(RefusedError) as refusal:
            self.take(event)
        assert refusal.value.reason == reason
        assert self.state == before

    def put(self, status: Status, severity: int = 2) -> bytes:
        """An entry in this status."""
        if status is Status.PENDING_REVIEW:
            filed = self.a.file(self.a.entry(f"pending {self.a.number}"))
            self.take(filed)
            return filed.entry.entry_id
        name = self.active(severity=severity)
        if status in (Status.DISPUTED, Status.SUSPENDED, Status.CORRECTED):
            self.take(self.b.dispute(self.row(name)))
        if status is Status.SUSPENDED:
            self.day += 21
            self.take(self.suspend(name))
        if status is Status.CORRECTED:
            self.take(self.a.resolve(name, Outcome.CORRECTED))
        if status is Status.REMOVED:
            self.take(self.a.withdraw(name))
        if status is Status.EXPIRED:
            self.day += 5 * 366
            self.take(self.expire(name))
        assert self.entry(name).status is status
        return name
