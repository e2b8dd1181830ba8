"""The rules on disputes: opening one, its outcome, and what is left without one.

Invariants:
- A dispute names a row, so it meets the entry that filed it, whatever its contributor claims.
- A dispute without an outcome counts against the contributor. So that nobody can be silenced by
  disputes alone, a member is heard about an entry once in `Terms.redispute_days`, and has at most
  `Terms.open_disputes` open against one contributor.
- An own dispute takes an entry off the list as a removal does, and counts as one (`removals`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from shared.blacklist.events import Dispute, Outcome, Resolve, Suspend
from shared.blacklist.removals import is_bulk
from shared.blacklist.state import EntryState, Heard
from shared.blacklist.terms import TERMS, Terms
from shared.blacklist.transitions import Move, Status
from shared.blacklist.turn import RefusedError, Turn


def is_overdue(entry: EntryState, day: date, terms: Terms = TERMS) -> bool:
    """Whether a dispute of the entry is without an outcome too long."""
    return entry.disputed is not None and day > entry.disputed + timedelta(days=terms.dispute_days)


def dispute(turn: Turn, event: Dispute) -> None:
    """The entry behind a row is disputed from now on. RefusedError `unknown`, `evidence`, `heard`,
    `open_disputes`, `quota`, `bulk`.
    """
    entry = _behind(turn, event.row)
    if event.evidence in entry.evidence:
        raise RefusedError("evidence", "a new dispute needs other evidence than the last")
    _check_not_heard(turn, entry, event.member)
    turn.check_quota(event.member, "disputed", turn.terms.disputes_a_day)
    if event.member == entry.contributor:
        _check_own(turn, event.member)
    else:
        _check_open_ones(turn, event.member, entry.contributor)
    entry = turn.moved(entry, Move.DISPUTE, Status.DISPUTED)
    evidence = (*entry.evidence, event.evidence)
    turn.put(replace(entry, disputed=turn.day, disputed_by=event.member, evidence=evidence))
    turn.count(event.member, "disputed")


def resolve(turn: Turn, event: Resolve) -> None:
    """A dispute has its outcome. RefusedError `unknown`, `not_yours`."""
    entry = turn.own(event.entry_id, event.member)
    if event.outcome is Outcome.CORRECTED:
        entry = turn.reversed(turn.moved(entry, Move.RESOLVE, Status.CORRECTED))
    else:
        entry = turn.moved(entry, Move.RESOLVE, Status.ACTIVE)
    others = tuple(one for one in entry.heard if one.member != entry.disputed_by)
    heard = (*others, Heard(entry.disputed_by or "", turn.day))
    annotated = entry.annotated or event.outcome is Outcome.ANNOTATED
    turn.put(replace(entry, disputed=None, disputed_by=None, heard=heard, annotated=annotated))


def suspend(turn: Turn, event: Suspend) -> None:
    """Entries whose disputes are overdue answer no more. RefusedError `unknown`, `overdue`."""
    for name in event.entries:
        entry = turn.moved(turn.entry(name), Move.SUSPEND, Status.SUSPENDED)
        if not is_overdue(entry, turn.day, turn.terms):
            raise RefusedError("overdue", "the dispute is not overdue")
        turn.put(turn.reversed(entry))  # no outcome counts as a reversal


def _behind(turn: Turn, row: bytes) -> EntryState:
    found = turn.view.filed(row)
    if found is None:
        raise RefusedError(
            "unknown", "no live entry has this row", remedy="sync: it may be off the list already"
        )
    return found


def _check_not_heard(turn: Turn, entry: EntryState, member: str) -> None:
    since = turn.day - timedelta(days=turn.terms.redispute_days)
    if any(one.member == member and one.day > since for one in entry.heard):
        raise RefusedError(
            "heard",
            f"this member's last dispute of this entry had its outcome less than "
            f"{turn.terms.redispute_days} days ago",
            remedy="bring new facts to the contributor, or let another member pass the dispute on",
        )


def _check_open_ones(turn: Turn, member: str, contributor: str) -> None:
    if turn.view.open_disputes(member, contributor) >= turn.terms.open_disputes:
        raise RefusedError(
            "open_disputes",
            f"{turn.terms.open_disputes} disputes of this member against the contributor of this "
            "entry wait for an outcome",
            remedy="go on when one has its outcome, or let another member pass the dispute on",
        )


def _check_own(turn: Turn, code: str) -> None:
    if is_bulk(turn.standing(code), turn.day, 1, turn.terms):
        raise RefusedError(
            "bulk",
            "disputes of own entries count as removals; those of a week without a second "
            "institution are used up",
            remedy="let another member pass the dispute on, or withdraw the entries: another "
            "institution consents",
        )
    turn.count(code, "alone")
