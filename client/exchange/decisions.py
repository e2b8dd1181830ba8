"""Decisions of a lender about entries and key epochs, as signed events.

Invariants:
- A decision is made by one person and checked by another: both names are asked for, and one under
  two spellings is refused here already, before the registry refuses it.
- Statements and evidence are hashed here; the files stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

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
from shared.blacklist.waiting import Waiting
from shared.errors import OperatorError
from shared.tokens.keys import KeySet


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

    def seconded(self, waiting: Waiting, checker: str, evidence: bytes) -> Event:
        """The approval of another lender's entry, on evidence of this lender's own (its hash)."""
        mark = self.writer.secret.operator(checker)
        return self._approve(waiting.name, waiting.digest, mark, evidence)

    def dispute(
        self, entry: bytes, grounds: Grounds, evidence: bytes, maker: str, checker: str
    ) -> Event:
        """The subject disputes an entry; `evidence`: hash of what it shows."""
        return self._decided(
            Dispute, maker, checker, entry_id=entry, grounds=grounds, evidence=evidence
        )

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

    def consent(self, proposal: Waiting, maker: str, checker: str) -> Event:
        """To another lender's proposal."""
        return self._decided(
            Consent, maker, checker, proposal=proposal.name, digest=proposal.digest
        )

    def open_epoch(self, keys: KeySet, maker: str, checker: str) -> Event:
        """Propose that tokens under this key answer."""
        return self._decided(OpenEpoch, maker, checker, epoch=keys.epoch, keys=epoch_digest(keys))

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

    def _approve(self, entry: bytes, digest: bytes, checker: bytes, evidence: bytes) -> Event:
        fields = {"entry_id": entry, "digest": digest, "checker": checker, "evidence": evidence}
        event = Approve(**self.writer.common(), **fields)  # type: ignore[arg-type]
        return signed(event, self.writer.identity.private)

    def _decided(self, kind: type[Event], maker: str, checker: str, **fields: object) -> Event:
        marks = self.two(maker, checker)
        decided = {"maker": marks[0], "checker": marks[1]}
        event = kind(**self.writer.common(), **decided, **fields)  # type: ignore[arg-type]
        return signed(event, self.writer.identity.private)


def epoch_digest(keys: KeySet) -> bytes:
    """32 bytes that stand for an epoch's key, whatever generation its shares are of."""
    parts = (keys.context, keys.epoch, keys.public.hex())
    return sha256(b"lianfang/epoch/v1\0" + repr(parts).encode()).digest()
