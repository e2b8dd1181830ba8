"""What is true of every state the rules can reach: an oracle beside them, asked at every start.

Invariants:
- It looks at a state only, never at the rules, so that a mistake in one is found by the other.
"""

from __future__ import annotations

from shared.blacklist.state import State
from shared.blacklist.terms import TERMS, Terms
from shared.blacklist.transitions import LIVE, Status
from shared.errors import InternalError


def check_legal(state: State, terms: Terms = TERMS) -> None:
    """InternalError if the state breaks a promise."""
    for entry in state.entries.values():
        contested = entry.status in (Status.DISPUTED, Status.SUSPENDED)
        answered = entry.status not in (Status.PENDING_REVIEW, Status.REMOVED, Status.EXPIRED)
        if answered and (entry.checker is None or entry.checker == entry.maker):
            raise InternalError("an entry answers without a checker of its own")
        if answered and entry.severity == 3 and entry.second in (None, entry.contributor):
            raise InternalError("an entry of severity 3 answers without a second institution")
        if entry.status in LIVE and contested != (entry.disputed is not None):
            raise InternalError("an entry's dispute and its status disagree")
        if list(entry.epochs) != sorted(set(entry.epochs)):
            raise InternalError("an entry's epochs are out of order")
    newest = max((one.epoch for one in state.epochs() if one.retired), default=0)
    if newest and state.uncovered(newest):
        raise InternalError("an epoch was retired that live entries rest on")
    for standing in state.standings.values():
        for one in standing.days:
            alone = [of.alone for of in standing.days if 0 <= one.day - of.day < terms.bulk_days]
            if sum(alone) > terms.bulk_entries:
                raise InternalError("one institution alone removed more than it may")
