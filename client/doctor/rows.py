"""The lender's table as a run will read it: schema, label contract, encoding, leaks, memory."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from client.database_table import DatabaseTable, database_table, is_database
from client.doctor.advice import Advice, attention, ok
from client.joining import SETTINGS
from client.table import RawTable, read_raw, read_table
from shared.errors import OperatorError
from shared.schema import CheckedTable, Finding, Schema

NODE_BYTES, CELL_BYTES = 700 << 20, 60
"""A node's processes with torch; and per cell while a table is read and kept: 38 to 54 bytes were
measured (20 number columns, 200,000 and 500,000 rows, CSV and Parquet), the rest is for training.
"""
FEW_ROWS = 500
_ENCODINGS = {"gb18030": "GB 18030", "utf-8-sig": "UTF-8 with a byte order mark"}


def rows(folder: Path, schema: Schema) -> Iterator[Advice]:
    """Everything about the table that client.toml names. Raises OperatorError with all findings
    when a run could not read it.
    """
    source = table_of(folder)
    if isinstance(source, DatabaseTable):
        checked = read_table(source, schema)
        yield ok("encoding", "read from a database, as typed there")
    else:
        raw = read_raw(source)
        yield _encoding(raw)
        checked = raw.checked(schema)
    yield from _findings(checked)
    yield memory(checked.table.rows * len(schema.required), _available())


def table_of(folder: Path) -> Path | DatabaseTable:
    """Where client.toml says the rows are; OperatorError."""
    try:
        document = tomllib.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise OperatorError(
            f"{folder / SETTINGS} cannot be read, so it is not known where the rows are",
            remedy="mend the settings first",
        ) from error
    lender: Any = document.get("lender")
    entry = lender.get("table") if isinstance(lender, dict) else None
    if not isinstance(entry, str) or not entry:
        raise OperatorError(
            f"{folder / SETTINGS}: [lender] names no table", remedy='add table = "loans.csv"'
        )
    password = lender.get("table_password", "")
    if is_database(entry):
        return database_table(folder, entry, password if isinstance(password, str) else "?")
    return folder / entry


def memory(cells: int, available: int | None) -> Advice:
    """An estimate for the node with this table against what the machine has left now."""
    needed = NODE_BYTES + cells * CELL_BYTES
    told = f"about {needed / (1 << 30):.1f} GB needed for the node with this table"
    if available is None:
        return ok("memory", told)
    told += f", {available / (1 << 30):.1f} GB free"
    if needed > available:
        remedy = "free memory, take a larger machine, or name a view with the newest rows only"
        return attention("memory", told, remedy)
    return ok("memory", told)


def _encoding(raw: RawTable) -> Advice:
    name = raw.encoding
    if name == "gb18030":
        return attention(
            "encoding",
            "the file is read as GB 18030: it is not UTF-8",
            "look whether its Chinese texts are right; better export it as 'CSV UTF-8'",
        )
    return ok("encoding", _ENCODINGS.get(name, name.upper()) if name else "Parquet, typed")


def _findings(checked: CheckedTable) -> Iterator[Advice]:
    table = checked.table
    bad = 0 if table.bad is None else int(table.bad.sum())
    share = f"{bad / table.rows:.1%}" if table.rows else "none"
    told = f"{table.rows:,} rows fit schema and label contract, {share} bad"
    few = "it takes part all the same; its own figures will be wide"
    known = table.rows < FEW_ROWS
    yield attention("table", f"{told}: few", few) if known else ok("table", told)
    leaks = [one for one in checked.warnings if _is_leak(one)]
    for warning in checked.warnings:
        subject = "leakage" if warning in leaks else "table"
        yield attention(subject, f"column {warning.column!r}: {warning.what}", warning.remedy)
    if not leaks:
        yield ok("leakage", "no column tells the outcome suspiciously well")


def _is_leak(warning: Finding) -> bool:
    return "suspiciously" in warning.what or "information value" in warning.what


def _available() -> int | None:
    """Bytes of memory that are free or can be freed, where the system tells."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
