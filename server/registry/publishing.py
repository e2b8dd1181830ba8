"""Making the next version of the published list.

Invariants:
- Filings wait for a batch: until the interval has passed *and* enough contributors have rows in it,
  or the longest wait is over. What speaks for a subject (dispute, removal, correction) goes at
  once, and takes no row along that waits under the same tag.
- A version is the state's rows at its time (`listed`), sorted by tag, but for those that wait.
- Version, changes and rows come in one transaction.
- Sealed records of an erased entry are in no version's changes. Its tags are where members read
  that they are dropped, for `kept_days`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from sqlalchemy import Connection, delete, func, insert, select

from server.registry import tables
from server.registry.listed import listed, published_rows, published_under
from server.registry.sql_state import SqlState
from server.registry.touched import (
    chunks,
    drop_idle,
    forget,
    leave_waiting,
    touch_expired,
    touched_tags,
    waiting,
)
from shared.blacklist.checkpoint import (
    BEGINNING,
    Checkpoint,
    bucket_digest,
    bucket_of,
    content_digest,
)
from shared.blacklist.rows import Changes, Row, changes_of
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import read_text, text_of


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
        touch_expired(connection, before.at, now, day)
    due = _is_batch_due(connection, now, day, rule)
    while True:
        tags = touched_tags(connection, urgent=None if due else True)
        turn = _Turn(tags, now, day, rule.kept, urgent_only=not due)
        made = _publish(connection, identity, buckets, newest, turn)
        newest = made or newest
        if made is None and (due or not (due := _is_batch_due(connection, now, day, rule))):
            return None if newest is before else newest


@dataclass(frozen=True)
class _Turn:
    """What one version is about. `urgent_only`: new rows wait."""

    tags: Sequence[bytes]
    now: int
    day: date
    kept: int
    urgent_only: bool


def _publish(
    connection: Connection,
    identity: Identity,
    buckets: Buckets,
    before: Checkpoint | None,
    turn: _Turn,
) -> Checkpoint | None:
    now = turn.now
    changes = _changes(connection, turn.tags, turn.day, urgent_only=turn.urgent_only)
    stale = before is None or now >= before.at + 86_400
    opened = before is not None and before.epochs != _open_epochs(connection)  # to file under
    if not (changes.added or changes.dropped or stale or opened):
        _done(connection, turn)
        return None
    _put_rows(connection, changes)
    buckets.renew(connection, {bucket_of(tag) for tag in (*changes.dropped, *_tags(changes))})
    checkpoint = _checkpoint(connection, identity, buckets, changes, before, now)
    _keep_version(connection, checkpoint, changes, turn.kept)
    _done(connection, turn)
    return checkpoint


def _done(connection: Connection, turn: _Turn) -> None:
    if turn.urgent_only:
        leave_waiting(connection, turn.tags, turn.now, turn.day)
    else:
        forget(connection, turn.tags)


def _is_batch_due(connection: Connection, now: int, day: date, rule: Batches) -> bool:
    if not _is_enough(*waiting(connection), now, rule):
        return False
    drop_idle(connection, touched_tags(connection, urgent=False), day)
    return _is_enough(*waiting(connection), now, rule)


def _is_enough(contributors: int, oldest: int, now: int, rule: Batches) -> bool:
    if not contributors:
        return False
    if now >= oldest + rule.days * 86_400:
        return True
    return contributors >= rule.contributors and now >= oldest + rule.seconds


def _changes(
    connection: Connection, tags: Sequence[bytes], day: date, *, urgent_only: bool
) -> Changes:
    added: list[Row] = []
    dropped: list[bytes] = []
    for names in chunks(tags):
        published = published_under(connection, names)
        found = listed(connection, names, day, published if urgent_only else None)
        wanted, there = _by_tag(one.row for one in found), _by_tag(published)
        for tag in names:
            if wanted.get(tag) != there.get(tag):
                added += wanted.get(tag, [])
                dropped += [tag] if tag in there else []
    return changes_of(dropped, added)


def _put_rows(connection: Connection, changes: Changes) -> None:
    table = tables.published
    for names in chunks(changes.dropped):
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
    for names in chunks(tags):
        versions = connection.scalars(
            select(changes.version).distinct().where(tag.in_(names))
        ).all()
        connection.execute(delete(tables.changes).where(changes.version.in_(versions)))


def _by_tag(rows: Iterable[Row]) -> dict[bytes, list[Row]]:
    found: dict[bytes, list[Row]] = {}
    for row in sorted(rows):
        found.setdefault(row.tag, []).append(row)
    return found


def _tags(changes: Changes) -> set[bytes]:
    return {row.tag for row in changes.added}
