"""What is true of every state the rules can reach: an oracle beside them, asked at every start.

Invariants:
- It looks at a state only, never at the rules, so that a mistake in one is found by the other.
"""

from __future__ import annotations

from collections import Counter

from shared.blacklist.state import EntryState, State
from shared.blacklist.terms import TERMS, Terms
from shared.blacklist.transitions import LIVE, Status
from shared.errors import InternalError


def check_legal(state: State, terms: Terms = TERMS) -> None:
    """InternalError if the state breaks a promise."""
    for entry in state.entries.values():
        _check_answering(entry)
        _check_epochs(entry)
    _check_open_disputes(state, terms)
    _check_pending(state, terms)
    _check_keys(state)
    for standing in state.standings.values():
        for one in standing.days:
            alone = [of.alone for of in standing.days if 0 <= one.day - of.day < terms.bulk_days]
            if sum(alone) > terms.bulk_entries:
                raise InternalError("one institution alone removed more than it may")
            if one.proposed > terms.proposals_a_day:
                raise InternalError("a member proposed more on a day than it may")
            if one.seconded > terms.seconds_a_day:
                raise InternalError("a member approved more of others on a day than it may")


def _check_answering(entry: EntryState) -> None:
    contested = entry.status in (Status.DISPUTED, Status.SUSPENDED)
    answered = entry.status not in (Status.PENDING_REVIEW, Status.REMOVED, Status.EXPIRED)
    if answered and (entry.checker is None or entry.checker == entry.maker):
        raise InternalError("an entry answers without a checker of its own")
    if answered and entry.severity == 3 and entry.second in (None, entry.contributor):
        raise InternalError("an entry of severity 3 answers without a second institution")
    if entry.status in LIVE and contested != (entry.disputed is not None):
        raise InternalError("an entry's dispute and its status disagree")
    if len({one.member for one in entry.heard}) != len(entry.heard):
        raise InternalError("a member was heard twice about an entry")


def _check_epochs(entry: EntryState) -> None:
    if list(entry.epochs) != sorted(set(entry.epochs)):
        raise InternalError("an entry's epochs are out of order")
    if len(entry.refiled) + 1 != len(entry.epochs):
        raise InternalError("an entry has not one re-filing for each later epoch")
    approved = set(entry.corroborated)
    if len(approved) != len(entry.corroborated) or not approved <= {*entry.epochs}:
        raise InternalError("another institution approved tokens that an entry does not have")
    if bool(approved) != (entry.second is not None):
        raise InternalError("a second institution and what it approved disagree")


def _check_open_disputes(state: State, terms: Terms) -> None:
    found = Counter(
        (entry.disputed_by, entry.contributor)
        for entry in state.entries.values()
        if entry.status is Status.DISPUTED and entry.disputed_by != entry.contributor
    )
    if max(found.values(), default=0) > terms.open_disputes:
        raise InternalError("a member has more disputes open against another than it may")


def _check_pending(state: State, terms: Terms) -> None:
    waiting = (one for one in state.entries.values() if one.status is Status.PENDING_REVIEW)
    found = Counter(one.contributor for one in waiting)
    if max(found.values(), default=0) > terms.pending:
        raise InternalError("a member has more entries waiting for approval than it may")
    if any(state.pending(code) != found[code] for code in {*found, *state.standings}):
        raise InternalError("what waits for approval was counted wrong")


def _check_keys(state: State) -> None:
    epochs = state.epochs()
    if len({one.public for one in epochs}) != len(epochs):
        raise InternalError("two epochs have one key")
    if len({one.context for one in epochs}) > 1:
        raise InternalError("key epochs are of different consortia")
    newest = max((one.epoch for one in epochs if one.retired), default=0)
    if any(one.epoch < newest and one.retired is None for one in epochs):
        raise InternalError("an epoch before a retired one is open")
    if newest and state.uncovered(newest):
        raise InternalError("an epoch was retired that live entries rest on")
