"""What waits: a lender's own entries for somebody, other lenders' entries and proposals for it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from client.commands.words import counted

if TYPE_CHECKING:
    from shared.blacklist.events import Event
    from shared.blacklist.state import EntryState
    from shared.blacklist.waiting import WaitingEntry, WaitingProposal


def waits_for(entry: EntryState, newest: int) -> str:
    """What an own entry waits for; empty: nothing. `newest`: the last key epoch that answers."""
    from shared.blacklist.terms import TERMS
    from shared.blacklist.transitions import Status

    found = []
    if entry.status is Status.PENDING_REVIEW and entry.checker is None:
        found.append("this lender's checker (list approve)")
    found += _second(entry)
    if entry.disputed is not None:
        last = entry.disputed + timedelta(days=TERMS.dispute_days)
        found.append(f"the outcome of a dispute by {last} (list resolve)")
    if entry.newest_epoch < newest:
        found.append(f"tokens of key epoch {newest} (list refile)")
    return " and ".join(found)


def _second(entry: EntryState) -> list[str]:
    from shared.blacklist.waiting import waits

    if not waits(entry):
        return []
    if entry.second is None:
        return ["a second institution"]
    return [f"the second institution's word for its tokens of key epoch {entry.newest_epoch}"]


def second_needed(entry: EntryState) -> bool:
    """Whether its own checker approved it and it still does not answer."""
    from shared.blacklist.transitions import Status

    pending = entry.status is Status.PENDING_REVIEW
    return pending and entry.checker is not None and entry.second is None


def waiting_row(one: WaitingEntry | WaitingProposal) -> dict[str, Any]:
    """What another lender's entry or proposal is, for scripts; not known: null."""
    from shared.blacklist.waiting import WaitingEntry

    name = one.name.hex()
    if isinstance(one, WaitingEntry):
        about = {"reason": one.reason_code, "severity": one.severity, "epoch": one.epoch}
        return {"kind": "entry", "name": name, "member": None, **about, "entries": None}
    proposal = one.proposal
    about = {"reason": None, "severity": None, "epoch": getattr(proposal, "epoch", None)}
    entries = len(getattr(proposal, "entries", ())) or None
    return {"kind": _kind(proposal), "name": name, "member": one.member, **about} | {
        "entries": entries
    }


def _kind(proposal: Event) -> str:
    """As the command that makes such a proposal."""
    from shared.blacklist.events import OpenEpoch, RetireEpoch

    if isinstance(proposal, OpenEpoch):
        return "open-epoch"
    return "retire-epoch" if isinstance(proposal, RetireEpoch) else "withdraw"


def waiting_line(row: dict[str, Any]) -> str:
    """The same for a person: what it is, of whom, and the command that answers it."""
    if row["kind"] == "entry":
        from shared.blacklist.reasons import REASONS, ReasonCode

        meaning = REASONS[ReasonCode(row["reason"])].meaning
        about = f"entry, severity {row['severity']}, {row['reason']} ({meaning}), "
        return f"{row['name']}  {about}key epoch {row['epoch']}  (list approve)"
    about = {
        "open-epoch": f"key epoch {row['epoch']} shall answer",
        "retire-epoch": f"key epoch {row['epoch']} shall answer no more",
        "withdraw": f"{counted(row['entries'] or 0, 'entry', 'entries')} shall be withdrawn",
    }[row["kind"]]
    return f"{row['name']}  {about}, proposed by {row['member']}  (list consent)"
