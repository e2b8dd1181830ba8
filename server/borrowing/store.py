"""The borrowing desk's one file, `borrowing.db`, and beside it the table that is handed out.

    members   who contributed, and the secret its own rows are named by
    events    what each member told, under subject tokens
    pages     what was answered with a receipt, in order: a chain, as the list's log
    heads     the signed heads of all versions; `table-<version>.bin` holds the last one's rows

Invariants:
- Durable, its owner's only, deleted for good: as every `DurableFile`.
- Each event is kept with the member that told it, and once, however often it was told.
- It holds tokens and numbers: no identifier, no amount.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from server.durable import DurableFile
from server.files import write_durably

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


class Store(DurableFile):
    """The open file in `folder`. OperatorError whenever the disk does not do its part."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE, _TABLES, _FORM)

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
            for path in self.path.parent.glob("table-*.bin"):
                if path != self._table(but):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unusable(error) from error

    def _table(self, version: int) -> Path:
        return self.path.parent / f"table-{version}.bin"
