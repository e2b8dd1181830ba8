"""What waits for a second institution, as a member is shown it.

Invariants:
- Of an entry the tokens of its newest key epoch are shown, and who filed it is not.
- A proposal is shown as its maker signed it, for as long as consent would be taken.
- Nobody is shown what waits for another than itself: its own filings and proposals.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection, select

from server.registry import tables
from shared.blacklist.events import File, Refile, read_event
from shared.blacklist.state import EntryState
from shared.blacklist.waiting import WaitingEntry, WaitingProposal, waiting_entry
from shared.errors import InternalError
from shared.secure_sum.encoding import read_text


def waiting_entries(connection: Connection, peer: str) -> Iterator[WaitingEntry]:
    """Entries of others than `peer`."""
    entries = tables.entries.c
    query = select(entries.text).where(entries.waits, entries.contributor != peer)
    for text in connection.scalars(query.order_by(entries.entry_id)).all():
        yield _shown(connection, read_text(EntryState, text))


def waiting_proposals(
    connection: Connection, peer: str, day: date, consent_days: int
) -> Iterator[WaitingProposal]:
    """Proposals of others than `peer` that may still be consented to on this day."""
    proposals, events = tables.proposals.c, tables.events.c
    query = (
        select(events.text)
        .join(tables.proposals, proposals.name == events.event_id)
        .where(proposals.closed.is_(False), proposals.made >= day.toordinal() - consent_days)
    )
    for text in connection.scalars(query.order_by(events.seq)).all():
        proposal = WaitingProposal(text)
        if proposal.member != peer:
            yield proposal


def _shown(connection: Connection, entry: EntryState) -> WaitingEntry:
    events = tables.events.c
    query = select(events.text).where(events.about == entry.entry_id)
    text = connection.scalar(query.order_by(events.seq.desc()).limit(1))
    event = read_event(text or b"")
    if not isinstance(event, File | Refile):
        raise InternalError("an entry's place in the log holds another event")
    return waiting_entry(entry, event)
