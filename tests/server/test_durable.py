"""A service's file: its owner's only, all or nothing, and of this program's form."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from server.durable import DurableFile
from shared.errors import OperatorError

TABLES = "CREATE TABLE things (name TEXT PRIMARY KEY) STRICT;"


def names(file: DurableFile) -> list[str]:
    return [name for (name,) in file._rows("SELECT name FROM things ORDER BY name")]


def add(file: DurableFile, name: str) -> None:
    with file.transaction() as run:
        run.execute("INSERT INTO things VALUES (?)", (name,))


def interrupted(file: DurableFile) -> None:
    with file.transaction() as run:
        run.execute("INSERT INTO things VALUES ('lost')")
        raise KeyboardInterrupt


def test_a_transaction_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """An error in the middle leaves nothing of it, and the file usable; the rest is there again."""
    file = DurableFile(tmp_path / "file", TABLES, 1)
    add(file, "kept")
    with pytest.raises(KeyboardInterrupt):
        interrupted(file)
    with pytest.raises(OperatorError, match="nothing was answered"):
        add(file, "kept")
    add(file, "later")
    file.close()
    again = DurableFile(tmp_path / "file", TABLES, 1)
    assert names(again) == ["kept", "later"]
    again.close()


def test_files_beside_it_are_its_owners_only_too(tmp_path: Path) -> None:
    """The write-ahead log holds the same rows, until it is emptied."""
    file = DurableFile(tmp_path / "file", TABLES, 1)
    add(file, "somebody")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert b"somebody" in (tmp_path / "file-wal").read_bytes()
    file.clean()
    assert (tmp_path / "file-wal").read_bytes() == b""
    file.close()


def test_what_another_reader_keeps_in_the_log_is_said_and_emptied_after_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, however often it is tried; with the transaction after the reader's end it is gone, and
    until then (the control) it is there.
    """
    file, log = DurableFile(tmp_path / "file", TABLES, 1), tmp_path / "file-wal"
    add(file, "somebody")
    reader = sqlite3.connect(tmp_path / "file")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM things").fetchall()
    with file.transaction() as run:
        run.execute("DELETE FROM things")
    assert not file.clean()
    add(file, "another")
    assert caplog.text.count("another program reads it") == 1
    assert b"somebody" in log.read_bytes()
    reader.close()
    add(file, "third")
    assert log.read_bytes() == b""
    assert b"somebody" not in (tmp_path / "file").read_bytes()
    file.close()


def test_a_link_and_a_file_of_another_form_are_refused(tmp_path: Path) -> None:
    """The same file by its own name and of its own form (the control) opens."""
    DurableFile(tmp_path / "file", TABLES, 2).close()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OperatorError, match="link: "):
        DurableFile(tmp_path / "link", TABLES, 2)
    with pytest.raises(OperatorError, match="of form 2, this program's is 1"):
        DurableFile(tmp_path / "file", TABLES, 1)
    DurableFile(tmp_path / "file", TABLES, 2).close()


def test_a_file_of_an_older_form_is_given_what_it_lacks(tmp_path: Path) -> None:
    """And keeps what it has; where nobody says what it lacks (control), it is refused."""
    old = DurableFile(tmp_path / "file", TABLES, 1)
    add(old, "kept")
    old.close()
    more = "CREATE TABLE more (name TEXT PRIMARY KEY) STRICT;"
    with pytest.raises(OperatorError, match="of form 1"):
        DurableFile(tmp_path / "file", TABLES + more, 2)
    new = DurableFile(tmp_path / "file", TABLES + more, 2, {1: more})
    assert names(new) == ["kept"]
    assert new._rows("SELECT * FROM more") == []
    new.close()
    DurableFile(tmp_path / "file", TABLES + more, 2).close()
