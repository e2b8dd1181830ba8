"""What waits for a second institution, as a member is shown it.

Invariants:
- Of an entry the tokens of its newest key epoch are shown, and who filed it is not.
- A proposal is shown as its maker signed it, for as long as consent would be taken.
- Nobody is shown what waits for another than itself: its own filings and proposals.
- It is read page by page, and nothing stays open between: who reads slowly holds nothing up, and
  no more than a page is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection, select

from server.registry import tables
from server.registry.database import Database
from shared.blacklist.events import File, Refile, read_event
from shared.blacklist.state import EntryState
from shared.blacklist.waiting import WaitingEntry, WaitingProposal, waiting_entry
from shared.errors import InternalError
from shared.secure_sum.encoding import read_text

_PAGE_ENTRIES = 50


def waiting_entries(database: Database, peer: str) -> Iterator[WaitingEntry]:
    """Entries of others than `peer`, by name."""
    last: bytes | None = b""
    while last is not None:
        with database.reading() as connection:
            found, last = _entries_after(connection, peer, last)
        yield from found


def waiting_proposals(
    database: Database, peer: str, day: date, consent_days: int
) -> Iterator[WaitingProposal]:
    """Proposals of others than `peer` that may still be consented to on this day."""
    proposals, events = tables.proposals.c, tables.events.c
    query = (
        select(events.seq)
        .join(tables.proposals, proposals.name == events.event_id)
        .where(proposals.closed.is_(False), proposals.made >= day.toordinal() - consent_days)
    )
    with database.reading() as connection:
        places = connection.scalars(query.order_by(events.seq)).all()
    for place in places:
        with database.reading() as connection:
            text = connection.scalar(select(events.text).where(events.seq == place))
        proposal = WaitingProposal(text or b"")
        if proposal.member != peer:
            yield proposal


def _entries_after(
    connection: Connection, peer: str, name: bytes
) -> tuple[list[WaitingEntry], bytes | None]:
    """A page, and the name it goes up to; None: there are no more."""
    entries = tables.entries.c
    query = select(entries.text).where(entries.waits, entries.contributor != peer)
    query = query.where(entries.entry_id > name).order_by(entries.entry_id).limit(_PAGE_ENTRIES)
    states = [read_text(EntryState, text) for text in connection.scalars(query).all()]
    last = states[-1].entry_id if len(states) == _PAGE_ENTRIES else None
    return [_shown(connection, one) for one in states], last


def _shown(connection: Connection, entry: EntryState) -> WaitingEntry:
    events = tables.events.c
    query = select(events.text).where(events.about == entry.entry_id)
    text = connection.scalar(query.order_by(events.seq.desc()).limit(1))
    event = read_event(text or b"")
    if not isinstance(event, File | Refile):
        raise InternalError("an entry's place in the log holds another event")
    return waiting_entry(entry, event)
