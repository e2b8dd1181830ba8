"""Three lenders' desks over key holders and a registry on loopback, opened once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from client.exchange.desk import Desk
from client.exchange.filing_terms import FilingTerms, read_terms
from client.exchange.opening import open_desk
from client.exchange.subjects import Subject, read_subject
from server.demo.identities import Person
from tests.exchange_parties import CHECKER, MAKER, Parties, parties

EVIDENCE = bytes(range(100, 132))
WORDS = {
    "reason": "F101",
    "confidence": "confirmed",
    "event-date": "2026-01-05",
    "product": "consumer",
    "outcome": "refused",
    "notice": "exempt:court_order",
}


@dataclass
class Desks:
    """Desks of L01, L02 and L03, by code."""

    parties: Parties
    desks: dict[str, Desk]

    def __getitem__(self, code: str) -> Desk:
        return self.desks[code]

    def terms(self, **words: str) -> FilingTerms:
        """What is said about a subject."""
        return read_terms(WORDS | words, ["forged_document=case.txt"], self.parties.folder)

    def file(self, code: str, person: Person, **words: str) -> bytes:
        """List one person, not approved by a checker yet; the entry's name."""
        ((name, settled),) = self[code].file([subject_of(person)], [self.terms(**words)], MAKER)
        assert settled.receipt is not None, settled.refusal
        return name

    def listed(self, code: str, person: Person, **words: str) -> bytes:
        """The same, approved by a checker."""
        name = self.file(code, person, **words)
        ((_, settled),) = self[code].approve([name], CHECKER)
        assert settled.receipt is not None, settled.refusal
        return name

    def second(self, code: str, name: bytes, person: Person) -> None:
        """Another lender approves an entry about a person it knows."""
        held = subject_of(person).identifiers
        settled = self[code].second(name, held, EVIDENCE, CHECKER)
        assert settled.receipt is not None, settled.refusal

    def open_epoch(self) -> None:
        """L01 proposes the holders' last key, L02 consents; everybody knows it."""
        _, settled = self["L01"].open_epoch(None, MAKER, CHECKER)
        assert settled.receipt is not None, settled.refusal
        consented = self["L02"].consent(settled.event_id, MAKER, CHECKER)
        assert consented.receipt is not None, consented.refusal
        self.synced()

    def synced(self) -> None:
        """All follow what is published now."""
        self.parties.registry.registry.tick()
        for desk in self.desks.values():
            desk.sync()

    def severity(self, code: str, person: Person) -> int | None:
        """How this lender is told of a person; None: no hit."""
        answer = self[code].check(subject_of(person).identifiers).answer
        return None if answer is None else answer.severity


def subject_of(person: Person) -> Subject:
    """A person by one identifier."""
    return read_subject([("resident_id", person.resident_id)], datetime.now(UTC).date())


@contextmanager
def opened(folder: Path) -> Iterator[Desks]:
    """All of it, with an open epoch."""
    with parties(folder) as found, ExitStack() as stack:
        codes = ("L01", "L02", "L03")
        desks = {code: stack.enter_context(open_desk(found.lender(code))) for code in codes}
        made = Desks(found, desks)
        made.open_epoch()
        yield made
