"""At every start: is the database what the log's events give?

Invariants:
- Every event, every head, every projection, every kept version and every published row is read and
  compared. What differs is never served and never mended.
- A log that ends before the last checkpoint's event was cut off, and is found so.

It keeps the whole state in memory while it compares: about 3 kB an entry.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from datetime import date
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Table, select, text

from server.registry import tables
from server.registry.database import DamagedError, Database, UnavailableError
from server.registry.listed import published_rows, rows_of
from server.registry.publishing import Buckets
from server.registry.sql_state import CHUNK, entry_columns, proposal_columns, token_rows
from shared.blacklist.checkpoint import Checkpoint, check_follows, content_digest, read_checkpoint
from shared.blacklist.events import Event, File, Refile, event_digest, is_stripped, read_event
from shared.blacklist.legality import check_legal
from shared.blacklist.lifecycle import Logged, step
from shared.blacklist.receipt import BEGINNING, log_head
from shared.blacklist.state import Changes, State
from shared.blacklist.terms import Terms
from shared.errors import LianfangError, OperatorError
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import text_of

_EPOCH_DAY = date(1970, 1, 1).toordinal()


def verify(database: Database, identity: Identity, authority: bytes, terms: Terms) -> Buckets:
    """The digests of the published rows' groups; DamagedError when anything differs.

    OperatorError when the database is another registry's.
    """
    try:
        with database.writing() as connection:
            return _verified(connection, database, identity.member.code, authority, terms)
    except UnavailableError as error:
        raise DamagedError(error.what) from error


def _verified(
    connection: Connection, database: Database, code: str, authority: bytes, terms: Terms
) -> Buckets:
    if database.is_sqlite:
        _check_pages(connection)
    _check_owner(connection, code, terms)
    try:
        before = _check_versions(connection, code, authority)
        state, expected = _replayed(connection, terms, before)
        check_legal(state, terms)
    except (DamagedError, OperatorError):
        raise
    except LianfangError as error:
        raise DamagedError(error.what) from error
    _check_projections(connection, state, expected)
    return _check_published(connection, before)


Tokens = dict[tuple[bytes, bytes], dict[str, Any]]


def _check_pages(connection: Connection) -> None:
    found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    if found != "ok":
        raise DamagedError("a page of the file is corrupt")


def _check_owner(connection: Connection, code: str, terms: Terms) -> None:
    """Whose list it is and by which terms its log was judged: with others it reads differently."""
    markers = tables.markers
    for name, value in (("registry", code.encode()), ("terms", text_of(terms))):
        kept = connection.scalar(select(markers.c.value).where(markers.c.name == name))
        if kept is None:
            connection.execute(markers.insert().values(name=name, value=value))
        elif kept != value:
            raise OperatorError(
                f"the database belongs to another list: its {name} differ",
                remedy="check the folder, the URL and the terms; terms are set for a list's life",
            )


def _check_versions(connection: Connection, code: str, authority: bytes) -> Checkpoint | None:
    before: Checkpoint | None = None
    versions = tables.versions.c
    for number, kept in connection.execute(
        select(versions.version, versions.text).order_by(versions.version)
    ):
        checkpoint = read_checkpoint(kept, code, authority)
        if before is not None:
            check_follows(before, checkpoint)
        elif checkpoint.before != BEGINNING:
            raise DamagedError("the first versions are missing")
        if number != checkpoint.version:
            raise DamagedError(f"version {number} lies in a wrong place")
        _check_changes(connection, checkpoint)
        before = checkpoint
    return before


def _check_changes(connection: Connection, checkpoint: Checkpoint) -> None:
    """All changes of a version are there, or none: old ones and those with erased tags go."""
    hashed = sha256(b"lianfang/changes/v1\0")
    changes = tables.changes.c
    query = select(changes.packed).where(changes.version == checkpoint.version)
    kept = False
    for packed in connection.scalars(query.order_by(changes.place)):
        hashed.update(packed)
        kept = True
    if kept and hashed.digest() != checkpoint.changes:
        raise DamagedError(f"the changes of version {checkpoint.version} are not those signed")


def _replayed(
    connection: Connection, terms: Terms, last: Checkpoint | None
) -> tuple[State, Tokens]:
    state, tokens = State(), Tokens()
    head, received = BEGINNING, 0
    published = BEGINNING if last is None else last.log
    seen = published == BEGINNING
    with closing(_events(connection)) as rows:
        for row in rows:
            event = read_event(row.text)
            digest = event_digest(event)
            head = log_head(head, state.seq + 1, row.received, digest)
            same = (row.seq, row.event_id, row.digest, row.head, row.received >= received)
            if same != (state.seq + 1, event.event_id, digest, head, True):
                raise DamagedError(f"event {row.seq} of the log is not what was written")
            logged, received = Logged(row.seq, row.received, event), row.received
            changes = step(state, logged, terms)
            state.take(changes)
            tokens.update(_filed_tokens(event, changes))
            seen = seen or head == published
    if not seen:
        raise DamagedError("the end of the log is missing")
    return state, tokens


def _filed_tokens(event: Event, changes: Changes) -> Tokens:
    """What a filing puts into `tokens`; a stripped one what no row fits: of a live entry that is
    damage.
    """
    if not isinstance(event, File | Refile):
        return {}
    name = event.entry.entry_id if isinstance(event, File) else event.entry_id
    if is_stripped(event):
        return {(name, b""): {}}
    return {(name, bytes(row["tag"])): row for row in token_rows(event, changes.entries[name])}


def _events(connection: Connection) -> Generator[Any, None, None]:
    query = select(tables.events).order_by(tables.events.c.seq)
    with connection.execute(query, execution_options={"yield_per": 500}) as streamed:
        yield from streamed


def _check_projections(connection: Connection, state: State, tokens: Tokens) -> None:
    wanted: dict[Table, dict[object, dict[str, Any]]] = {
        tables.entries: {name: entry_columns(one) for name, one in state.entries.items()},
        tables.proposals: {name: proposal_columns(one) for name, one in state.proposals.items()},
        tables.standings: _named(state.standings),
        tables.epochs: _named(state.epochs_by_number),
    }
    for table, rows in wanted.items():
        key = next(iter(table.primary_key.columns)).name
        there = {row[key]: dict(row) for row in connection.execute(select(table)).mappings()}
        if there != rows:
            raise DamagedError(f"the table '{table.name}' is not what the log gives")
    _check_tokens(connection, state, tokens)


def _named(statements: Mapping[Any, object]) -> dict[object, dict[str, Any]]:
    return {name: {"name": name, "text": text_of(one)} for name, one in statements.items()}


def _check_tokens(connection: Connection, state: State, tokens: Tokens) -> None:
    live = {key: values for key, values in tokens.items() if state.entries[key[0]].is_live}
    count = 0
    for row in connection.execute(select(tables.tokens)):
        if live.get((row.entry_id, row.tag)) != dict(row._mapping):
            raise DamagedError("the table 'tokens' is not what the log gives")
        count += 1
    if count != len(live):
        raise DamagedError("tokens of live entries are missing")


def _check_published(connection: Connection, last: Checkpoint | None) -> Buckets:
    buckets = Buckets.read(connection)
    if last is None:
        if buckets.digests:
            raise DamagedError("rows are published without a version")
        return buckets
    if content_digest(buckets.digests) != last.content:
        raise DamagedError(f"the published rows are not those of version {last.version}")
    _check_rows(connection, date.fromordinal(_EPOCH_DAY + last.at // 86_400))
    return buckets


def _check_rows(connection: Connection, day: date) -> None:
    """Published rows are what the state gives, but for tags touched since."""
    touched = set(connection.scalars(select(tables.touched.c.tag)))
    tags = set(connection.scalars(select(tables.tokens.c.tag)))
    there: dict[bytes, set[object]] = {}
    for row in published_rows(connection):
        there.setdefault(row.tag, set()).add(row)
        tags.add(row.tag)
    names = sorted(tags - touched)
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        wanted: dict[bytes, set[object]] = {}
        for row in rows_of(connection, chunk, day):
            wanted.setdefault(row.tag, set()).add(row)
        if any(wanted.get(tag) != there.get(tag) for tag in chunk):
            raise DamagedError("published rows are not what the log gives")
