"""Digests of all sealed records: what is on the list when this step is made is noted."""

from __future__ import annotations

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and fill it."""
    op.create_table("sealed_records", sa.Column("digest", sa.LargeBinary(32), primary_key=True))
    bind = op.get_bind()
    sealed = bind.execute(sa.text("SELECT sealed FROM tokens")).scalars().all()
    values = [{"digest": one} for one in {sha256(one).digest() for one in sealed}]
    if values:
        table = sa.table("sealed_records", sa.column("digest", sa.LargeBinary(32)))
        bind.execute(table.insert(), values)
