"""The list's state in the database: what the rules ask of it, and their changes put into it.

Invariants:
- It answers exactly as the state in memory does (`shared.blacklist.state.State`).
- Tokens lie here only as long as their entry is live.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from server.registry import tables
from shared.blacklist.entry import SubjectRole
from shared.blacklist.events import Event, File, Refile, read_event, stripped
from shared.blacklist.lifecycle import Logged
from shared.blacklist.row_names import row_names
from shared.blacklist.standing import Standing
from shared.blacklist.state import Changes, EntryState, Epoch, Proposal
from shared.blacklist.transitions import ANSWERING, Status
from shared.blacklist.waiting import waits
from shared.secure_sum.encoding import read_text, text_of

T = TypeVar("T")
_URGENT = frozenset({"Dispute", "Resolve", "Withdraw", "Suspend", "Expire", "Consent", "Approve"})
SHOWN = ANSWERING | {Status.SUSPENDED}
"""Statuses that decide about rows; an entry that waits for approval does not."""
CHUNK = 500
"""Names in one query."""


class SqlState:
    """The `View` of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._epochs: tuple[Epoch, ...] | None = None

    def entry(self, entry_id: bytes) -> EntryState | None:
        """As `View.entry`."""
        found = tables.entries.c.entry_id == entry_id
        text = self._connection.scalar(select(tables.entries.c.text).where(found))
        return None if text is None else read_text(EntryState, text)

    def standing(self, code: str) -> Standing:
        """As `View.standing`."""
        return self._named(tables.standings, code, Standing) or Standing(code)

    def proposal(self, event_id: bytes) -> Proposal | None:
        """As `View.proposal`."""
        return self._named(tables.proposals, event_id, Proposal)

    def epochs(self) -> tuple[Epoch, ...]:
        """As `View.epochs`."""
        if self._epochs is None:
            query = select(tables.epochs.c.text).order_by(tables.epochs.c.name)
            self._epochs = tuple(read_text(Epoch, text) for text in self._connection.scalars(query))
        return self._epochs

    def uncovered(self, epoch: int) -> int:
        """As `View.uncovered`."""
        entries = tables.entries.c
        shown = entries.status.in_([one.value for one in SHOWN])
        query = select(func.count()).where(entries.live, shown, entries.newest_epoch <= epoch)
        return self._connection.scalar(query) or 0

    def pending(self, contributor: str) -> int:
        """As `View.pending`."""
        entries = tables.entries.c
        waits = (entries.contributor == contributor) & entries.live
        query = select(func.count()).where(waits, entries.status == Status.PENDING_REVIEW.value)
        return self._connection.scalar(query) or 0

    def tags(self, entry_id: bytes) -> frozenset[bytes]:
        """As `View.tags`."""
        tokens = tables.tokens.c
        found = select(tokens.tag).where(tokens.entry_id == entry_id)
        return frozenset(self._connection.scalars(found))

    def filed(self, row: bytes) -> EntryState | None:
        """As `View.filed`."""
        tokens = tables.tokens.c
        here = select(tokens.entry_id).where(tokens.row_name == row).limit(1)
        name = self._connection.scalar(here)
        return None if name is None else self.entry(name)

    def open_disputes(self, member: str, contributor: str) -> int:
        """As `View.open_disputes`."""
        entries = tables.entries.c
        between = (entries.disputed_by == member) & (entries.contributor == contributor)
        query = select(func.count()).where(between, entries.status == Status.DISPUTED.value)
        return self._connection.scalar(query) or 0

    def take(self, logged: Logged, changes: Changes) -> None:
        """Put an event's changes into the projections, tokens and touched tags included."""
        shown = {one for one in changes.entries if self._is_shown(one)}
        for entry in changes.entries.values():
            self._replace(
                tables.entries, tables.entries.c.entry_id, entry.entry_id, entry_columns(entry)
            )
        for code, standing in changes.standings.items():
            self._put(tables.standings, code, standing)
        for name, proposal in changes.proposals.items():
            columns = proposal_columns(proposal)
            self._replace(tables.proposals, tables.proposals.c.name, name, columns)
        for number, epoch in changes.epochs.items():
            self._put(tables.epochs, number, epoch)
            self._epochs = None
            if epoch.retired is not None:
                self._touch_epoch(number, logged.received)
        self._take_tokens(logged.event, changes)
        urgent = type(logged.event).__name__ in _URGENT
        for entry in changes.entries.values():
            if entry.entry_id in shown or entry.status in SHOWN:
                self._touch(entry, logged.received, urgent=urgent and entry.entry_id in shown)
            if not entry.is_live:
                tokens = tables.tokens
                self._connection.execute(delete(tokens).where(tokens.c.entry_id == entry.entry_id))

    def _is_shown(self, name: bytes) -> bool:
        entry = self.entry(name)
        return entry is not None and entry.status in SHOWN

    def _named(self, table: Table, name: object, kind: type[T]) -> T | None:
        text = self._connection.scalar(select(table.c.text).where(table.c.name == name))
        return None if text is None else read_text(kind, text)

    def _put(self, table: Table, name: object, statement: object) -> None:
        self._replace(table, table.c.name, name, {"name": name, "text": text_of(statement)})

    def _replace(self, table: Table, column: Any, name: object, values: dict[str, Any]) -> None:
        found = self._connection.execute(update(table).where(column == name).values(values))
        if found.rowcount == 0:
            self._connection.execute(insert(table).values(values))

    def _take_tokens(self, event: Event, changes: Changes) -> None:
        if isinstance(event, File | Refile):
            entry_id = event.entry.entry_id if isinstance(event, File) else event.entry_id
            rows = list(token_rows(event, changes.entries[entry_id]))
            self._connection.execute(insert(tables.tokens), rows)

    def _touch(self, entry: EntryState, received: int, *, urgent: bool) -> None:
        tokens = tables.tokens.c
        tags = self._connection.scalars(
            select(tokens.tag).where(tokens.entry_id == entry.entry_id)
        ).all()
        touch(self._connection, tags, entry.contributor, received, urgent=urgent)

    def _touch_epoch(self, epoch: int, received: int) -> None:
        published = tables.published.c
        tags = self._connection.scalars(
            select(published.tag).distinct().where(published.epoch == epoch)
        ).all()
        touch(self._connection, tags, "", received, urgent=True)


def touch(
    connection: Connection, tags: Iterable[bytes], contributor: str, since: int, *, urgent: bool
) -> None:
    """Note that the rows of these tags may have changed."""
    table = tables.touched
    for tag in tags:
        here = (table.c.tag == tag) & (table.c.contributor == contributor)
        kept = connection.execute(select(table.c.since, table.c.urgent).where(here)).first()
        if kept is None:
            values = {"tag": tag, "contributor": contributor, "since": since, "urgent": urgent}
            connection.execute(insert(table).values(values))
        elif urgent and not kept.urgent:
            connection.execute(update(table).where(here).values(urgent=True))


def token_rows(event: File | Refile, entry: EntryState) -> Iterator[dict[str, Any]]:
    """Rows of `tokens` that a filing gives."""
    expiry = {(part.id_kind, part.role): part.expires for part in entry.parts}
    for token, sealed, name in zip(event.tokens, event.sealed, row_names(event), strict=True):
        yield {
            "entry_id": entry.entry_id,
            "tag": token.token,
            "row_name": name,
            "epoch": token.key_epoch,
            "subject": token.role is SubjectRole.SUBJECT,
            "expires": expiry[token.id_kind, token.role].toordinal(),
            "sealed": sealed,
        }


def erase(connection: Connection, entry_id: bytes) -> list[bytes]:
    """Take tokens and sealed records of an entry out of the log; its digests stay as they are. The
    tags that were there, 32 bytes each.
    """
    events, tags = tables.events, []
    kept = connection.execute(
        select(events.c.seq, events.c.text).where(events.c.about == entry_id)
    ).all()
    for seq, text in kept:
        event = read_event(text)
        if isinstance(event, File | Refile):
            tags += [token.token for token in event.tokens]
        bare = text_of(stripped(event))
        connection.execute(update(events).where(events.c.seq == seq).values(text=bare, about=None))
    return tags


def entry_columns(entry: EntryState) -> dict[str, Any]:
    """Its row of `entries`."""
    return {
        "entry_id": entry.entry_id,
        "contributor": entry.contributor,
        "status": entry.status.value,
        "live": entry.is_live,
        "waits": waits(entry),
        "expires": entry.expires.toordinal(),
        "disputed": None if entry.disputed is None else entry.disputed.toordinal(),
        "disputed_by": entry.disputed_by,
        "newest_epoch": entry.newest_epoch,
        "text": text_of(entry),
    }


def proposal_columns(proposal: Proposal) -> dict[str, Any]:
    """Its row of `proposals`."""
    return {
        "name": proposal.event_id,
        "closed": proposal.closed,
        "made": proposal.made.toordinal(),
        "text": text_of(proposal),
    }
