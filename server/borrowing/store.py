"""The borrowing desk's one file, `borrowing.db`, and beside it the table that is handed out.

    members   who contributed, and the secret its own rows are named by
    events    what each member told, under subject tokens
    pages     what was answered with a receipt, in order: a chain, as the list's log
    heads     the signed heads of all versions; `table-<version>.bin` holds the last one's rows

Invariants:
- A transaction that was left without error is on the disk (`synchronous = FULL`); one that was not
  has left nothing. What is deleted is overwritten (`secure_delete`), and `clean` empties the log.
- Each event is kept with the member that told it, and once, however often it was told.
- Readable by its owner only. It holds tokens and numbers: no identifier, no amount.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.files import write_durably
from shared.errors import OperatorError

FILE = "borrowing.db"
_FORM = 1
_TABLES = """
CREATE TABLE members (
    number INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, own BLOB NOT NULL
) STRICT;
CREATE TABLE events (
    subject BLOB NOT NULL, member INTEGER NOT NULL, reference BLOB NOT NULL, kind INTEGER NOT NULL,
    day INTEGER NOT NULL, id_kind INTEGER NOT NULL, bits INTEGER NOT NULL, band INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (subject, member, reference, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE pages (
    page BLOB PRIMARY KEY, member INTEGER NOT NULL, digest BLOB NOT NULL, seq INTEGER NOT NULL,
    received INTEGER NOT NULL, head BLOB NOT NULL, receipt BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX pages_by_place ON pages (seq);
CREATE TABLE heads (version INTEGER PRIMARY KEY, text BLOB NOT NULL) STRICT;
"""

EVENT = np.dtype(
    [
        ("subject", "u1", (32,)),
        ("member", "i8"),
        ("reference", "u1", (16,)),
        *((name, "i8") for name in ("kind", "day", "id_kind", "bits", "band", "epoch")),
    ]
)
"""An event as it lies in the file."""


class Store:
    """The open file in `folder`. OperatorError whenever the disk does not do its part."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._guard = threading.RLock()
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=10
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._set_up()
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

    def clean(self) -> None:
        """Empty the write-ahead log, in which what was deleted may still stand."""
        with self._guard:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def keep_table(self, version: int, rows: bytes) -> None:
        """Write a version's rows, durably; others are removed once its head is kept."""
        try:
            path = self._table(version)
            path.unlink(missing_ok=True)
            write_durably(path, rows)
        except OSError as error:
            raise self._unusable(error) from error

    def table(self, version: int) -> NDArray[np.uint8] | None:
        """The rows of a version as bytes, mapped; None: they are not here any more."""
        try:
            path = self._table(version)
            size = path.stat().st_size
            return np.memmap(path, np.uint8, mode="r") if size else np.zeros(0, np.uint8)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error

    def drop_tables(self, but: int) -> None:
        """Remove the rows of all versions but this one; who is reading one goes on."""
        try:
            for path in self._path.parent.glob("table-*.bin"):
                if path != self._table(but):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _table(self, version: int) -> Path:
        return self._path.parent / f"table-{version}.bin"

    def _set_up(self) -> None:
        run = self._connection.execute
        if run("PRAGMA quick_check").fetchall() != [("ok",)]:
            raise sqlite3.DatabaseError("the file is damaged")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            run(f"PRAGMA {pragma}").fetchall()
        (form,) = run("PRAGMA user_version").fetchone()
        if form == 0:
            script = f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {_FORM};COMMIT;"
            self._connection.executescript(script)
        elif form != _FORM:
            raise sqlite3.DatabaseError(f"it is of form {form}, this program's is {_FORM}")

    def _unusable(self, error: Exception) -> OperatorError:
        return OperatorError(
            f"{self._path}: {error}; nothing was answered",
            remedy="free space or mend the disk; a damaged file is put back from a backup",
        )
