"""What a lender has let out so far: the fold over its journal.

Invariants:
- A record is appended, durably, before what it tells of leaves; so after any crash the history
  knows at least what is known outside.
- Nothing here is secret: an answer's shares have been released when they are in a record.
- What a person here allowed is a record, too: nothing leaves with it, and it is never forgotten.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Literal, Protocol

RecordKind = Literal[
    "keys", "shares", "ready", "masked", "answer", "refusal", "sum", "allowed", "given-up",
    "points", "events", "request",
]  # fmt: skip
"""The last three: to key holders and registry of the shared list; `payload` says what for. With
"allowed" and "given-up", words of people here, nothing leaves.
"""


@dataclass(frozen=True)
class Record:
    """One message that leaves a lender. `purpose` in plain words; `content`: SHA-256, hex, of what
    leaves; `size` in bytes. The rest as far as it applies: `agreement`, `set_up`, `round`, `run`
    in hex; `lenders`: the members (masked) or the survivors (answer); `released`: an answer's text;
    `rows`: names the rows that were asked (masked, answer), or for which a person here allowed sums
    over `lenders` (allowed), or over which sums of `lenders` were refused (refusal).
    """

    kind: RecordKind
    purpose: str
    content: str
    size: int
    agreement: str
    stage: str = ""
    payload: str = ""
    counter: int = 0
    set_up: str = ""
    slot: int = -1
    round: str = ""
    run: str = ""
    threshold: int = 0
    lenders: tuple[str, ...] = ()
    released: str = ""
    rows: str = ""


class Journal(Protocol):
    """A lender's append-only outbox."""

    @property
    def history(self) -> History:
        """The fold over all records."""
        ...

    def append(self, record: Record) -> None:
        """Make a record durable, then fold it; OperatorError when the disk does not take it."""
        ...


@dataclass
class History:
    """`counter`: the highest set-up's; rounds by name; `updates`: round by agreement and
    stage, whatever totals were said to come before; `last_answers`: by agreement; `allowed`: rows
    with lenders over which a person here allowed sums.
    """

    counter: int = 0
    masked: dict[str, Record] = field(default_factory=dict)
    answered: dict[str, Record] = field(default_factory=dict)
    updates: dict[str, str] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
    last_answers: dict[str, Record] = field(default_factory=dict)
    allowed: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)

    def take(self, record: Record) -> None:
        """Fold one more record."""
        self.counter = max(self.counter, record.counter)
        if record.kind == "masked":
            self.masked[record.round] = record
            self.updates[update_of(record.agreement, record.stage)] = record.round
            self.slots[record.set_up] = max(record.slot, self.slots.get(record.set_up, -1))
        elif record.kind == "refusal" and record.round:  # its numbers could not be given
            self.updates[update_of(record.agreement, record.stage)] = record.round
        elif record.kind == "allowed":
            self.allowed.add((record.rows, record.lenders))
        elif record.kind == "answer":
            if record.round not in self.answered:  # given again, it is no later than before
                self.last_answers[record.agreement] = record
            self.answered[record.round] = record

    def survivors_of(self, agreement: str, kinds: Set[str]) -> list[tuple[str, ...]]:
        """Survivors of every sum of these kinds answered under an agreement."""
        return [
            record.lenders
            for record in self.answered.values()
            if record.agreement == agreement and record.payload in kinds
        ]

    def counted_before(
        self, rows: str, kinds: Set[str], *, besides: str = ""
    ) -> set[tuple[str, ...]]:
        """Survivors of every sum of these kinds answered over these rows, those under the agreement
        `besides` left out. A record that does not name its rows may be about any, so it counts.
        """
        return {
            record.lenders
            for record in self.answered.values()
            if record.agreement != besides
            and record.payload in kinds
            and (record.rows == rows or not record.rows)
        }


def update_of(agreement: str, stage: str) -> str:
    """Names the one update a lender has for a stage of a run."""
    return f"{agreement}|{stage}"
