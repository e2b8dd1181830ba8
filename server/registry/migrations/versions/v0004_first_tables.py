"""The first form of the database that is kept; 0001 to 0003 were never released."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.LargeBinary(16), nullable=False, unique=True),
        sa.Column("about", sa.LargeBinary(16), nullable=True, index=True),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("head", sa.LargeBinary(32), nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
        sa.Column("receipt", sa.LargeBinary(64), nullable=False),
    )
    _entries()
    _texts("standings", sa.String(64))
    _texts(
        "proposals",
        sa.LargeBinary(16),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("made", sa.Integer, nullable=False),
    )
    op.create_index("proposals_open", "proposals", ["closed", "made"])
    _texts("epochs", sa.BigInteger())
    _tokens()
    _published()


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("entry_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("contributor", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("waits", sa.Boolean, nullable=False),
        sa.Column("expires", sa.Integer, nullable=False),
        sa.Column("disputed", sa.Integer, nullable=True),
        sa.Column("disputed_by", sa.String(64), nullable=True),
        sa.Column("newest_epoch", sa.BigInteger, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
    )
    op.create_index("entries_of_contributor", "entries", ["contributor", "live", "status"])
    op.create_index("entries_live", "entries", ["live", "expires"])
    op.create_index("entries_waiting", "entries", ["waits"])
    op.create_index("entries_disputed", "entries", ["disputed_by", "contributor"])
    op.create_index("entries_by_status", "entries", ["status", "disputed"])


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("entry_id", sa.LargeBinary(16), primary_key=True),
        sa.Column("tag", sa.LargeBinary(32), primary_key=True),
        sa.Column("row_name", sa.LargeBinary(32), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.Boolean, nullable=False),
        sa.Column("expires", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    for what, column in (("tag", "tag"), ("row", "row_name"), ("expiry", "expires")):
        op.create_index(f"tokens_by_{what}", "tokens", [column])
    op.create_table("sealed_records", sa.Column("digest", sa.LargeBinary(32), primary_key=True))
    op.create_table(
        "touched",
        sa.Column("tag", sa.LargeBinary(32), primary_key=True),
        sa.Column("contributor", sa.String(64), primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False),
    )


def _published() -> None:
    op.create_table(
        "versions",
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "published",
        sa.Column("tag", sa.LargeBinary(32), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("flags", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "markers",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )


def _texts(name: str, key: sa.types.TypeEngine[Any], *more: sa.Column[Any]) -> None:
    op.create_table(
        name,
        sa.Column("name", key, primary_key=True, autoincrement=False),
        *more,
        sa.Column("text", sa.LargeBinary, nullable=False),
    )
