"""The registry's tables.

    events       the log: append-only; everything else follows from it
    entries …    projections of the log: the state of entries, standings, proposals, key epochs
    tokens       tags and sealed records of live entries, with the rows' names
    sealed_records   SHA-256 of every sealed record ever filed
    touched      tags whose rows may have changed since the last version
    published    the rows members have; changes, versions: how they came there
    markers      small facts: which registry's database this is

Invariants:
- Projections change in the transaction that appends the event, never otherwise.
- Statements are kept as their canonical texts, so that comparing bytes compares statements.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", LargeBinary(16), nullable=False, unique=True),
    Column("about", LargeBinary(16), nullable=True, index=True),
    Column("received", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Column("text", LargeBinary, nullable=False),
    Column("receipt", LargeBinary(64), nullable=False),
)
"""`about`: the entry whose tokens the event holds; `receipt`: the receipt's signature."""

entries = Table(
    "entries",
    metadata,
    Column("entry_id", LargeBinary(16), primary_key=True),
    Column("contributor", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("live", Boolean, nullable=False),
    Column("waits", Boolean, nullable=False),
    Column("expires", Integer, nullable=False),
    Column("disputed", Integer, nullable=True),
    Column("disputed_by", String(64), nullable=True),
    Column("newest_epoch", BigInteger, nullable=False),
    Column("text", LargeBinary, nullable=False),
    Index("entries_of_contributor", "contributor", "live", "status"),
    Index("entries_live", "live", "expires"),
    Index("entries_waiting", "waits"),
    Index("entries_disputed", "disputed_by", "contributor"),
    Index("entries_by_status", "status", "disputed"),
)
"""`waits`: its newest tokens are without the word of a second institution (`waiting.waits`)."""

standings = Table(
    "standings",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("text", LargeBinary, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("name", LargeBinary(16), primary_key=True),
    Column("closed", Boolean, nullable=False),
    Column("made", Integer, nullable=False),
    Column("text", LargeBinary, nullable=False),
    Index("proposals_open", "closed", "made"),
)

epochs = Table(
    "epochs",
    metadata,
    Column("name", BigInteger, primary_key=True, autoincrement=False),
    Column("text", LargeBinary, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("entry_id", LargeBinary(16), primary_key=True),
    Column("tag", LargeBinary(32), primary_key=True),
    Column("row_name", LargeBinary(32), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("subject", Boolean, nullable=False),
    Column("expires", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("tokens_by_tag", "tag"),
    Index("tokens_by_row", "row_name"),
    Index("tokens_by_expiry", "expires"),
)

sealed_records = Table(
    "sealed_records", metadata, Column("digest", LargeBinary(32), primary_key=True)
)

touched = Table(
    "touched",
    metadata,
    Column("tag", LargeBinary(32), primary_key=True),
    Column("contributor", String(64), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("urgent", Boolean, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("text", LargeBinary, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
)

published = Table(
    "published",
    metadata,
    Column("tag", LargeBinary(32), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

markers = Table(
    "markers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
