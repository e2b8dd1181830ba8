"""A lender's rows in a database: read once, never written.

    table          = "postgresql+psycopg://reader@db.example/book?sslmode=verify-full#risk.loans"
    table          = "sqlite:///book.db#loans"            relative to the lender's folder
    table_password = "env:BOOK_PASSWORD"                  or "file:own/table.password"

Invariants:
- Everything is read in one read-only transaction that sees one state of the table. Only the columns
  that the schema asks for are read; a table with a prohibited field is not read at all.
- The password stands in no settings file and in no URL, and is in no message. What a driver says is
  not shown, since it may quote rows or settings.
- Nothing is waited for without end: for a lock a minute, for a statement half an hour, for a server
  that has gone away two minutes. A lender that waits for its database is missing in a run.
- Rows are in the order of the row key, whatever order the database gives them in.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from client.credentials import private_text
from shared.errors import OperatorError
from shared.schema import Schema
from shared.schema.headers import match_headers

if TYPE_CHECKING:  # large: loaded where rows are read, and not in every command that reads settings
    import pandas as pd
    import pyarrow as pa
    from sqlalchemy import Connection, Engine

KINDS = ("postgresql+psycopg", "sqlite")
MOST_CELLS = 2_000_000_000
_CHUNK, _CONNECT_SECONDS = 50_000, 10
_OPTIONS = "-c default_transaction_read_only=on -c lock_timeout=60000 -c statement_timeout=1800000"
"""Of the server, in milliseconds."""
_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}
"""Of the connection, in seconds; the last in milliseconds (libpq, "Parameter Key Words")."""
_FORM = (
    'write it as "postgresql+psycopg://user@host/database#schema.table" or "sqlite:///file#table"'
)


@dataclass(frozen=True)
class DatabaseTable:
    """`url`: SQLAlchemy's, without a password; `name`: of the table or view, with its schema if it
    has one; `password`: where it is found. `folder`: the lender's.
    """

    folder: Path
    url: str = field(repr=False)
    name: str
    password: str = ""

    @property
    def source(self) -> str:
        """What messages call it."""
        return f"table {self.name}"


def is_database(entry: str) -> bool:
    """Whether an entry of settings names a database and not a file."""
    return "://" in entry


def database_table(folder: Path, entry: str, password: str = "") -> DatabaseTable:
    """The table that an entry of settings names; OperatorError says what is wrong in it, and never
    quotes it.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    address, _, name = entry.rpartition("#")
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise OperatorError("the table's URL cannot be read", remedy=_FORM) from None
    if url.drivername not in KINDS:
        raise OperatorError(f"a table in {url.drivername[:40]!r} is not known here", remedy=_FORM)
    if url.password or "password" in url.query:
        raise OperatorError(
            "the table's URL holds a password",
            remedy='take it out, and write table_password = "env:NAME" or '
            '"file:own/table.password"; if others could read the file, change the password',
        )
    parts = name.split(".")
    if not 1 <= len(parts) <= 2 or not all(part and part.isprintable() for part in parts):
        raise OperatorError(
            "the table's URL does not end with #table or #schema.table", remedy=_FORM
        )
    if password and password.partition(":")[0] not in ("env", "file"):
        raise OperatorError(
            "table_password is not a place where a password is found",
            remedy='write "env:NAME" or "file:own/table.password"',
        )
    return DatabaseTable(folder, address, name, password)


def read_database(table: DatabaseTable, schema: Schema, *, labelled: bool = True) -> pd.DataFrame:
    """The columns of `schema` from the table, typed as the database has them, in order of the row
    key. Where columns are missing or prohibited: all its headers and no row, so that checking the
    frame tells. Raises OperatorError.
    """
    from sqlalchemy.exc import SQLAlchemyError

    engine = _engine(table)
    try:
        with engine.connect() as connection:
            return _read(connection, table, schema, labelled)
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _failed(table, error) from None  # its text may quote anything
    finally:
        engine.dispose()


def _engine(table: DatabaseTable) -> Engine:
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.pool import NullPool

    url = make_url(table.url)
    if url.drivername == "sqlite":
        path = table.folder / (url.database or "")
        return create_engine(
            "sqlite://",
            poolclass=NullPool,
            creator=lambda: sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro", uri=True
            ),
        )
    try:
        return create_engine(
            url.set(password=_password(table)),
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "options": _OPTIONS,
                **_KEEPALIVES,
            },
        )
    except ModuleNotFoundError as error:
        raise OperatorError(
            "the driver for PostgreSQL is not installed",
            remedy="pip install 'lianfang[postgres]'",
        ) from error


def _read(
    connection: Connection, table: DatabaseTable, schema: Schema, labelled: bool
) -> pd.DataFrame:
    import pandas as pd
    from sqlalchemy import column, select, text
    from sqlalchemy import table as table_of

    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    where, _, name = table.name.rpartition(".")
    rows = table_of(name, schema=where or None)
    empty = connection.execute(select(text("*")).select_from(rows).limit(0))
    headers = [str(header) for header in empty.keys()]  # noqa: SIM118 - no mapping
    needed = schema.required if labelled else tuple(filter(None, (*schema.names, schema.row_key)))
    aliases = {one.name: one.aliases for one in schema.columns}
    match = match_headers(headers, needed, aliases, schema.prohibited)
    if match.errors:
        return pd.DataFrame(columns=headers)
    chosen = [headers[at] for at in sorted(match.position.values())]
    query: Any = select(*(column(header) for header in chosen)).select_from(rows)
    result = connection.execution_options(stream_results=True, yield_per=_CHUNK).execute(query)
    frame = _frame(table, chosen, result.partitions(_CHUNK))
    key = match.position.get(schema.row_key)
    return frame if key is None else _ordered(frame, headers[key])


def _frame(
    table: DatabaseTable, headers: Sequence[str], parts: Iterator[Sequence[Any]]
) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    chunks, rows = [], 0
    for part in parts:
        rows += len(part)
        if rows * max(1, len(headers)) > MOST_CELLS:
            raise OperatorError(
                f"{table.source}: has more than {MOST_CELLS:,} cells",
                remedy="name a view with fewer rows",
            )
        columns = zip(*part, strict=True)
        chunks.append(
            pa.table(
                [_array(values) for values in columns], names=[str(n) for n in range(len(headers))]
            )
        )
    if not chunks:
        return pd.DataFrame(columns=list(headers))
    try:
        whole = pa.concat_tables(chunks, promote_options="permissive")
    except pa.ArrowException:
        raise OperatorError(
            f"{table.source}: a column holds values of several kinds",
            remedy="name a view that casts each column to one type",
        ) from None
    for number, kind in enumerate(whole.schema.types):
        if pa.types.is_binary(kind) or pa.types.is_nested(kind):
            raise OperatorError(
                f"{table.source}: column {headers[number]!r:.80} holds what is no table cell",
                remedy="name a view of plain numbers, texts, booleans and dates",
            )
    frame: pd.DataFrame = whole.to_pandas(ignore_metadata=True)
    frame.columns = pd.Index(list(headers))
    return frame


def _array(values: Sequence[Any]) -> pa.Array:
    """A chunk of a column; values of kinds that do not go together, as SQLite may hold them, and
    kinds that only their text tells apart (UUID) become texts.
    """
    import pyarrow as pa

    values = [_number(one) if isinstance(one, Decimal) else one for one in values]
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])


def _number(value: Decimal) -> int | float:
    """The number as a text of it would be read: the nearest double, or the whole number itself,
    which may be an identifier. Arrow's own conversion is a bit off now and then.
    """
    if value.is_finite() and value == value.to_integral_value():
        return int(value)
    return float(value)


def _ordered(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    order = frame[key].astype(str).argsort(kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def _password(table: DatabaseTable) -> str | None:
    how, _, what = table.password.partition(":")
    if how == "file":
        return private_text(table.folder / what).decode("utf-8", "replace").strip()
    if how == "env":
        try:
            return os.environ[what]
        except KeyError as error:
            raise OperatorError(
                f"the environment variable {what[:80]} is not set",
                remedy="set it for the process that reads the table, or name a file with "
                'table_password = "file:own/table.password"',
            ) from error
    return None


def _failed(table: DatabaseTable, error: Exception) -> OperatorError:
    """Kind and, where the database gives one, its five-letter state (SQL:2023, SQLSTATE)."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    remedies = {
        "42P01": "name a table or view that is there: #table or #schema.table",
        "42501": "let the database's owner grant SELECT on it to this user",
        "28P01": "mend the password that table_password names",
        "3D000": "name a database that is there",
        "55P03": "find out what holds a lock on the table, and try again when it is done",
        "57014": "name a view that the database answers faster, or with an index",
        "25006": "name a view that only reads",
    }
    known = remedies.get(
        state or "", "try the same with the database's own client: address, user, rights, TLS"
    )
    told = f" ({state})" if state else ""
    return OperatorError(
        f"{table.source}: cannot be read: {type(cause).__name__}{told}", remedy=known
    )
