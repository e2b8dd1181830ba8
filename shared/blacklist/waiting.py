"""What waits for a second institution, as other lenders are shown it.

Invariants:
- An entry is shown by its tokens under one key epoch, the newest. What is signed is computed from
  what is shown and never sent beside it: who is lied to signs what fits no entry.
- It does not say who filed an entry. A proposal is the whole event, so it says who made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from shared.blacklist.approval import Shown, approved_digest, rest_of
from shared.blacklist.entry import MOST_EPOCH, MOST_TOKENS, check_fields
from shared.blacklist.events import (
    Event,
    File,
    OpenEpoch,
    Refile,
    RetireEpoch,
    Withdraw,
    event_digest,
    read_event,
)
from shared.blacklist.opaque import HASH, NAME, check_opaque
from shared.blacklist.reasons import REASONS
from shared.blacklist.row_names import row_name
from shared.blacklist.state import EntryState
from shared.blacklist.transitions import Status
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text
from shared.tokens.tags import SEALED_BYTES

PROPOSALS = (OpenEpoch, RetireEpoch, Withdraw)


@dataclass(frozen=True)
class WaitingEntry:
    """Tokens of an entry under its newest key epoch; sign `Approve` over `digest`. `name`: of the
    entry, 16 bytes; `rest`: 32 bytes (`approval.rest_of`); `tags`, 32 bytes each, and `sealed`
    records, 512 bytes each, in the order in which they were filed.
    """

    name: bytes
    rest: bytes
    reason_code: str
    severity: int
    epoch: int
    tags: tuple[bytes, ...]
    sealed: tuple[bytes, ...]

    def __post_init__(self) -> None:
        check_fields(self)
        check_opaque("the name of what waits", self.name, NAME)
        check_opaque("rest", self.rest)
        if self.reason_code not in REASONS or self.severity not in (1, 2, 3):
            raise PeerError("what waits has a reason code and severity 1 to 3")
        if not 1 <= self.epoch <= MOST_EPOCH:
            raise PeerError(f"a key epoch is 1 to {MOST_EPOCH}")
        sizes = {(len(tag), len(one)) for tag, one in zip(self.tags, self.sealed, strict=False)}
        if not 1 <= len(self.tags) == len(self.sealed) <= MOST_TOKENS:
            raise PeerError(f"what waits has 1 to {MOST_TOKENS} tokens, each with a sealed record")
        if sizes != {(HASH, SEALED_BYTES)} or len({*self.tags}) != len(self.tags):
            raise PeerError("what waits has different tags of 32 and sealed records of 512 bytes")

    @property
    def shown(self) -> Shown:
        """What is approved, as the digest takes it."""
        rows = tuple(map(row_name, self.tags, self.sealed))
        return Shown(self.name, self.reason_code, self.severity, self.epoch, rows)

    @property
    def digest(self) -> bytes:
        """What `Approve` carries, 32 bytes."""
        return approved_digest(self.rest, self.shown)


@dataclass(frozen=True)
class WaitingProposal:
    """What another member proposed; sign `Consent` over `digest`. `event`: canonical text of the
    proposing event, signature included, which nobody checked yet. PeerError for another event.
    """

    event: bytes

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.proposal, PROPOSALS):
            raise PeerError("what waits is no proposal")

    @cached_property
    def proposal(self) -> Event:
        """The event: an OpenEpoch, RetireEpoch or Withdraw."""
        return read_event(self.event)

    @property
    def name(self) -> bytes:
        """Of the event, 16 bytes."""
        return self.proposal.event_id

    @property
    def digest(self) -> bytes:
        """What `Consent` carries, 32 bytes."""
        return event_digest(self.proposal)

    @property
    def kind(self) -> str:
        """ "OpenEpoch", "RetireEpoch" or "Withdraw"."""
        return type(self.proposal).__name__

    @property
    def member(self) -> str:
        """Who proposes it."""
        return self.proposal.member


def read_waiting(text: bytes) -> WaitingEntry | WaitingProposal:
    """What waits, by its canonical text; PeerError. A proposal's signature is not checked here."""
    if text.startswith(b'{"":"WaitingProposal",'):
        return read_text(WaitingProposal, text)
    return read_text(WaitingEntry, text)


def waits(entry: EntryState) -> bool:
    """Whether the tokens of its newest key epoch wait for another institution: it needs one, or has
    one whose word is for an earlier epoch.
    """
    if not entry.is_live or entry.newest_epoch in entry.corroborated:
        return False
    superseding = entry.status is Status.PENDING_REVIEW and entry.checker is not None
    return entry.severity == 3 or entry.second is not None or superseding


def waiting_entry(entry: EntryState, event: File | Refile) -> WaitingEntry:
    """What is shown of an entry that waits. `event`: of its newest epoch, with its records."""
    return WaitingEntry(
        entry.entry_id,
        rest_of(event),
        entry.reason_code,
        entry.severity,
        entry.newest_epoch,
        tuple(token.token for token in event.tokens),
        event.sealed,
    )
