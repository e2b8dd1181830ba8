"""A lender in the exchange as a program plays it: filings in words, over whichever ways there are.

Invariants:
- What the registry refuses is an error here (PeerError), never a line that is overlooked.
- Two people stand behind everything: one makes, the other checks.
- Subjects come as texts by kind of identifier, and are canonical before anything else is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from client.exchange.desk import Desk
from client.exchange.filing_terms import read_terms
from client.exchange.opening import Ways, open_desk
from client.exchange.subjects import Subject, canonical_all
from client.exchange.submissions import Settled
from shared.blacklist.answer import Answer
from shared.blacklist.events import Cause, Grounds
from shared.blacklist.waiting import WaitingEntry, WaitingProposal
from shared.errors import PeerError
from shared.tokens.identifiers import Canonical

_MAKER, _CHECKER = "maker", "checker"
Texts = Mapping[str, str]


@dataclass(frozen=True)
class Member:
    """Over an open desk; `folder`: where its cases lie."""

    desk: Desk
    folder: Path

    def open_epoch(self) -> None:
        """Propose that tokens under the holders' last key answer."""
        _, settled = self.desk.open_epoch(None, _MAKER, _CHECKER)
        _taken(settled)

    def consent(self) -> None:
        """To whatever another lender proposes."""
        for waiting in self.desk.registry.waiting():
            if isinstance(waiting, WaitingProposal):
                _taken(self.desk.consent(waiting.name, _MAKER, _CHECKER))

    def sync(self) -> None:
        """Bring the own copy of the list to the latest version."""
        self.desk.sync()

    def file(self, subjects: Sequence[Texts], terms: Sequence[Texts]) -> list[bytes]:
        """List each subject under its terms (words as `filing_terms.ENTRIES`, `evidence` a kind),
        and let a checker approve; the entries' names, in order.
        """
        read = [
            read_terms(words, [f"{words['evidence']}={self._case(at)}"], self.folder)
            for at, words in enumerate(terms)
        ]
        listed = [Subject(self._canonical(texts)) for texts in subjects]
        answers = self.desk.file(listed, read, _MAKER)
        for _, settled in answers:
            _taken(settled)
        for _, settled in self.desk.approve([], _CHECKER):
            _taken(settled)
        return [name for name, _ in answers]

    def second(self, subject: Texts) -> None:
        """Approve, as the second institution, what waits about this subject."""
        evidence = sha256(self._case(0).encode()).digest()
        for waiting in self.desk.registry.waiting():
            if isinstance(waiting, WaitingEntry):
                held = self._canonical(subject)
                _taken(self.desk.second(waiting.name, held, evidence, _CHECKER))

    def dispute(self, subject: Texts) -> None:
        """Pass on that a subject, which is a hit here, disputes what is listed about it."""
        known = self.desk.check(self._canonical(subject), purpose="dispute")
        if not known.hits:
            raise PeerError("the subject of a dispute is not on the list")
        row = known.hits[0].name
        evidence = sha256(row).digest()
        decision = self.desk.decisions.dispute(row, Grounds.WRONG_FACTS, evidence, _MAKER, _CHECKER)
        _taken(self.desk.decide(decision))

    def withdraw(self, entry: bytes) -> None:
        """Take an own entry back."""
        decision = self.desk.decisions.withdraw([entry], Cause.MISTAKE, _MAKER, _CHECKER)
        _taken(self.desk.decide(decision))

    def screen(self, book: Path) -> tuple[dict[str, Answer], int]:
        """Answers by the book's own references, and how many tokens were fetched for them."""
        screening = self.desk.screen(book)
        bad = screening.findings.bad
        if bad or screening.unreadable:
            raise PeerError(f"{len(bad)} cells and {screening.unreadable} records cannot be read")
        return {hit.ref: hit.answer for hit in screening.hits}, screening.asked

    def _canonical(self, texts: Texts) -> tuple[Canonical, ...]:
        return canonical_all([*texts.items()], self.desk.today)

    def _case(self, number: int) -> str:
        """The name of a file that stands for the evidence of a case."""
        name = f"case-{number}.txt"
        (self.folder / name).write_text(f"Evidence of case {number}; it stays here.\n")
        return name


@contextmanager
def open_member(folder: Path, ways: Ways) -> Iterator[Member]:
    """The member whose folder this is. Raises OperatorError."""
    with open_desk(folder, ways=ways) as desk:
        yield Member(desk, folder)


def _taken(settled: Settled) -> None:
    if settled.receipt is None:
        raise PeerError(f"the registry refused an event: {settled.refusal}", remedy=settled.remedy)
