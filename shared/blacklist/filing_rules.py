"""The rules on filing, approving and re-filing an entry.

Invariants:
- Who made an entry does not check it; severity 3, and what `removals` says, takes two institutions.
- Another institution's word is for the tokens of one key epoch: those it was shown. A re-filing has
  none until it is approved anew.
- A contributor whose entries were reversed too often files nothing and activates nothing.
- What waits for approval is bounded for each contributor, and what a member approves of others for
  each day. An entry begins to answer only with tokens of an epoch that is not retired.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.blacklist.approval import refiling_digest
from shared.blacklist.entry import ListingEntry
from shared.blacklist.epoch_rules import check_open
from shared.blacklist.events import Approve, File, Refile
from shared.blacklist.removals import is_about_another, removes, wants_two
from shared.blacklist.state import EntryState, filed_entry
from shared.blacklist.transitions import Move, Status, check_move
from shared.blacklist.turn import RefusedError, Turn


def file(turn: Turn, event: File) -> None:
    """A new entry waits for its checker. RefusedError `dates`, `epoch`, `suspended`, `quota`,
    `pending`, `not_yours`, `another_subject`, `expired`, `copied`.
    """
    entry = event.entry
    if (known := turn.view.entry(entry.entry_id)) is not None:
        check_move(known.status, Move.FILE)
    _check_dates(turn, entry)
    check_open(turn, entry.tokens[0].key_epoch)
    _check_may_file(turn, event.member)
    if entry.supersedes is not None:
        _check_successor(turn, event, turn.own(entry.supersedes, event.member))
    filed = filed_entry(event, turn.seq, turn.day)
    if filed.expires <= turn.day:
        raise RefusedError("expired", "the entry would be expired already")
    turn.put(filed)
    turn.count(event.member, "filed")
    turn.note_rows(entry.entry_id, event)


def approve(turn: Turn, event: Approve) -> None:
    """The contributor's checker or another institution approves; the entry answers once it has all
    it needs. RefusedError `digest`, `approved`, `same_person`, `suspended`, `quota`, `epoch`.
    """
    entry = turn.entry(event.entry_id)
    waited = entry.status is Status.PENDING_REVIEW
    own = event.member == entry.contributor
    check_move(entry.status, Move.APPROVE if own or waited else Move.CORROBORATE)
    entry = _checked(entry, event) if own else _seconded(turn, entry, event)
    alone = not wants_two(turn.view, entry, turn.day, turn.terms)
    if waited and entry.checker is not None and (alone or entry.second is not None):
        _check_not_suspended(turn, entry.contributor)
        check_open(turn, entry.newest_epoch)  # it may have retired while the entry waited
        entry = turn.moved(entry, Move.APPROVE, Status.ACTIVE)
        _activated(turn, entry)
    turn.put(entry)


def refile(turn: Turn, event: Refile) -> None:
    """An entry has tokens under another key. RefusedError `not_yours`, `epoch`, `covered`, `parts`,
    `copied`.
    """
    entry = turn.own(event.entry_id, event.member)
    check_move(entry.status, Move.REFILE, entry.status)
    epoch = event.tokens[0].key_epoch
    check_open(turn, epoch)
    if epoch <= entry.newest_epoch:
        raise RefusedError("covered", "the entry has tokens of this or a later epoch already")
    wanted = [(part.id_kind, part.role) for part in entry.parts if part.expires > turn.day]
    if sorted((token.id_kind, token.role) for token in event.tokens) != wanted:
        raise RefusedError(
            "parts", "the tokens are not of the same kinds and roles as those in force"
        )
    refiled = (*entry.refiled, refiling_digest(event, entry))
    turn.put(replace(entry, epochs=(*entry.epochs, epoch), refiled=refiled))
    turn.note_rows(entry.entry_id, event)


def _checked(entry: EntryState, event: Approve) -> EntryState:
    if event.digest != entry.digest:
        raise RefusedError("digest", "what was approved is not the entry that was filed")
    if entry.checker is not None:
        raise RefusedError("approved", "the contributor's checker approved already")
    if event.checker == entry.maker:
        raise RefusedError("same_person", "the maker of an entry cannot be its checker")
    return replace(entry, checker=event.checker)


def _seconded(turn: Turn, entry: EntryState, event: Approve) -> EntryState:
    epoch = entry.approved_epoch(event.digest)
    if epoch is None:
        raise RefusedError(
            "digest",
            "what was approved is not what was filed",
            remedy="ask anew what waits; if it is shown like this again, ask the operator why",
        )
    if epoch in entry.corroborated:
        raise RefusedError("approved", f"another institution approved its tokens of epoch {epoch}")
    pending = entry.status is Status.PENDING_REVIEW
    wanted = pending and (entry.severity == 3 or entry.checker is not None)  # else it would answer
    if not wanted and entry.second is None:
        raise RefusedError("approved", "no second institution is wanted for this entry")
    turn.check_quota(event.member, "seconded", turn.terms.seconds_a_day)
    turn.count(event.member, "seconded")
    corroborated = (*entry.corroborated, epoch)
    return replace(entry, second=entry.second or event.member, corroborated=corroborated)


def _activated(turn: Turn, entry: EntryState) -> None:
    turn.count(entry.contributor, "approved")
    if entry.expires >= turn.day + timedelta(days=turn.terms.verified_days):
        turn.count(entry.contributor, "lasting")
        if entry.second is not None:
            turn.count(entry.contributor, "corroborated")
    old = turn.view.entry(entry.supersedes) if entry.supersedes is not None else None
    if old is not None and old.is_live:
        if old.status in (Status.DISPUTED, Status.SUSPENDED):
            old = turn.reversed(old)
        turn.count(entry.contributor, "alone", removes(entry, old))
        old = replace(old, disputed=None, disputed_by=None)
        turn.put(turn.moved(old, Move.SUPERSEDE, Status.CORRECTED))


def _check_successor(turn: Turn, event: File, old: EntryState) -> None:
    check_move(old.status, Move.SUPERSEDE)
    if is_about_another(turn.view, event, old):
        raise RefusedError(
            "another_subject",
            "an entry supersedes only one that it shares a token with, of one kind and epoch",
            remedy="withdraw the old entry and file the new one by itself",
        )


def _check_dates(turn: Turn, entry: ListingEntry) -> None:
    early = turn.day - timedelta(days=turn.terms.listing_days)
    if not early <= entry.listed_at <= turn.day + timedelta(days=1):
        raise RefusedError(
            "dates",
            f"listed_at must be within {turn.terms.listing_days} days before today",
            remedy="check this machine's clock, or list the subject anew",
        )


def _check_may_file(turn: Turn, code: str) -> None:
    _check_not_suspended(turn, code)
    base = turn.terms.filings_a_day
    most = turn.standing(code).quota(turn.day.toordinal(), base, turn.terms)
    turn.check_quota(code, "filed", most)
    if turn.view.pending(code) >= turn.terms.pending:
        raise RefusedError(
            "pending",
            f"{turn.terms.pending} entries of this member wait for approval",
            remedy="approve or withdraw what waits, then go on",
        )


def _check_not_suspended(turn: Turn, code: str) -> None:
    if turn.standing(code).is_suspended(turn.day.toordinal(), turn.terms):
        raise RefusedError(
            "suspended",
            f"more than {turn.terms.reversal_percent} % of this member's entries were reversed",
            remedy="withdraw what cannot be upheld; reversals count for "
            f"{turn.terms.window_days} days",
        )
