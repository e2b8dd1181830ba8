"""The rules of the list: one event and the state before it give the changes, or a refusal.

    filing_rules    File · Approve · Refile       removal_rules   Withdraw · Expire
    dispute_rules   Dispute · Resolve · Suspend   epoch_rules     OpenEpoch · RetireEpoch

Invariants:
- State is a fold over events: `fold(a + b) == fold(b, onto=fold(a))`, and a refused event changes
  nothing. Days are those on which the registry received events; members' clocks decide nothing.
- Maker ≠ checker. Severity 3, bulk removal (`removals`), opening and retiring a key epoch take two
  institutions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from shared.blacklist import (
    dispute_rules,
    epoch_rules,
    events,
    filing_rules,
    removal_rules,
)
from shared.blacklist.dispute_rules import is_overdue
from shared.blacklist.state import Changes, Proposal, State, View
from shared.blacklist.terms import TERMS, Terms
from shared.blacklist.turn import Logged, RefusedError, Turn
from shared.errors import InternalError

__all__ = ["Logged", "RefusedError", "fold", "is_overdue", "step"]


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
    turn = Turn(view, logged, terms)
    event = logged.event
    match event:
        case events.File():
            filing_rules.file(turn, event)
        case events.Approve():
            filing_rules.approve(turn, event)
        case events.Refile():
            filing_rules.refile(turn, event)
        case events.Dispute():
            dispute_rules.dispute(turn, event)
        case events.Resolve():
            dispute_rules.resolve(turn, event)
        case events.Suspend():
            dispute_rules.suspend(turn, event)
        case events.Withdraw():
            removal_rules.withdraw(turn, event)
        case events.Expire():
            removal_rules.expire(turn, event)
        case events.OpenEpoch() | events.RetireEpoch():
            epoch_rules.propose_epoch(turn, event)
        case events.Consent():
            _consent(turn, event)
        case _:
            raise InternalError(f"no rule for {type(event).__name__}")
    return turn.changes


def _consent(turn: Turn, event: events.Consent) -> None:
    proposal = turn.view.proposal(event.proposal)
    if proposal is None or proposal.closed:
        raise RefusedError("proposal", "there is no such open proposal")
    if proposal.digest != event.digest:
        raise RefusedError("digest", "what was consented to is not what was proposed")
    if proposal.member == event.member:
        raise RefusedError("second_institution", "another institution must consent")
    if turn.day > proposal.made + timedelta(days=turn.terms.consent_days):
        raise RefusedError("too_late", "the proposal is too old", remedy="propose it anew")
    _carry_out(turn, proposal)
    turn.changes.proposals[proposal.event_id] = replace(proposal, closed=True)


def _carry_out(turn: Turn, proposal: Proposal) -> None:
    if proposal.kind == events.OpenEpoch.__name__:
        epoch_rules.open_epoch(turn, proposal)
    elif proposal.kind == events.RetireEpoch.__name__:
        epoch_rules.retire_epoch(turn, proposal)
    else:
        live = [name for name in proposal.entries if turn.entry(name).is_live]
        removal_rules.remove(turn, live, proposal.member)
