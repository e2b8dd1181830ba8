"""The rules on taking entries back and on their end.

Invariants:
- One institution alone removes no more than `removals` allows; the rest waits as a proposal.
- Giving in while an entry is disputed is a reversal, and so is letting its time run out.
- What nobody approved in time ends: it would hold its rows in the database for years.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from shared.blacklist.events import Expire, Withdraw
from shared.blacklist.removals import is_bulk
from shared.blacklist.state import EntryState
from shared.blacklist.terms import TERMS, Terms
from shared.blacklist.transitions import Move, Status, check_move
from shared.blacklist.turn import RefusedError, Turn


def is_lapsed(entry: EntryState, day: date, terms: Terms = TERMS) -> bool:
    """Whether the entry waits for approval too long."""
    pending = entry.status is Status.PENDING_REVIEW
    return pending and day > entry.filed + timedelta(days=terms.consent_days)


def withdraw(turn: Turn, event: Withdraw) -> None:
    """Own entries go, or wait for another institution's consent. RefusedError `unknown`,
    `not_yours`, `quota`.
    """
    entries = [turn.own(name, event.member) for name in event.entries]
    for entry in entries:
        check_move(entry.status, Move.WITHDRAW)
    # an own dispute was counted when it was opened
    removed = sum(entry.disputed_by != event.member for entry in entries)
    if is_bulk(turn.standing(event.member), turn.day, removed, turn.terms):
        turn.propose(event, entries=event.entries)
    else:
        remove(turn, event.entries, event.member)
        turn.count(event.member, "alone", removed)


def remove(turn: Turn, names: Iterable[bytes], member: str) -> None:
    """These live entries of the member go."""
    for name in names:
        entry = turn.entry(name)
        if entry.status in (Status.DISPUTED, Status.SUSPENDED):
            entry = turn.reversed(entry)
        entry = replace(entry, disputed=None, disputed_by=None)
        turn.put(turn.moved(entry, Move.WITHDRAW, Status.REMOVED))
        turn.count(member, "withdrawn")


def expire(turn: Turn, event: Expire) -> None:
    """Entries past their last day, or never approved, end. RefusedError `unknown`, `expired`."""
    for name in event.entries:
        before = turn.entry(name)
        entry = turn.moved(before, Move.EXPIRE, Status.EXPIRED)
        if entry.expires > turn.day and not is_lapsed(before, turn.day, turn.terms):
            raise RefusedError("expired", "an entry is not past its last day")
        if before.status in (Status.DISPUTED, Status.SUSPENDED):
            entry = turn.reversed(entry)
        turn.put(entry)
