"""What a list is at a moment: entries, standings, proposals, key epochs.

Invariants:
- What is compared and kept holds no token and no sealed record; those lie beside it, under the
  entry's name. A state in memory knows the tags of live entries as long as they are in the log, and
  the names of their rows.
- A state answers the questions of `View`; so does a database. The rules (`lifecycle`) know only the
  view, and hand back `Changes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from shared.blacklist.approval import filing_digest
from shared.blacklist.entry_state import EntryState as EntryState
from shared.blacklist.entry_state import Heard as Heard
from shared.blacklist.entry_state import Part as Part
from shared.blacklist.events import File
from shared.blacklist.standing import Standing
from shared.blacklist.transitions import Status


def filed_entry(event: File, seq: int, day: date) -> EntryState:
    """The entry as the filing at this place in the log, received on this day, makes it."""
    entry = event.entry
    found = (Part(one.id_kind, one.role, entry.token_expires_at(one)) for one in entry.tokens)
    parts = tuple(sorted(found, key=lambda part: (part.id_kind, part.role)))
    return EntryState(
        entry_id=entry.entry_id,
        seq=seq,
        filed=day,
        contributor=entry.contributor,
        maker=entry.maker,
        digest=filing_digest(event),
        reason_code=entry.reason_code.value,
        severity=entry.severity,
        expires=max(part.expires for part in parts),
        parts=parts,
        epochs=(entry.tokens[0].key_epoch,),
        supersedes=entry.supersedes,
    )


@dataclass(frozen=True)
class Proposal:
    """What waits for a second institution: an event by its digest; the `epoch` or `entries` it is
    about, and as in `Epoch` what opens one; `closed`: consented to.
    """

    event_id: bytes
    digest: bytes
    member: str
    kind: str
    made: date
    epoch: int = 0
    keys: bytes = b""
    public: bytes = b""
    context: str = ""
    holders: tuple[str, ...] = ()
    entries: tuple[bytes, ...] = ()
    closed: bool = False


@dataclass(frozen=True)
class Epoch:
    """A key epoch: `keys`, digest of its key (`epoch_keys`); `public`, the key times the generator,
    32 bytes; `context` of the key; `holders`, their codes, sorted; tokens of a retired one answer
    no more.
    """

    epoch: int
    keys: bytes
    public: bytes
    context: str
    holders: tuple[str, ...]
    opened: date
    retired: date | None = None


class View(Protocol):
    """What the rules ask."""

    def entry(self, entry_id: bytes) -> EntryState | None:
        """The entry's state; None when it is unknown."""

    def standing(self, code: str) -> Standing:
        """The contributor's standing; an empty one when it never filed."""

    def proposal(self, event_id: bytes) -> Proposal | None:
        """The proposal made by this event."""

    def epochs(self) -> tuple[Epoch, ...]:
        """All key epochs ever opened, in order."""

    def uncovered(self, epoch: int) -> int:
        """Live entries without tokens in an epoch later than this; not those that wait for
        approval, which end by themselves.
        """

    def pending(self, contributor: str) -> int:
        """How many of its entries are in status `pending_review`."""

    def tags(self, entry_id: bytes) -> frozenset[bytes]:
        """The tags of a live entry, 32 bytes each, in all its epochs; empty once erased."""

    def filed(self, row: bytes) -> EntryState | None:
        """The live entry that filed the row of this name, 32 bytes (`row_names`)."""

    def open_disputes(self, member: str, contributor: str) -> int:
        """How many entries of `contributor` are in status `disputed` by a dispute of `member`; not
        those suspended, whose outcome is late already.
        """


@dataclass
class Changes:
    """What one event changes; keys as in the view. `tags`, `rows`: more of an entry, by its name;
    `rows`: names of rows, in the event's order, also where tags are erased.
    """

    entries: dict[bytes, EntryState] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    epochs: dict[int, Epoch] = field(default_factory=dict)
    tags: dict[bytes, frozenset[bytes]] = field(default_factory=dict)
    rows: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)


@dataclass
class State:
    """A list in memory; `seq`: the last event taken."""

    seq: int = 0
    entries: dict[bytes, EntryState] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    epochs_by_number: dict[int, Epoch] = field(default_factory=dict)
    tags_by_entry: dict[bytes, frozenset[bytes]] = field(
        default_factory=dict, compare=False, repr=False
    )
    rows_by_entry: dict[bytes, tuple[bytes, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    entry_by_row: dict[bytes, bytes] = field(default_factory=dict, compare=False, repr=False)
    pending_by_code: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    def copy(self) -> State:
        """Another one with the same content, which is not changed with this one."""
        return State(
            self.seq,
            dict(self.entries),
            dict(self.standings),
            dict(self.proposals),
            dict(self.epochs_by_number),
            dict(self.tags_by_entry),
            dict(self.rows_by_entry),
            dict(self.entry_by_row),
            dict(self.pending_by_code),
        )

    def take(self, changes: Changes) -> None:
        """Make the next event's changes."""
        self.seq += 1
        self._count_pending(changes.entries)
        self.entries.update(changes.entries)
        self.standings.update(changes.standings)
        self.proposals.update(changes.proposals)
        self.epochs_by_number.update(changes.epochs)
        for name, tags in changes.tags.items():
            self.tags_by_entry[name] = self.tags(name) | tags
        for name, rows in changes.rows.items():
            self.rows_by_entry[name] = self.rows_by_entry.get(name, ()) + rows
            self.entry_by_row.update(dict.fromkeys(rows, name))
        for entry in changes.entries.values():
            if not entry.is_live:
                self._forget(entry.entry_id)

    def entry(self, entry_id: bytes) -> EntryState | None:
        """As `View.entry`."""
        return self.entries.get(entry_id)

    def standing(self, code: str) -> Standing:
        """As `View.standing`."""
        return self.standings.get(code, Standing(code))

    def proposal(self, event_id: bytes) -> Proposal | None:
        """As `View.proposal`."""
        return self.proposals.get(event_id)

    def epochs(self) -> tuple[Epoch, ...]:
        """As `View.epochs`."""
        return tuple(self.epochs_by_number[number] for number in sorted(self.epochs_by_number))

    def uncovered(self, epoch: int) -> int:
        """As `View.uncovered`."""
        return sum(
            entry.is_live
            and entry.status is not Status.PENDING_REVIEW
            and entry.newest_epoch <= epoch
            for entry in self.entries.values()
        )

    def pending(self, contributor: str) -> int:
        """As `View.pending`."""
        return self.pending_by_code.get(contributor, 0)

    def tags(self, entry_id: bytes) -> frozenset[bytes]:
        """As `View.tags`."""
        return self.tags_by_entry.get(entry_id, frozenset())

    def filed(self, row: bytes) -> EntryState | None:
        """As `View.filed`."""
        name = self.entry_by_row.get(row)
        return None if name is None else self.entries[name]

    def open_disputes(self, member: str, contributor: str) -> int:
        """As `View.open_disputes`."""
        wanted = (Status.DISPUTED, member, contributor)
        return sum(
            (entry.status, entry.disputed_by, entry.contributor) == wanted
            for entry in self.entries.values()
        )

    def _count_pending(self, changed: dict[bytes, EntryState]) -> None:
        """Kept as a number: counting all entries at every filing would make a replay quadratic."""
        for name, entry in changed.items():
            before = self.entries.get(name)
            waited = before is not None and before.status is Status.PENDING_REVIEW
            more = (entry.status is Status.PENDING_REVIEW) - waited
            self.pending_by_code[entry.contributor] = self.pending(entry.contributor) + more

    def _forget(self, name: bytes) -> None:
        self.tags_by_entry.pop(name, None)
        for row in self.rows_by_entry.pop(name, ()):
            del self.entry_by_row[row]
