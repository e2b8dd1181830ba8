"""PostgreSQL must keep what was acknowledged: how it is set is looked at, or set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text

from server.registry.database import Database
from shared.errors import OperatorError


@pytest.fixture
def database_url(request: pytest.FixtureRequest, postgresql: Any) -> Iterator[str]:
    """An empty database."""
    own = postgresql.render_as_string(hide_password=False)
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("CREATE DATABASE durable")
        url = make_url(own).set(drivername="postgresql+psycopg", database="durable")
        yield str(url.render_as_string(hide_password=False))
        connection.execute("DROP DATABASE durable WITH (FORCE)")


@contextmanager
def fsync_off(postgresql: Any) -> Iterator[None]:
    """The server does not wait for its disk."""
    own = postgresql.render_as_string(hide_password=False)
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        _reload(own, "off")
        try:
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET fsync")
            _reload(own, "on")


def _reload(url: str, wanted: str) -> None:
    """Until new connections see it: the server reads its files when it comes to it."""
    for _ in range(500):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
            (found,) = connection.execute("SHOW fsync").fetchone() or ("",)
            if found == wanted:
                return
            connection.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("the server did not read its settings")


def test_a_server_with_fsync_off_is_refused(postgresql: Any, database_url: str) -> None:
    """And told what to set; with fsync on the same database opens (control)."""
    with fsync_off(postgresql), pytest.raises(OperatorError, match="fsync off") as refused:
        Database(database_url)
    assert "fsync = on" in refused.value.remedy
    Database(database_url).close()


def test_commits_are_waited_for_whatever_the_database_says(
    postgresql: Any, database_url: str
) -> None:
    """Each connection asks for it by itself; others do as the database is set (control)."""
    own = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(own.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("ALTER DATABASE durable SET synchronous_commit = off")
    with psycopg.connect(own.render_as_string(hide_password=False)) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
    database = Database(database_url)
    with database.writing() as writing:
        assert writing.scalar(text("SHOW synchronous_commit")) == "on"
    database.close()
