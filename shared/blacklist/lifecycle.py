"""The rules of the list: one event and the state before it give the changes, or a refusal.

Invariants:
- State is a fold over events: `fold(a + b) == fold(b, onto=fold(a))`, and a refused event changes
  nothing. Days are those on which the registry received events; members' clocks decide nothing.
- Maker ≠ checker. Severity 3, bulk removal (`removals`), opening and retiring a key epoch take two
  institutions.
- A key epoch retires only when every live entry has tokens in a later one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from shared.blacklist import events
from shared.blacklist.entry import ListingEntry, SubjectToken
from shared.blacklist.events import Outcome, event_digest
from shared.blacklist.removals import is_about_another, is_bulk, removes, wants_two
from shared.blacklist.state import (
    Changes,
    EntryState,
    Epoch,
    Proposal,
    State,
    View,
    filed_entry,
)
from shared.blacklist.terms import TERMS, Terms
from shared.blacklist.transitions import Move, Status, check_move
from shared.errors import InternalError, PeerError

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SECONDS = 86_400


class RefusedError(PeerError):
    """An event the rules do not allow now; `reason` is a short code."""

    def __init__(self, reason: str, what: str, *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.reason = reason


@dataclass(frozen=True)
class Logged:
    """An event in the log. `seq` from 1; `received`: seconds since 1970 by the registry's clock."""

    seq: int
    received: int
    event: events.Event

    @property
    def day(self) -> date:
        """The day (UTC) it was received."""
        return date.fromordinal(_EPOCH_DAY + self.received // _SECONDS)


def fold(log: Iterable[Logged], terms: Terms = TERMS, onto: State | None = None) -> State:
    """The state after all events; raises what `step` raises, InternalError for a gap."""
    state = State() if onto is None else onto.copy()
    for logged in log:
        if logged.seq != state.seq + 1:
            raise InternalError(f"event {logged.seq} of the log comes after {state.seq}")
        state.take(step(state, logged, terms))
    return state


def step(view: View, logged: Logged, terms: Terms = TERMS) -> Changes:
    """What an event changes. IllegalTransitionError or RefusedError, and nothing changes."""
    rules = _Rules(view, logged, terms)
    event = logged.event
    match event:
        case events.File():
            rules.file(event)
        case events.Approve():
            rules.approve(event)
        case events.Dispute():
            rules.dispute(event)
        case events.Resolve():
            rules.resolve(event)
        case events.Withdraw():
            rules.withdraw(event)
        case events.Refile():
            rules.refile(event)
        case events.OpenEpoch() | events.RetireEpoch():
            rules.propose_epoch(event)
        case events.Consent():
            rules.consent(event)
        case events.Expire():
            rules.expire(event)
        case events.Suspend():
            rules.suspend(event)
        case _:
            raise InternalError(f"no rule for {type(event).__name__}")
    return rules.changes


def is_overdue(entry: EntryState, day: date, terms: Terms = TERMS) -> bool:
    """Whether a dispute of the entry is without an outcome too long."""
    return entry.disputed is not None and day > entry.disputed + timedelta(days=terms.dispute_days)


class _Rules:
    """One event against the view; `changes` are read before the view, so rules see their own."""

    def __init__(self, view: View, logged: Logged, terms: Terms) -> None:
        self.view, self.terms = view, terms
        self.seq, self.day = logged.seq, logged.day
        self.changes = Changes()

    def file(self, event: events.File) -> None:
        entry = event.entry
        if (known := self.view.entry(entry.entry_id)) is not None:
            check_move(known.status, Move.FILE)
        self._check_dates(entry)
        self._check_open(entry.tokens[0].key_epoch)
        self._check_may_file(event.member)
        if entry.supersedes is not None:
            self._check_successor(event, self._own(entry.supersedes, event.member))
        filed = filed_entry(event, self.seq)
        if filed.expires <= self.day:
            raise RefusedError("expired", "the entry would be expired already")
        self._put(filed)
        self._count(event.member, "filed")
        self._note_tags(entry.entry_id, () if events.is_stripped(event) else entry.tokens)

    def approve(self, event: events.Approve) -> None:
        entry = self._entry(event.entry_id)
        check_move(entry.status, Move.APPROVE)
        if event.digest != entry.digest:
            raise RefusedError("digest", "what was approved is not the entry that was filed")
        own = event.member == entry.contributor
        entry = self._checked(entry, event) if own else self._seconded(entry, event)
        alone = not wants_two(self.view, entry, self.day, self.terms)
        if entry.checker is not None and (alone or entry.second is not None):
            self._check_not_suspended(entry.contributor)
            entry = self._moved(entry, Move.APPROVE, Status.ACTIVE)
            self._activated(entry)
        self._put(entry)

    def dispute(self, event: events.Dispute) -> None:
        entry = self._entry(event.entry_id)
        if event.evidence in entry.evidence:
            raise RefusedError("evidence", "a new dispute needs other evidence than the last")
        made = self.view.standing(event.member).since(self.day.toordinal(), 1, "disputed")
        if made >= self.terms.disputes_a_day:
            raise RefusedError("quota", "this member's disputes of today are used up")
        if event.member == entry.contributor:
            self._check_own_dispute(event.member)
        entry = self._moved(entry, Move.DISPUTE, Status.DISPUTED)
        self._put(
            replace(
                entry,
                disputed=self.day,
                disputed_by=event.member,
                evidence=(*entry.evidence, event.evidence),
            )
        )
        self._count(event.member, "disputed")

    def resolve(self, event: events.Resolve) -> None:
        entry = self._own(event.entry_id, event.member)
        if event.outcome is Outcome.CORRECTED:
            entry = self._reversed(self._moved(entry, Move.RESOLVE, Status.CORRECTED))
        else:
            entry = self._moved(entry, Move.RESOLVE, Status.ACTIVE)
        annotated = entry.annotated or event.outcome is Outcome.ANNOTATED
        self._put(replace(entry, disputed=None, disputed_by=None, annotated=annotated))

    def withdraw(self, event: events.Withdraw) -> None:
        for name in event.entries:
            check_move(self._own(name, event.member).status, Move.WITHDRAW)
        # an own dispute was counted when it was opened
        counted = [self._entry(name).disputed_by == event.member for name in event.entries]
        removed = counted.count(False)
        if self._is_bulk(event.member, removed):
            self._propose(event, entries=event.entries)
        else:
            self._remove(event.entries, event.member)
            self._count(event.member, "alone", removed)

    def refile(self, event: events.Refile) -> None:
        entry = self._own(event.entry_id, event.member)
        check_move(entry.status, Move.REFILE, entry.status)
        epoch = event.tokens[0].key_epoch
        self._check_open(epoch)
        if epoch <= entry.newest_epoch:
            raise RefusedError("covered", "the entry has tokens of this or a later epoch already")
        wanted = [(part.id_kind, part.role) for part in entry.parts if part.expires > self.day]
        if sorted((token.id_kind, token.role) for token in event.tokens) != wanted:
            raise RefusedError(
                "parts", "the tokens are not of the same kinds and roles as those in force"
            )
        self._put(replace(entry, epochs=(*entry.epochs, epoch)))
        self._note_tags(entry.entry_id, () if events.is_stripped(event) else event.tokens)

    def propose_epoch(self, event: events.OpenEpoch | events.RetireEpoch) -> None:
        if isinstance(event, events.OpenEpoch):
            self._check_new(event.epoch)
            self._propose(event, epoch=event.epoch, keys=event.keys)
        else:
            self._check_retirable(event.epoch)
            self._propose(event, epoch=event.epoch)

    def consent(self, event: events.Consent) -> None:
        proposal = self.view.proposal(event.proposal)
        if proposal is None or proposal.closed:
            raise RefusedError("proposal", "there is no such open proposal")
        if proposal.digest != event.digest:
            raise RefusedError("digest", "what was consented to is not what was proposed")
        if proposal.member == event.member:
            raise RefusedError("second_institution", "another institution must consent")
        if self.day > proposal.made + timedelta(days=self.terms.consent_days):
            raise RefusedError("too_late", "the proposal is too old", remedy="propose it anew")
        self._carry_out(proposal)
        self.changes.proposals[proposal.event_id] = replace(proposal, closed=True)

    def expire(self, event: events.Expire) -> None:
        for name in event.entries:
            entry = self._entry(name)
            if entry.expires > self.day:
                raise RefusedError("expired", "an entry is not past its last day")
            self._put(self._moved(entry, Move.EXPIRE, Status.EXPIRED))

    def suspend(self, event: events.Suspend) -> None:
        for name in event.entries:
            entry = self._moved(self._entry(name), Move.SUSPEND, Status.SUSPENDED)
            if not is_overdue(entry, self.day, self.terms):
                raise RefusedError("overdue", "the dispute is not overdue")
            self._put(self._reversed(entry))  # no outcome counts as a reversal

    def _carry_out(self, proposal: Proposal) -> None:
        if proposal.kind == events.OpenEpoch.__name__:
            self._check_new(proposal.epoch)
            opened = Epoch(proposal.epoch, proposal.keys, self.day)
            self.changes.epochs[proposal.epoch] = opened
        elif proposal.kind == events.RetireEpoch.__name__:
            epoch = self._check_retirable(proposal.epoch)
            self.changes.epochs[proposal.epoch] = replace(epoch, retired=self.day)
        else:
            live = [name for name in proposal.entries if self._entry(name).is_live]
            self._remove(live, proposal.member)

    def _remove(self, names: Iterable[bytes], member: str) -> None:
        for name in names:
            entry = self._entry(name)
            if entry.status in (Status.DISPUTED, Status.SUSPENDED):
                entry = self._reversed(entry)
            entry = replace(entry, disputed=None, disputed_by=None)
            self._put(self._moved(entry, Move.WITHDRAW, Status.REMOVED))
            self._count(member, "withdrawn")

    def _checked(self, entry: EntryState, event: events.Approve) -> EntryState:
        if entry.checker is not None:
            raise RefusedError("approved", "the contributor's checker approved already")
        if event.checker == entry.maker:
            raise RefusedError("same_person", "the maker of an entry cannot be its checker")
        return replace(entry, checker=event.checker)

    def _seconded(self, entry: EntryState, event: events.Approve) -> EntryState:
        wanted = entry.severity == 3 or entry.checker is not None  # else it would answer already
        if not wanted or entry.second is not None:
            raise RefusedError("approved", "no second institution is wanted for this entry")
        return replace(entry, second=event.member)

    def _activated(self, entry: EntryState) -> None:
        self._count(entry.contributor, "approved")
        if entry.second is not None:
            self._count(entry.contributor, "corroborated")
        old = self.view.entry(entry.supersedes) if entry.supersedes is not None else None
        if old is not None and old.is_live:
            if old.status in (Status.DISPUTED, Status.SUSPENDED):
                old = self._reversed(old)
            self._count(entry.contributor, "alone", removes(entry, old))
            old = replace(old, disputed=None, disputed_by=None)
            self._put(self._moved(old, Move.SUPERSEDE, Status.CORRECTED))

    def _is_bulk(self, code: str, more: int) -> bool:
        return is_bulk(self.view.standing(code), self.day, more, self.terms)

    def _check_own_dispute(self, code: str) -> None:
        if self._is_bulk(code, 1):
            raise RefusedError(
                "bulk",
                "disputes of own entries count as removals; those of a week without a second "
                "institution are used up",
                remedy="let another member pass the dispute on, or withdraw the entries: another "
                "institution consents",
            )
        self._count(code, "alone")

    def _check_successor(self, event: events.File, old: EntryState) -> None:
        check_move(old.status, Move.SUPERSEDE)
        if is_about_another(self.view, event, old):
            raise RefusedError(
                "another_subject",
                "an entry supersedes only one that it shares a token with, of one kind and epoch",
                remedy="withdraw the old entry and file the new one by itself",
            )

    def _reversed(self, entry: EntryState) -> EntryState:
        if not entry.reversed:
            self._count(entry.contributor, "reversed")
        return replace(entry, reversed=True)

    def _moved(self, entry: EntryState, move: Move, after: Status) -> EntryState:
        check_move(entry.status, move, after)
        return replace(entry, status=after)

    def _check_dates(self, entry: ListingEntry) -> None:
        early = self.day - timedelta(days=self.terms.listing_days)
        if not early <= entry.listed_at <= self.day + timedelta(days=1):
            raise RefusedError(
                "dates",
                f"listed_at must be within {self.terms.listing_days} days before today",
                remedy="check this machine's clock, or list the subject anew",
            )

    def _check_may_file(self, code: str) -> None:
        self._check_not_suspended(code)
        standing, day = self.view.standing(code), self.day.toordinal()
        if standing.since(day, 1, "filed") >= standing.quota(
            day, self.terms.filings_a_day, self.terms
        ):
            raise RefusedError(
                "quota", "this member's filings of today are used up", remedy="go on tomorrow"
            )

    def _check_not_suspended(self, code: str) -> None:
        if self.view.standing(code).is_suspended(self.day.toordinal(), self.terms):
            raise RefusedError(
                "suspended",
                f"more than {self.terms.reversal_percent} % of this member's entries were reversed",
                remedy="withdraw what cannot be upheld; reversals count for "
                f"{self.terms.window_days} days",
            )

    def _check_open(self, number: int) -> None:
        if not any(one.epoch == number and one.retired is None for one in self.view.epochs()):
            raise RefusedError(
                "epoch", f"key epoch {number} is not open", remedy="sync, and make tokens anew"
            )

    def _check_new(self, number: int) -> None:
        last = max((one.epoch for one in self.view.epochs()), default=number - 1)
        if number != last + 1:  # a number far ahead would leave none for later
            raise RefusedError("epoch", "a new key epoch has the number after the last")

    def _check_retirable(self, number: int) -> Epoch:
        open_ones = [one for one in self.view.epochs() if one.retired is None]
        if number not in [one.epoch for one in open_ones[:-1]]:
            raise RefusedError("epoch", "only an open epoch with a later one beside it retires")
        missing = self.view.uncovered(number)
        if missing:
            raise RefusedError(
                "uncovered",
                f"{missing} live entries have no tokens in a later epoch yet",
                remedy="their contributors re-file or withdraw them first",
            )
        return next(one for one in open_ones if one.epoch == number)

    def _propose(
        self,
        event: events.Withdraw | events.OpenEpoch | events.RetireEpoch,
        *,
        epoch: int = 0,
        keys: bytes = b"",
        entries: tuple[bytes, ...] = (),
    ) -> None:
        self.changes.proposals[event.event_id] = Proposal(
            event.event_id,
            event_digest(event),
            event.member,
            type(event).__name__,
            self.day,
            epoch,
            keys,
            entries,
        )

    def _entry(self, name: bytes) -> EntryState:
        found = self.changes.entries.get(name) or self.view.entry(name)
        if found is None:
            raise RefusedError("unknown", "there is no such entry")
        return found

    def _own(self, name: bytes, member: str) -> EntryState:
        found = self._entry(name)
        if found.contributor != member:
            raise RefusedError("not_yours", "only its contributor may do this to an entry")
        return found

    def _put(self, entry: EntryState) -> None:
        self.changes.entries[entry.entry_id] = entry

    def _note_tags(self, name: bytes, tokens: Iterable[SubjectToken]) -> None:
        self.changes.tags[name] = frozenset(token.token for token in tokens)

    def _count(self, code: str, what: str, number: int = 1) -> None:
        standing = self.changes.standings.get(code) or self.view.standing(code)
        day = self.day.toordinal()
        self.changes.standings[code] = standing.count(day, what, self.terms, number)
