"""A registry in the test's process, over a database that outlives it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

from server.registry.database import Database
from server.registry.epoch_admission import EpochAdmission
from server.registry.publishing import AT_ONCE, Batches
from server.registry.registry import Refusal, Registry
from shared.blacklist.checkpoint import Checkpoint
from shared.blacklist.events import Event, File
from shared.blacklist.receipt import Receipt
from shared.blacklist.rows import Row
from shared.blacklist.state import EntryState
from shared.blacklist.terms import Terms
from shared.secure_sum.encoding import text_of
from shared.tokens.signed_keys import SignedKeys
from shared.tokens.sodium import Sodium
from tests.blacklist_members import AUTHORITY, REGISTRY, TODAY, Clock, Lender, member
from tests.identities import fixed_random

IDENTITY = member(REGISTRY, "registry")
TERMS = Terms(filings_a_day=5000, pending=20_000)


class Served:
    """`a`, `b`, `c` are lenders; `clock` is the registry's."""

    def __init__(
        self,
        url: str,
        terms: Terms = TERMS,
        batches: Batches = AT_ONCE,
        holders: Collection[str] | None = None,
    ) -> None:
        self.url, self.terms, self.batches = url, terms, batches
        self.holders = None if holders is None else frozenset(holders)
        self.clock = Clock()
        self.random = fixed_random("registry")
        self.a, self.b, self.c = (Lender.of(code) for code in ("L01", "L02", "L03"))
        self.open()

    def open(self) -> None:
        """Start it on what the database holds."""
        self.database = Database(self.url)
        try:
            self.registry = Registry(
                self.database,
                IDENTITY,
                AUTHORITY.certificate,
                clock=self.clock,
                random=self.random,
                admission=EpochAdmission(AUTHORITY.certificate, self.clock, Sodium(), self.holders),
                terms=self.terms,
                batches=self.batches,
            )
        except BaseException:
            self.database.close()
            raise

    def close(self) -> None:
        """Stop it."""
        self.database.close()

    def restart(self) -> None:
        """Stop and start."""
        self.close()
        self.open()

    def found(self) -> None:
        """Open the first key epoch with two institutions."""
        self.open_epoch(1)

    def open_epoch(self, epoch: int, keys: SignedKeys | None = None) -> None:
        """The first lender proposes it, the second consents."""
        self.agree(self.a.open_epoch(epoch, keys))

    def retire_epoch(self, epoch: int) -> None:
        """The same the other way."""
        self.agree(self.a.retire_epoch(epoch))

    def agree(self, proposal: Event) -> None:
        """The first lender's proposal has the second's consent."""
        self.take(self.a, proposal)
        self.take(self.b, self.b.consent(proposal))

    def answers(self, lender: Lender, *events: Event) -> list[Receipt | Refusal]:
        """What the registry says to each."""
        return self.registry.submit(lender.code, [text_of(event) for event in events])

    def take(self, lender: Lender, *events: Event) -> list[Receipt]:
        """Submit events that are accepted."""
        receipts = []
        for start in range(0, len(events), 64):
            for answer in self.answers(lender, *events[start : start + 64]):
                assert isinstance(answer, Receipt), answer
                receipts.append(answer)
        return receipts

    def refused(self, lender: Lender, event: Event) -> str:
        """Submit an event that is refused; why."""
        (answer,) = self.answers(lender, event)
        assert isinstance(answer, Refusal), answer
        return answer.reason

    def active(self, lender: Lender, *subjects: str, **fields: Any) -> list[File]:
        """Active entries about subjects."""
        day = TODAY + timedelta(days=(self.clock.now.date() - TODAY).days)
        filed = [lender.file(lender.entry(subject, day=day, **fields)) for subject in subjects]
        self.take(lender, *filed)
        if fields.get("severity") == 3:
            other = self.b if lender is self.a else self.a
            self.take(other, *[other.approve(one) for one in filed])
        self.take(lender, *[lender.approve(one) for one in filed])
        return filed

    def publish(self) -> Checkpoint:
        """The latest version, after time was let pass."""
        self.registry.tick()
        checkpoint = self.registry.latest()
        assert checkpoint is not None
        return checkpoint

    def own(self, lender: Lender, entry_id: bytes) -> EntryState:
        """The state of one of the lender's live entries."""
        return next(one for one in self.registry.own(lender.code) if one.entry_id == entry_id)

    def rows(self) -> list[Row]:
        """All rows members have."""
        return [one for one in self.registry.snapshot() if isinstance(one, Row)]


def other_content(event: Any, lender: Lender) -> Any:
    """Another event under the same name."""
    return lender.sign(replace(event, checker=lender.person("somebody else")))
