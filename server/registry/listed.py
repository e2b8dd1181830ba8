"""The rows a list has: by its state, and as they are published.

Invariants:
- Under a tag a contributor has one row, and no two rows are the same: of copies the first that was
  filed is listed.
- A dispute is shown on whichever row its contributor has under the tag, also while the disputed
  entry is suspended: filing the subject again hides none. An annotation likewise.
- A second institution's word is shown with the tokens it was given for, by key epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Select, select

from server.registry import tables
from server.registry.sql_state import SHOWN, SqlState
from shared.blacklist.rows import Flag, Row
from shared.blacklist.state import EntryState
from shared.blacklist.transitions import ANSWERING, Status
from shared.secure_sum.encoding import read_text

_PAGE_ROWS = 1000


@dataclass(frozen=True)
class Listed:
    """A row and whose it is."""

    contributor: str
    row: Row


Filed = tuple[Any, EntryState]
"""A row of `tokens` and its entry."""


def listed(
    connection: Connection,
    tags: Sequence[bytes],
    day: date,
    published: Collection[Row] | None = None,
) -> list[Listed]:
    """The rows these tags have by the state, whatever was published.

    `published`, all rows published under these tags: no others are listed but those that come in
    the place of one of them, which they correct.
    """
    found = _filed(connection, tags, day)
    marks: dict[object, Flag] = {}
    for filed, entry in found:
        key = _marked_together(filed, entry)
        marks[key] = marks.get(key, Flag(0)) | _marks(entry)
    answering = list(_originals(one for one in found if one[1].status in ANSWERING))
    if published is not None:
        answering = _without_new(answering, published)
    best: dict[tuple[bytes, str], tuple[Any, Row]] = {}
    for filed, entry in answering:
        key = (filed.tag, entry.contributor)
        rank = (filed.subject, entry.severity, entry.entry_id)
        flags = marks[_marked_together(filed, entry)]
        flags |= _word(entry, filed.epoch)
        if key not in best or best[key][0] < rank:
            best[key] = (rank, Row(filed.tag, filed.sealed, filed.epoch, flags))
    return [Listed(contributor, row) for (_, contributor), (_, row) in best.items()]


def rows_of(connection: Connection, tags: Sequence[bytes], day: date) -> Iterator[Row]:
    """The rows alone."""
    yield from (one.row for one in listed(connection, tags, day))


def published_rows(connection: Connection, bucket: int | None = None) -> Iterator[Row]:
    """Rows that members have, in order; of one group, or all."""
    table = tables.published
    query = select(table).order_by(table.c.tag, table.c.sealed)
    if bucket is not None:
        first = (bucket << 4).to_bytes(2, "big").ljust(32, b"\0")
        last = (bucket << 4 | 15).to_bytes(2, "big").ljust(32, b"\xff")
        query = query.where(table.c.tag.between(first, last))
    yield from _rows(connection, query)


def published_after(connection: Connection, tag: bytes) -> list[Row]:
    """The next rows in order, a page of about a thousand: all rows of each of its tags."""
    table = tables.published
    later = table.c.tag > tag
    cut = select(table.c.tag).where(later).order_by(table.c.tag).offset(_PAGE_ROWS).limit(1)
    last = connection.scalar(cut)
    query = select(table).where(later).order_by(table.c.tag, table.c.sealed)
    return list(_rows(connection, query if last is None else query.where(table.c.tag <= last)))


def published_under(connection: Connection, tags: Sequence[bytes]) -> list[Row]:
    """Rows that members have under these tags."""
    table = tables.published
    return list(_rows(connection, select(table).where(table.c.tag.in_(tags))))


def _rows(connection: Connection, query: Select[Any]) -> Iterator[Row]:
    with connection.execute(query, execution_options={"yield_per": 1000}) as streamed:
        for found in streamed:
            yield Row(found.tag, found.sealed, found.epoch, Flag(found.flags))


def _filed(connection: Connection, tags: Sequence[bytes], day: date) -> list[Filed]:
    tokens, entries = tables.tokens, tables.entries
    retired = [one.epoch for one in SqlState(connection).epochs() if one.retired is not None]
    query = (
        select(tokens, entries.c.text.label("state"))
        .join(entries, entries.c.entry_id == tokens.c.entry_id)
        .where(tokens.c.tag.in_(tags), tokens.c.expires > day.toordinal())
        .where(entries.c.status.in_([one.value for one in SHOWN]))
        .where(tokens.c.epoch.not_in(retired))
    )
    return [(one, read_text(EntryState, one.state)) for one in connection.execute(query)]


def _word(entry: EntryState, epoch: int) -> Flag:
    """Of a second institution about this epoch's tokens: those of another may be another
    subject's.
    """
    return Flag.CORROBORATED if epoch in entry.corroborated else Flag(0)


def _originals(found: Iterable[Filed]) -> Iterator[Filed]:
    """Filed tokens with their entries; of those with one sealed record the first only."""
    first: dict[tuple[bytes, bytes], Filed] = {}
    for filed, entry in found:
        kept = first.get((filed.tag, filed.sealed))
        if kept is None or entry.seq < kept[1].seq:
            first[filed.tag, filed.sealed] = (filed, entry)
    yield from first.values()


def _without_new(found: Sequence[Filed], published: Collection[Row]) -> list[Filed]:
    there = {(row.tag, row.sealed) for row in published}
    left = there - {(filed.tag, filed.sealed) for filed, _ in found}
    leaving = {tag for tag, _ in left}
    return [
        (filed, entry)
        for filed, entry in found
        if (filed.tag, filed.sealed) in there
        or (entry.supersedes is not None and filed.tag in leaving)
    ]


def _marked_together(filed: Any, entry: EntryState) -> object:
    return filed.tag, entry.contributor


def _marks(entry: EntryState) -> Flag:
    flags = Flag(0)
    if entry.status in (Status.DISPUTED, Status.SUSPENDED):
        flags |= Flag.DISPUTED
    if entry.annotated:
        flags |= Flag.ANNOTATED
    return flags
