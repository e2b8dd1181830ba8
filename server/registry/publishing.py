"""Making the next version of the published list.

Invariants:
- Filings wait for a batch: until the interval has passed *and* enough contributors are in it, or
  the longest wait is over. What speaks for a subject (dispute, removal, correction) goes at once.
- A version is the state's rows at its time, sorted by tag. Under a tag a contributor has one row,
  and no two rows are the same: of copies the first that was filed is published.
- Version, changes and rows come in one transaction.
- A second institution's word is shown with the tokens it was given for, by key epoch.
- Sealed records of an erased entry are in no version's changes. Its tags are where members read
  that they are dropped, for `kept_days`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from server.registry import tables
from server.registry.sql_state import CHUNK, SqlState, touch
from shared.blacklist.checkpoint import (
    BEGINNING,
    Checkpoint,
    bucket_digest,
    bucket_of,
    content_digest,
)
from shared.blacklist.rows import Changes, Flag, Row, changes_of
from shared.blacklist.state import EntryState
from shared.blacklist.transitions import ANSWERING, Status
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import read_text, text_of

MOST_TAGS = 20_000
"""In one version; more make several versions."""


@dataclass(frozen=True)
class Batches:
    """When filings are published. `seconds` between batches; a batch has `contributors` or more, or
    its oldest filing has waited `days`; a version with nothing new comes daily. Versions beyond
    `kept`, or older than `kept_days`, can be had as a snapshot only.
    """

    seconds: int = 86_400
    contributors: int = 3
    days: int = 7
    kept: int = 400
    kept_days: int = 30


_EPOCH_DAY = date(1970, 1, 1).toordinal()
AT_ONCE = Batches(seconds=0, contributors=1)
"""For the demo and tests: every publication takes what is there."""


@dataclass
class Buckets:
    """Digests of the published rows' groups, kept in memory: a version costs what it changes."""

    digests: dict[int, bytes]

    @classmethod
    def read(cls, connection: Connection) -> Buckets:
        """From all published rows."""
        groups = groupby(published_rows(connection), key=lambda row: bucket_of(row.tag))
        return cls({number: bucket_digest(rows) for number, rows in groups})

    def renew(self, connection: Connection, numbers: Iterable[int]) -> None:
        """Read these groups again."""
        for number in numbers:
            rows = list(published_rows(connection, number))
            self.digests.pop(number, None)
            if rows:
                self.digests[number] = bucket_digest(rows)


def latest(connection: Connection) -> Checkpoint | None:
    """The last checkpoint; None before the first version."""
    versions = tables.versions.c
    query = select(versions.text).order_by(versions.version.desc()).limit(1)
    text = connection.scalar(query)
    return None if text is None else read_text(Checkpoint, text)


def publish_due(
    connection: Connection, identity: Identity, buckets: Buckets, now: int, rule: Batches
) -> Checkpoint | None:
    """The newest of the versions made, None when there was no cause for one. `now`: seconds since
    1970.

    `buckets` are changed: after a failed transaction they must be read anew.
    """
    before = newest = latest(connection)
    if before is not None:
        now = max(now, before.at)  # a clock that was ahead: what is published keeps its day
    day = date.fromordinal(_EPOCH_DAY + now // 86_400)
    _let_go(connection, now - rule.kept_days * 86_400)
    if before is not None:
        _touch_expired(connection, before.at, now, day)
    due = _is_batch_due(connection, now, rule)
    while True:
        tags = _tags_to_look_at(connection, urgent_only=not due)
        made = _publish(connection, identity, buckets, newest, tags, (now, day, rule.kept))
        if made is None:
            return None if newest is before else newest
        newest = made


def _publish(
    connection: Connection,
    identity: Identity,
    buckets: Buckets,
    before: Checkpoint | None,
    tags: Sequence[bytes],
    when: tuple[int, date, int],
) -> Checkpoint | None:
    now, day, kept = when
    changes = _changes(connection, tags, day)
    stale = before is None or now >= before.at + 86_400
    opened = before is not None and before.epochs != _open_epochs(connection)  # to file under
    if not (changes.added or changes.dropped or stale or opened):
        _forget(connection, tags)
        return None
    _put_rows(connection, changes)
    buckets.renew(connection, {bucket_of(tag) for tag in (*changes.dropped, *_tags(changes))})
    checkpoint = _checkpoint(connection, identity, buckets, changes, before, now)
    _keep_version(connection, checkpoint, changes, kept)
    _forget(connection, tags)
    return checkpoint


def rows_of(connection: Connection, tags: Sequence[bytes], day: date) -> Iterator[Row]:
    """The rows these tags have by the state, whatever was published."""
    tokens, entries = tables.tokens, tables.entries
    retired = [one.epoch for one in SqlState(connection).epochs() if one.retired is not None]
    query = (
        select(tokens, entries.c.text.label("state"))
        .join(entries, entries.c.entry_id == tokens.c.entry_id)
        .where(tokens.c.tag.in_(tags), tokens.c.expires > day.toordinal())
        .where(entries.c.status.in_([one.value for one in ANSWERING]))
        .where(tokens.c.epoch.not_in(retired))
    )
    best: dict[tuple[bytes, str], tuple[Any, Row]] = {}
    for found, entry in _originals(connection.execute(query)):
        rank = (found.subject, entry.severity, entry.entry_id)
        row = Row(found.tag, found.sealed, found.epoch, _flags(entry, found.epoch))
        key = (found.tag, entry.contributor)
        if key not in best or best[key][0] < rank:
            best[key] = (rank, row)
    yield from (row for _, row in best.values())


def _originals(found: Iterable[Any]) -> Iterator[tuple[Any, EntryState]]:
    """Filed tokens with their entries; of those with one sealed record the first only."""
    first: dict[tuple[bytes, bytes], tuple[Any, EntryState]] = {}
    for one in found:
        entry = read_text(EntryState, one.state)
        kept = first.get((one.tag, one.sealed))
        if kept is None or entry.seq < kept[1].seq:
            first[one.tag, one.sealed] = (one, entry)
    yield from first.values()


def published_rows(connection: Connection, bucket: int | None = None) -> Iterator[Row]:
    """Rows that members have, in order; of one group, or all."""
    table = tables.published
    query = select(table).order_by(table.c.tag, table.c.sealed)
    if bucket is not None:
        first = (bucket << 4).to_bytes(2, "big").ljust(32, b"\0")
        last = (bucket << 4 | 15).to_bytes(2, "big").ljust(32, b"\xff")
        query = query.where(table.c.tag.between(first, last))
    with connection.execute(query, execution_options={"yield_per": 1000}) as streamed:
        for found in streamed:
            yield Row(found.tag, found.sealed, found.epoch, Flag(found.flags))


def _flags(entry: EntryState, epoch: int) -> Flag:
    flags = Flag(0)
    if entry.status is Status.DISPUTED:
        flags |= Flag.DISPUTED
    if epoch in entry.corroborated:  # another epoch's tokens may be another subject's
        flags |= Flag.CORROBORATED
    if entry.annotated:
        flags |= Flag.ANNOTATED
    return flags


def _touch_expired(connection: Connection, last: int, now: int, day: date) -> None:
    tokens = tables.tokens.c
    first = day.toordinal() - (now // 86_400 - last // 86_400)
    tags = connection.scalars(
        select(tokens.tag).where(tokens.expires > first, tokens.expires <= day.toordinal())
    ).all()
    touch(connection, tags, "", now, urgent=True)


def _is_batch_due(connection: Connection, now: int, rule: Batches) -> bool:
    table = tables.touched
    waiting = select(func.count(table.c.contributor.distinct()), func.min(table.c.since))
    contributors, oldest = connection.execute(waiting.where(table.c.urgent.is_(False))).one()
    if not contributors:
        return False
    if now >= oldest + rule.days * 86_400:
        return True
    return bool(contributors >= rule.contributors and now >= oldest + rule.seconds)


def _tags_to_look_at(connection: Connection, *, urgent_only: bool) -> list[bytes]:
    table = tables.touched
    query = select(table.c.tag).distinct().order_by(table.c.tag).limit(MOST_TAGS)
    if urgent_only:
        query = query.where(table.c.urgent.is_(True))
    return list(connection.scalars(query))


def _changes(connection: Connection, tags: Sequence[bytes], day: date) -> Changes:
    added: list[Row] = []
    dropped: list[bytes] = []
    for names in _chunks(tags):
        wanted = _by_tag(rows_of(connection, names, day))
        there = _by_tag(_published_under(connection, names))
        for tag in names:
            if wanted.get(tag) != there.get(tag):
                added += wanted.get(tag, [])
                dropped += [tag] if tag in there else []
    return changes_of(dropped, added)


def _published_under(connection: Connection, tags: Sequence[bytes]) -> Iterator[Row]:
    table = tables.published
    for found in connection.execute(select(table).where(table.c.tag.in_(tags))):
        yield Row(found.tag, found.sealed, found.epoch, Flag(found.flags))


def _put_rows(connection: Connection, changes: Changes) -> None:
    table = tables.published
    for names in _chunks(changes.dropped):
        connection.execute(delete(table).where(table.c.tag.in_(names)))
    values = []
    for tag, rows in _by_tag(changes.added).items():
        values += [
            {
                "tag": tag,
                "place": place,
                "epoch": row.epoch,
                "flags": int(row.flags),
                "sealed": row.sealed,
            }
            for place, row in enumerate(rows)
        ]
    if values:
        connection.execute(insert(table), values)


def _checkpoint(
    connection: Connection,
    identity: Identity,
    buckets: Buckets,
    changes: Changes,
    before: Checkpoint | None,
    now: int,
) -> Checkpoint:
    events = tables.events.c
    log = connection.scalar(select(events.head).order_by(events.seq.desc()).limit(1))
    return Checkpoint(
        registry=identity.member.code,
        certificate=identity.member.certificate,
        version=1 if before is None else before.version + 1,
        before=BEGINNING if before is None else before.head,
        changes=changes.digest(),
        content=content_digest(buckets.digests),
        rows=connection.scalar(select(func.count()).select_from(tables.published)) or 0,
        epochs=_open_epochs(connection),
        at=now if before is None else max(now, before.at),
        log=BEGINNING if log is None else log,
    ).signed(identity.private)


def _open_epochs(connection: Connection) -> tuple[int, ...]:
    return tuple(one.epoch for one in SqlState(connection).epochs() if one.retired is None)


def _keep_version(
    connection: Connection, checkpoint: Checkpoint, changes: Changes, kept: int
) -> None:
    values = {"version": checkpoint.version, "text": text_of(checkpoint)}
    connection.execute(insert(tables.versions).values(values))
    packed = [
        {"version": checkpoint.version, "place": place, "packed": one}
        for place, one in enumerate(changes.packed())
    ]
    if packed:
        connection.execute(insert(tables.changes), packed)
    old = tables.changes.c.version <= checkpoint.version - kept
    connection.execute(delete(tables.changes).where(old))


def _let_go(connection: Connection, before: int) -> None:
    """Changes of versions made before this time: what was dropped is named in them."""
    versions, changes = tables.versions.c, tables.changes.c
    oldest = select(versions.version, versions.text).join(
        tables.changes, changes.version == versions.version
    )
    while found := connection.execute(oldest.order_by(versions.version).limit(1)).first():
        if read_text(Checkpoint, found.text).at >= before:
            return
        connection.execute(delete(tables.changes).where(changes.version == found.version))


def unpublish(connection: Connection, tags: Sequence[bytes]) -> None:
    """Take all changes of versions that hold these tags out of the database; their checkpoints
    stay, and members take a snapshot instead.
    """
    changes = tables.changes.c
    tag = func.substr(changes.packed, 2, 32)
    for names in _chunks(tags):
        versions = connection.scalars(
            select(changes.version).distinct().where(tag.in_(names))
        ).all()
        connection.execute(delete(tables.changes).where(changes.version.in_(versions)))


def _forget(connection: Connection, tags: Sequence[bytes]) -> None:
    for names in _chunks(tags):
        connection.execute(delete(tables.touched).where(tables.touched.c.tag.in_(names)))


def _by_tag(rows: Iterable[Row]) -> dict[bytes, list[Row]]:
    found: dict[bytes, list[Row]] = {}
    for row in sorted(rows):
        found.setdefault(row.tag, []).append(row)
    return found


def _tags(changes: Changes) -> set[bytes]:
    return {row.tag for row in changes.added}


def _chunks(names: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(names), CHUNK):
        yield names[start : start + CHUNK]
