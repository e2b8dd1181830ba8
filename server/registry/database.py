"""The registry's database: SQLite in its folder by default, PostgreSQL where a URL names one.

Invariants:
- A transaction that `writing` ends without an error is on the disk (SQLite: WAL, synchronous=FULL;
  PostgreSQL: synchronous_commit=on, and fsync must not be switched off).
- One process at a time has it. The tables have the newest form before anything is read.
- What is deleted is overwritten in SQLite's file, and `clean` empties its write-ahead log.
- After a failed write to the disk nothing more is written until a restart has verified everything:
  the same pages may be neither on the disk nor reported again (Rebello and others, ATC 2020).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from shared.errors import OperatorError

FILE = "registry.db"
_LOCK_NUMBER = 0x4C46_5245_4749_5354  # "LFREGIST"
_BUSY = 30_000
"""Milliseconds that a connection waits for another's transaction."""
_MIGRATIONS = Path(__file__).parent / "migrations"


class UnavailableError(OperatorError):
    """The database did not do its part; what was asked for has not happened, or is not certain."""


class DamagedError(OperatorError):
    """The database does not hold what the log's events give: it is not served."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the registry's database is damaged: {what}",
            remedy="keep this copy, restore the latest backup or fail over to a replica, "
            "then start again",
        )


class Database:
    """An open database; `url` as SQLAlchemy takes it."""

    def __init__(self, url: str) -> None:
        self.broken = False
        self._lock_file = -1
        self._holder: Connection | None = None
        try:
            self.engine = _engine(url)
        except (ArgumentError, ImportError) as error:
            raise OperatorError(
                "the database's URL is not one", remedy="sqlite:///… or postgresql+psycopg://…"
            ) from error
        try:
            self._take_alone(url)
            self._upgrade()
        except BaseException:
            self.close()
            raise

    @property
    def is_sqlite(self) -> bool:
        """Whether it is the embedded kind."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction; UnavailableError when it could not be made durable."""
        self._check_usable()
        try:
            with self.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            self.broken = self.broken or _is_disk_error(error)
            raise _unavailable(error) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A view of one moment."""
        self._check_usable()
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            self.broken = self.broken or _is_disk_error(error)
            raise _unavailable(error) from error

    def clean(self) -> bool:
        """Empty SQLite's write-ahead log, which holds pages as they were before an erasure; freed
        space in the file itself is overwritten as it is freed. False: somebody is reading, try
        again later. PostgreSQL does this by itself (`VACUUM`, recycling of its log).
        """
        if not self.is_sqlite:
            return True
        self._check_usable()
        try:
            with self.engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA busy_timeout=100").fetchall()
                try:
                    (busy, *_) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                finally:
                    driver.execute(f"PRAGMA busy_timeout={_BUSY}").fetchall()
        except (SQLAlchemyError, sqlite3.Error):
            return False  # the log is as good as before; a broken disk shows in the next write
        return not busy

    def close(self) -> None:
        """Let go of it."""
        if self._holder is not None:
            with suppress(SQLAlchemyError):
                self._holder.execute(text("SELECT pg_advisory_unlock_all()"))
            self._holder.close()
            self._holder = None
        self.engine.dispose()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def _check_usable(self) -> None:
        if self.broken:
            raise UnavailableError(
                "a write to the disk failed earlier", remedy="mend the disk, then start again"
            )

    def _take_alone(self, url: str) -> None:
        if self.is_sqlite:
            path = Path(self.engine.url.database or "")
            self._lock_file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise _in_use() from error
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
            return
        try:
            self._holder = self.engine.connect()
            holder = self._holder.execution_options(isolation_level="AUTOCOMMIT")
            if holder.scalar(text("SHOW fsync")) != "on":
                raise OperatorError(
                    "the database server runs with fsync off: it would lose what was acknowledged",
                    remedy="set fsync = on",
                )
            taken = self._try_lock(holder)
        except DBAPIError as error:
            raise _unavailable(error) from error
        if not taken:
            raise _in_use()

    def _try_lock(self, holder: Connection) -> bool:
        """A process that was killed a moment ago may still seem to be there."""
        query = text("SELECT pg_try_advisory_lock(:n)")
        for _ in range(20):
            if holder.scalar(query, {"n": _LOCK_NUMBER}):
                return True
            time.sleep(0.1)
        return False

    def _upgrade(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        try:
            with self.engine.connect() as connection:
                _check_known(connection, ScriptDirectory.from_config(config))
                connection.rollback()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
        except SQLAlchemyError as error:
            raise DamagedError("its tables cannot be brought to the newest form") from error


def _check_known(connection: Connection, steps: ScriptDirectory) -> None:
    """OperatorError when the tables have a form that no step here leads on from."""
    form = MigrationContext.configure(connection).get_current_revision()
    if form is not None and form not in {step.revision for step in steps.walk_revisions()}:
        raise OperatorError(
            f"the registry's database has form {form}, which this version cannot read",
            remedy="start the version that made it; a list made before 0.1.0 begins anew: a new "
            "database, and members file what they keep",
        )


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
        return engine
    engine = create_engine(
        url, isolation_level="REPEATABLE READ", pool_pre_ping=True, hide_parameters=True
    )
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, also for DDL
    for line in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_BUSY}",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {line}").fetchall()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _prepare_postgresql(connection: Any, _: ConnectionPoolEntry) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    connection.commit()


def _is_disk_error(error: SQLAlchemyError) -> bool:
    name = getattr(getattr(error, "orig", None), "sqlite_errorname", "") or ""
    return str(name).startswith(("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _unavailable(error: SQLAlchemyError) -> UnavailableError:
    cause = getattr(error, "orig", None) or error
    kind = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return UnavailableError(
        f"the database did not do its part ({kind or type(cause).__name__})",
        remedy="free space or mend the database; senders try again by themselves",
    )


def _in_use() -> OperatorError:
    return OperatorError(
        "another registry is using this database", remedy="stop it first; one process serves a list"
    )
