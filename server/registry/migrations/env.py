"""Runs the steps over the connection that `server.registry.database` passes in."""

from __future__ import annotations

from alembic import context

from server.registry.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
