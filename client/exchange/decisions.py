"""Decisions of a lender about entries and key epochs, as signed events.

Invariants:
- A decision is made by one person and checked by another: both names are asked for, and one under
  two spellings is refused here already, before the registry refuses it.
- Statements and evidence are hashed here; the files stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client.exchange.filing import Writer
from shared.blacklist.events import (
    Approve,
    Cause,
    Consent,
    Dispute,
    Event,
    Grounds,
    OpenEpoch,
    Outcome,
    Resolve,
    RetireEpoch,
    Withdraw,
    signed,
)
from shared.blacklist.state import EntryState
from shared.blacklist.transitions import Status
from shared.blacklist.waiting import WaitingEntry, WaitingProposal
from shared.errors import OperatorError
from shared.tokens.signed_keys import SignedKeys


@dataclass(frozen=True)
class Decisions:
    """Makes decisions' events. `maker`, `checker`: names of two people."""

    writer: Writer

    def checked(self, entry: EntryState, checker: str) -> Event:
        """The checker's approval of this lender's own entry."""
        mark = self.writer.secret.operator(checker)
        if mark == entry.maker:
            raise OperatorError(
                f"entry {entry.entry_id.hex()} was filed by this very person: nothing was sent",
                remedy="another person must look at the case and approve it",
            )
        return self._approve(entry.entry_id, entry.digest, mark, entry.digest)

    def for_checker(self, own: Sequence[EntryState], checker: str) -> list[bytes]:
        """The names of those of this lender's entries that wait for a checker and that this person
        may check; OperatorError when all of them are this person's own.
        """
        mark = self.writer.secret.operator(checker)
        waiting = [
            one for one in own if one.status is Status.PENDING_REVIEW and one.checker is None
        ]
        others = [one.entry_id for one in waiting if one.maker != mark]
        if waiting and not others:
            raise OperatorError(
                f"entries wait for a checker ({len(waiting)}), but this operator filed them",
                remedy="another person approves them, with their own --operator NAME",
            )
        return others

    def seconded(self, waiting: WaitingEntry, checker: str, evidence: bytes) -> Approve:
        """The approval of another lender's entry, on evidence of this lender's own (its hash), over
        what this lender was shown.
        """
        mark = self.writer.secret.operator(checker)
        return self._approve(waiting.name, waiting.digest, mark, evidence)

    def dispute(
        self, row: bytes, grounds: Grounds, evidence: bytes, maker: str, checker: str
    ) -> Event:
        """The subject disputes the entry behind a row of the list, named as a hit names it (32
        bytes); `evidence`: hash of what it shows.
        """
        return self._decided(Dispute, maker, checker, row=row, grounds=grounds, evidence=evidence)

    def resolve(
        self, entry: bytes, outcome: Outcome, statement: bytes, maker: str, checker: str
    ) -> Event:
        """How a dispute of an own entry ended; `statement`: hash of the written outcome."""
        return self._decided(
            Resolve, maker, checker, entry_id=entry, outcome=outcome, statement=statement
        )

    def withdraw(self, entries: Sequence[bytes], cause: Cause, maker: str, checker: str) -> Event:
        """Take own entries back."""
        return self._decided(Withdraw, maker, checker, entries=tuple(entries), cause=cause)

    def consent(self, proposal: WaitingProposal, maker: str, checker: str) -> Event:
        """To another lender's proposal."""
        return self._decided(
            Consent, maker, checker, proposal=proposal.name, digest=proposal.digest
        )

    def open_epoch(self, signed: SignedKeys, maker: str, checker: str) -> Event:
        """Propose that tokens under this key, signed by its holders, answer."""
        return self._decided(OpenEpoch, maker, checker, epoch=signed.keys.epoch, keys=signed)

    def retire_epoch(self, epoch: int, maker: str, checker: str) -> Event:
        """Propose that tokens of this epoch answer no more."""
        return self._decided(RetireEpoch, maker, checker, epoch=epoch)

    def two(self, maker: str, checker: str) -> tuple[bytes, bytes]:
        """Marks of two different people; OperatorError when they are one."""
        marks = self.writer.secret.operator(maker), self.writer.secret.operator(checker)
        if marks[0] == marks[1]:
            raise OperatorError(
                "--operator and --checker are the same person: nothing was sent",
                remedy="another person must look at the case and check it",
            )
        return marks

    def _approve(self, entry: bytes, digest: bytes, checker: bytes, evidence: bytes) -> Approve:
        fields = {"entry_id": entry, "digest": digest, "checker": checker, "evidence": evidence}
        event = Approve(**self.writer.common(), **fields)  # type: ignore[arg-type]
        return signed(event, self.writer.identity.private)

    def _decided(self, kind: type[Event], maker: str, checker: str, **fields: object) -> Event:
        marks = self.two(maker, checker)
        decided = {"maker": marks[0], "checker": marks[1]}
        event = kind(**self.writer.common(), **decided, **fields)  # type: ignore[arg-type]
        return signed(event, self.writer.identity.private)
