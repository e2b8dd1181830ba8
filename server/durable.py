"""A service's one SQLite file: durable, its owner's only, and never served from when damaged.

Invariants:
- Readable by its owner only; SQLite's own side files get the same mode. A link is not followed.
- A transaction that was left without error is on the disk (`synchronous = FULL`); one that was not
  has left nothing. What is deleted is overwritten (`secure_delete`), and `clean` empties the log,
  or says that it could not and is done again.
- A file that is damaged, or of another form than this program's, is refused when it is opened.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.errors import OperatorError

_BUSY, _BUSY_CLEANING = 10_000, 100
"""Milliseconds that another program at the file is waited for."""
_log = logging.getLogger("lianfang.server")


class DurableFile:
    """The open file at `path`, made with `tables` if it is new; `form`: of these tables, from 1.
    `older`: by form of an older program, the tables that it lacks.

    OperatorError whenever the disk does not do its part.
    """

    _remedy = "free space or mend the disk; a damaged file is restored from a backup"

    def __init__(
        self, path: Path, tables: str, form: int, older: Mapping[int, str] = MappingProxyType({})
    ) -> None:
        self.path = path
        self._guard = threading.RLock()
        self._unclean = False
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_BUSY / 1000
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._set_up({0: tables, **older}, form)
        except sqlite3.Error as error:
            self._connection.close()
            raise self._unusable(error) from error

    def close(self) -> None:
        """Let the file go."""
        with self._guard:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done within is durable together when it is left, or nothing of it is."""
        with self._guard:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._unusable(error) from error
            if self._unclean:
                with suppress(OperatorError):  # what was done is durable
                    self.clean()

    def clean(self) -> bool:
        """Empty the write-ahead log, in which what was deleted may still stand. False: another
        program reads the file, as the log says; it is tried again after each transaction.
        """
        with self._guard:
            self._rows(f"PRAGMA busy_timeout = {_BUSY_CLEANING}")
            try:
                ((busy, *_),) = self._rows("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._rows(f"PRAGMA busy_timeout = {_BUSY}")
            if busy and not self._unclean:
                _log.warning(
                    "%s: another program reads it; what was deleted is on the disk until that ends",
                    self.path,
                )
            self._unclean = bool(busy)
            return not busy

    def _rows(self, query: str, ask: tuple[object, ...] = ()) -> list[Any]:
        with self._guard:
            try:
                return self._connection.execute(query, ask).fetchall()
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def _set_up(self, missing: Mapping[int, str], form: int) -> None:
        run = self._connection.execute
        if run("PRAGMA quick_check").fetchall() != [("ok",)]:
            raise sqlite3.DatabaseError("the file is damaged")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            run(f"PRAGMA {pragma}").fetchall()
        (found,) = run("PRAGMA user_version").fetchone()
        if found in missing:
            script = f"BEGIN IMMEDIATE;{missing[found]}PRAGMA user_version = {form};COMMIT;"
            self._connection.executescript(script)
        elif found != form:
            raise sqlite3.DatabaseError(f"it is of form {found}, this program's is {form}")

    def _unusable(self, error: Exception) -> OperatorError:
        return OperatorError(f"{self.path}: {error}; nothing was answered", remedy=self._remedy)
