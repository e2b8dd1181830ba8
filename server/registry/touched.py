"""Tags whose rows may have changed since the last version, and by whom.

Invariants:
- Urgent are changes that speak for a subject. What is left of a tag after those are published waits
  for the batch: a row of its contributor's that members do not have yet.
- A tag whose published rows are not those of the state is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from sqlalchemy import Connection, delete, func, select, update

from server.registry import tables
from server.registry.listed import listed, published_under
from server.registry.sql_state import CHUNK, touch

MOST_TAGS = 20_000
"""In one version; more make several versions."""


def touch_expired(connection: Connection, last: int, now: int, day: date) -> None:
    """Tags of tokens whose last day came after the time `last`, both in seconds since 1970."""
    tokens = tables.tokens.c
    first = day.toordinal() - (now // 86_400 - last // 86_400)
    tags = connection.scalars(
        select(tokens.tag).where(tokens.expires > first, tokens.expires <= day.toordinal())
    ).all()
    touch(connection, tags, "", now, urgent=True)


def waiting(connection: Connection) -> tuple[int, int]:
    """How many contributors may have rows that wait for the batch, and since when the first does,
    in seconds since 1970 (0: nobody has).
    """
    table = tables.touched
    query = select(func.count(table.c.contributor.distinct()), func.min(table.c.since))
    contributors, oldest = connection.execute(query.where(table.c.urgent.is_(False))).one()
    return contributors, oldest or 0


def touched_tags(connection: Connection, *, urgent: bool | None = None) -> list[bytes]:
    """Tags to look at, at most `MOST_TAGS`; `urgent`: only those with such a change, or without."""
    table = tables.touched
    query = select(table.c.tag).distinct().order_by(table.c.tag)
    if urgent is not None:
        query = query.where(table.c.urgent.is_(urgent))
    return list(connection.scalars(query.limit(MOST_TAGS)))


def forget(connection: Connection, tags: Sequence[bytes]) -> None:
    """Their rows are published as they are."""
    for names in chunks(tags):
        connection.execute(delete(tables.touched).where(tables.touched.c.tag.in_(names)))


def leave_waiting(connection: Connection, tags: Sequence[bytes], now: int, day: date) -> None:
    """Urgent changes of these tags are published; keep who has a row that is not."""
    for names in chunks(tags):
        wait = _waiting_under(connection, names, day)
        _drop(connection, names, wait)
        table = tables.touched
        connection.execute(update(table).where(table.c.tag.in_(names)).values(urgent=False))
        for tag, contributor in wait:  # also what an expiry brought up, which is nobody's event
            touch(connection, [tag], contributor, now, urgent=False)


def drop_idle(connection: Connection, tags: Sequence[bytes], day: date) -> None:
    """Forget contributors that have nothing to publish under these tags; urgent changes stay."""
    for names in chunks(tags):
        _drop(connection, names, _waiting_under(connection, names, day), urgent=False)


def _waiting_under(
    connection: Connection, tags: Sequence[bytes], day: date
) -> set[tuple[bytes, str]]:
    there = {*published_under(connection, tags)}
    found = listed(connection, tags, day)
    return {(one.row.tag, one.contributor) for one in found if one.row not in there}


def _drop(
    connection: Connection,
    tags: Sequence[bytes],
    wait: Iterable[tuple[bytes, str]],
    urgent: bool | None = None,
) -> None:
    table = tables.touched
    query = select(table.c.tag, table.c.contributor).where(table.c.tag.in_(tags))
    if urgent is not None:
        query = query.where(table.c.urgent.is_(urgent))
    idle = {(one.tag, one.contributor) for one in connection.execute(query)} - {*wait}
    for tag, contributor in idle:
        here = (table.c.tag == tag) & (table.c.contributor == contributor)
        connection.execute(delete(table).where(here))


def chunks(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """As many as fit in one query."""
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]
