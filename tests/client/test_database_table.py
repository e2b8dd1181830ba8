"""A lender's rows from PostgreSQL and SQLite: the same table as from a file, and never written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from client.database_table import DatabaseTable, database_table
from client.settings import read_settings
from client.table import read_table
from shared.errors import OperatorError
from shared.schema import Column, LabelContract, Schema
from shared.training.agreement import Agreement
from tests.client.lender_folder import make_folder

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number", low=0, high=1e9),
        Column("region", "category", levels=("north", "south", "007")),
        Column("owner", "category", levels=("no", "yes")),
    ),
    label=LabelContract("bad_flag", bad=("1",), good=("0",)),
    row_key="loan_id",
    time="applied",
)
ROWS = 120
PASSWORD = "s3cret-of-the-book"


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "loan_id": [f"A{number:04d}" for number in rng.permutation(ROWS)],
            "income": np.where(rng.random(ROWS) < 0.1, None, rng.integers(1, 10**6, ROWS) / 100),
            "region": rng.choice(["north", "south", "007"], ROWS),
            "owner": rng.choice(["yes", "no"], ROWS),
            "applied": [f"2024-0{number % 9 + 1}-15" for number in range(ROWS)],
            "bad_flag": rng.integers(0, 2, ROWS),
            "name": [f"somebody {number}" for number in range(ROWS)],
        }
    )


def fill(url: str, where: str = "") -> None:
    """The same rows, typed as a database would have them."""
    engine = create_engine(url, poolclass=NullPool)
    types = "loan_id TEXT, income NUMERIC(12, 2), region TEXT, owner TEXT, applied DATE"
    with engine.begin() as connection:
        if where:
            connection.execute(text(f"CREATE SCHEMA {where.rstrip('.')}"))
        connection.execute(
            text(f'CREATE TABLE {where}"Loans 24" ({types}, bad_flag INTEGER, name TEXT)')
        )
        connection.execute(
            text(
                f'INSERT INTO {where}"Loans 24" VALUES '
                "(:loan_id, :income, :region, :owner, :applied, :bad_flag, :name)"
            ),
            frame().to_dict("records"),
        )
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseTable]:
    """A filled table of each kind; PostgreSQL's in a schema of its own."""
    if request.param == "sqlite":
        fill(f"sqlite:///{tmp_path / 'book.db'}")
        yield database_table(tmp_path, "sqlite:///book.db#Loans 24")
        return
    server = request.getfixturevalue("postgresql")
    admin = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE book"))
    try:
        url = server.set(database="book", drivername="postgresql+psycopg")
        fill(url.render_as_string(hide_password=False), "risk.")
        password = tmp_path / "own" / "table.password"
        password.parent.mkdir(mode=0o700)
        password.write_text(f"{PASSWORD}\n")
        password.chmod(0o600)
        entry = f"{url.render_as_string(hide_password=False)}#risk.Loans 24"
        yield database_table(tmp_path, entry, "file:own/table.password")
    finally:
        with admin.connect() as connection:
            connection.execute(text("DROP DATABASE book WITH (FORCE)"))


def test_a_databases_table_is_the_one_a_file_holds(table: DatabaseTable, tmp_path: Path) -> None:
    """Values, codes, labels, years and keys, in order of the row key; the column nobody asked for
    is not read.
    """
    frame().sort_values("loan_id").to_csv(tmp_path / "loans.csv", index=False)
    wanted = read_table(tmp_path / "loans.csv", SCHEMA).table
    found = read_table(table, SCHEMA).table
    for name, values in wanted.values.items():
        np.testing.assert_array_equal(found.values[name], values)
    np.testing.assert_array_equal(found.bad, wanted.bad)
    np.testing.assert_array_equal(found.row_key, wanted.row_key)
    np.testing.assert_array_equal(found.time, wanted.time)
    assert found.rows == ROWS


def test_nothing_can_be_written(table: DatabaseTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is a statement in disguise is only a name; and the transaction refuses writes,
    which the control shows the same connection would do without it.
    """
    from client import database_table as module

    evil = DatabaseTable(table.folder, table.url, 'x"; DROP TABLE risk; --', table.password)
    with pytest.raises(OperatorError, match="cannot be read"):
        read_table(evil, SCHEMA)

    def writing(connection: Any, *arguments: Any) -> pd.DataFrame:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        connection.execute(text("CREATE TABLE written (x INTEGER)"))
        return pd.DataFrame()

    monkeypatch.setattr(module, "_read", writing)
    with pytest.raises(OperatorError, match=r"cannot be read: (OperationalError|ReadOnly\w+)"):
        module.read_database(table, SCHEMA)
    url = table.url.replace(":///book.db", f":///{table.folder}/book.db")
    control = create_engine(url, poolclass=NullPool)
    with control.begin() as connection:
        connection.execute(text("CREATE TABLE written (x INTEGER)"))
    control.dispose()


def test_a_missing_or_prohibited_column_is_told_and_no_row_read(
    table: DatabaseTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a file: every finding at once."""
    from dataclasses import replace

    from client import database_table as module

    monkeypatch.setattr(module, "_frame", lambda *arguments: pytest.fail("rows were read"))
    columns = (*SCHEMA.columns, Column("age", "number"))
    schema = replace(SCHEMA, columns=columns, prohibited=("name",))
    with pytest.raises(OperatorError, match="age") as caught:
        read_table(table, schema)
    assert "name" in str(caught.value)
    assert "somebody" not in str(caught.value)


def test_a_wrong_cell_is_told_by_its_row_and_masked(table: DatabaseTable) -> None:
    """Rows are numbered in order of the row key."""
    from dataclasses import replace

    label = replace(SCHEMA.label, bad=("9",))
    with pytest.raises(OperatorError, match=r"table .*Loans 24") as caught:
        read_table(table, replace(SCHEMA, label=label))
    assert "does not know" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "password", "why"),
    [
        ("postgresql+psycopg://u:pw@h/db#t", "", "holds a password"),
        ("postgresql+psycopg://u@h/db?password=pw#t", "", "holds a password"),
        ("mysql://u@h/db#t", "", "in 'mysql' is not known"),
        ("postgresql://u@h/db#t", "", "in 'postgresql' is not known"),
        ("sqlite:///book.db", "", "cannot be read|does not end with #table"),
        ("sqlite:///book.db#", "", "does not end with #table"),
        ("sqlite:///book.db#a.b.c", "", "does not end with #table"),
        ("sqlite:///book.db#a\x00b", "", "does not end with #table"),
        ("://#t", "", "cannot be read"),
        ("sqlite:///book.db#t", "hunter2", "not a place where a password is found"),
    ],
)
def test_an_entry_that_is_wrong_is_not_quoted(
    tmp_path: Path, entry: str, password: str, why: str
) -> None:
    """It may hold the password."""
    with pytest.raises(OperatorError, match=why) as caught:
        database_table(tmp_path, entry, password)
    assert "pw" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_what_does_not_answer_is_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file, no server, no variable, a password others can read: kind and remedy, no secret."""
    monkeypatch.setenv("BOOK_PASSWORD", PASSWORD)
    (tmp_path / "open.password").write_text(PASSWORD)
    (tmp_path / "open.password").chmod(0o644)
    server = "postgresql+psycopg://reader@127.0.0.1:9/book#loans"
    for entry, password, why in (
        ("sqlite:///none.db#loans", "", "cannot be read: OperationalError"),
        (server, "env:BOOK_PASSWORD", "cannot be read: OperationalError"),
        (server, "env:NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE is not set"),
        (server, "file:open.password", "others than its owner can read it"),
        (server, "file:none", "cannot be read: No such file"),
    ):
        with pytest.raises(OperatorError, match=why) as caught:
            read_table(database_table(tmp_path, entry, password), SCHEMA)
        assert PASSWORD not in str(caught.value)
        assert caught.value.__cause__ is None or "OSError" not in repr(caught.value)
        assert caught.value.remedy
    assert not (tmp_path / "none.db").exists()


def test_settings_name_a_database(tmp_path: Path) -> None:
    """`client.toml` takes the URL in place of a file; a wrong one is told with the file's name."""
    home = make_folder(tmp_path, "L01", frame(), Agreement("Five", SCHEMA))
    path = home / "client.toml"
    rest = path.read_text().replace('table = "loans.csv"\n', "")
    entry = 'table = "sqlite:///book.db#loans"\n'
    path.write_text(rest.replace("[lender]\n", f"[lender]\n{entry}"))
    table = read_settings(home).table
    assert isinstance(table, DatabaseTable)
    assert (table.folder, table.name) == (home, "loans")
    assert "sqlite" not in repr(table)
    path.write_text(rest.replace("[lender]\n", '[lender]\ntable = "mysql://h/d#t"\n'))
    with pytest.raises(OperatorError, match=r"client\.toml: a table in 'mysql'"):
        read_settings(home)


def test_cells_of_several_kinds_become_texts_and_bytes_are_refused(tmp_path: Path) -> None:
    """SQLite keeps whatever was put in; a blob is no cell."""
    path = tmp_path / "book.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE loans (loan_id, income, region, owner, applied, bad_flag)")
        rows = [
            (1, 10.5, "north", "no", "2024-01-05", 0),
            ("B", "11", "007", "yes", "2024", 1),
            (3, None, 7, "yes", 2024, "1"),
        ]
        connection.executemany("INSERT INTO loans VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    found = read_table(database_table(tmp_path, "sqlite:///book.db#loans"), SCHEMA).table
    assert list(found.row_key) == ["1", "3", "B"]
    np.testing.assert_array_equal(found.values["income"], [10.5, np.nan, 11.0])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE loans SET region = x'00ff'")
    connection.close()
    with pytest.raises(OperatorError, match="'region' holds what is no table cell"):
        read_table(database_table(tmp_path, "sqlite:///book.db#loans"), SCHEMA)


def test_many_rows_come_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts are one table; a bound on cells stops an endless one."""
    from client import database_table as module

    fill(f"sqlite:///{tmp_path / 'book.db'}")
    table = database_table(tmp_path, "sqlite:///book.db#Loans 24")
    whole = read_table(table, SCHEMA).table
    monkeypatch.setattr(module, "_CHUNK", 7)
    parts = read_table(table, SCHEMA).table
    np.testing.assert_array_equal(parts.values["income"], whole.values["income"])
    monkeypatch.setattr(module, "MOST_CELLS", 100)
    with pytest.raises(OperatorError, match="more than 100 cells"):
        read_table(table, SCHEMA)
    assert os.environ.get("BOOK_PASSWORD") is None


def test_a_server_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connecting, locks, statements and a connection that went silent each have a bound; what the
    server says when one is over is told with what to do.
    """
    from client import database_table as module

    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        "sqlalchemy.create_engine", lambda *_, connect_args, **__: asked.update(connect_args)
    )
    entry = "postgresql+psycopg://reader@127.0.0.1:9/book#loans"
    table = database_table(tmp_path, entry)
    module._engine(table)
    assert {"-c", "lock_timeout=60000", "statement_timeout=1800000"} <= set(
        asked["options"].split()
    )
    assert "default_transaction_read_only=on" in asked["options"]
    bounds = ("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval")
    assert all(asked[name] > 0 for name in (*bounds, "keepalives_count", "tcp_user_timeout"))
    for state, what in (("55P03", "lock"), ("57014", "faster")):
        over = type("OverError", (Exception,), {"sqlstate": state})()
        assert what in module._failed(table, over).remedy
