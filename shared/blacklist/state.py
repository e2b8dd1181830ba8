"""What a list is at a moment: entries, standings, proposals, key epochs.

Invariants:
- None of it holds a token or a sealed record; those lie beside it, under the entry's name.
- A state answers the questions of `View`; so does a database. The rules (`lifecycle`) know only the
  view, and hand back `Changes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from shared.blacklist.standing import Standing
from shared.blacklist.transitions import LIVE, Status


@dataclass(frozen=True)
class Part:
    """A token of an entry without the token."""

    id_kind: str
    role: str
    expires: date


@dataclass(frozen=True, kw_only=True)
class EntryState:
    """An entry's changing part. `seq`: place of its filing in the log; `digest`: of its text;
    `expires`: when its last token does; `second`: the second institution's code; `epochs`: key
    epochs it has tokens in; `disputed`: day the dispute was opened; `evidence`: of all disputes.
    """

    entry_id: bytes
    seq: int
    contributor: str
    maker: bytes
    digest: bytes
    severity: int
    expires: date
    parts: tuple[Part, ...]
    epochs: tuple[int, ...]
    supersedes: bytes | None
    status: Status = Status.PENDING_REVIEW
    checker: bytes | None = None
    second: str | None = None
    disputed: date | None = None
    disputed_by: str | None = None
    evidence: tuple[bytes, ...] = ()
    annotated: bool = False
    reversed: bool = False

    @property
    def newest_epoch(self) -> int:
        """The latest key epoch it has tokens in."""
        return self.epochs[-1]

    @property
    def is_live(self) -> bool:
        """Whether its status is not final."""
        return self.status in LIVE


@dataclass(frozen=True)
class Proposal:
    """What waits for a second institution: an event by its digest; `epoch` or `entries` it is
    about; `closed`: consented to.
    """

    event_id: bytes
    digest: bytes
    member: str
    kind: str
    made: date
    epoch: int = 0
    keys: bytes = b""
    entries: tuple[bytes, ...] = ()
    closed: bool = False


@dataclass(frozen=True)
class Epoch:
    """A key epoch: `keys`, digest of its key set; tokens of a retired one answer no more."""

    epoch: int
    keys: bytes
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
        """Live entries without tokens in an epoch later than this."""


@dataclass
class Changes:
    """What one event changes; keys as in the view."""

    entries: dict[bytes, EntryState] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    epochs: dict[int, Epoch] = field(default_factory=dict)


@dataclass
class State:
    """A list in memory; `seq`: the last event taken."""

    seq: int = 0
    entries: dict[bytes, EntryState] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    epochs_by_number: dict[int, Epoch] = field(default_factory=dict)

    def copy(self) -> State:
        """Another one with the same content, which is not changed with this one."""
        return State(
            self.seq,
            dict(self.entries),
            dict(self.standings),
            dict(self.proposals),
            dict(self.epochs_by_number),
        )

    def take(self, changes: Changes) -> None:
        """Make the next event's changes."""
        self.seq += 1
        self.entries.update(changes.entries)
        self.standings.update(changes.standings)
        self.proposals.update(changes.proposals)
        self.epochs_by_number.update(changes.epochs)

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
        live = (entry for entry in self.entries.values() if entry.is_live)
        return sum(entry.newest_epoch <= epoch for entry in live)
