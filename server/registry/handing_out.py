"""Handing out the list to members, in many short reads.

Invariants:
- Between two pages no transaction is open: a member that reads slowly, or not at all, keeps nothing
  that was erased in the database's files.
- What is handed out is of one version: a snapshot ends with an error once there is another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from server.registry import tables
from server.registry.database import Database
from server.registry.listed import published_after
from server.registry.publishing import latest
from shared.blacklist.checkpoint import Checkpoint
from shared.blacklist.rows import Changes, Row
from shared.errors import OperatorError
from shared.secure_sum.encoding import read_text

_NO_CHANGES = Changes().digest()


class OvertakenError(OperatorError):
    """A new version came while the list was read; what was read is of no use."""

    def __init__(self) -> None:
        super().__init__(
            "a new version of the list came while this one was read", remedy="take it anew"
        )


@dataclass(frozen=True)
class Version:
    """A version as it is handed out: its checkpoint's text and its packed changes; None: no longer
    kept.
    """

    checkpoint: bytes
    changes: list[bytes] | None


def snapshot(database: Database) -> Iterator[Checkpoint | Row]:
    """The last checkpoint, then its rows in order; nothing before the first version.

    OvertakenError when there is a later version before the last row was read.
    """
    with database.reading() as connection:
        checkpoint = latest(connection)
        rows = published_after(connection, b"")
    if checkpoint is None:
        return
    yield checkpoint
    while rows:
        yield from rows
        with database.reading() as connection:
            if latest(connection) != checkpoint:
                raise OvertakenError
            rows = published_after(connection, rows[-1].tag)


def versions_since(database: Database, version: int) -> Iterator[Version]:
    """Every version after this one, in order, and those that come meanwhile."""
    while True:
        with database.reading() as connection:
            found = _version_after(connection, version)
        if found is None:
            return
        version, handed = found
        yield handed


def _version_after(connection: Connection, version: int) -> tuple[int, Version] | None:
    versions, changes = tables.versions.c, tables.changes.c
    query = select(versions.version, versions.text).where(versions.version > version)
    row = connection.execute(query.order_by(versions.version).limit(1)).first()
    if row is None:
        return None
    of_it = select(changes.packed).where(changes.version == row.version)
    packed = list(connection.scalars(of_it.order_by(changes.place)))
    gone = not packed and read_text(Checkpoint, row.text).changes != _NO_CHANGES
    return row.version, Version(row.text, None if gone else packed)
