"""A damaged state of Flower's is found before the SuperLink starts, and set aside."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import server.cli
from server.commands import start
from server.deployment.flower_state import set_aside_if_damaged
from shared.errors import OperatorError
from tests.deployment.consortium import founded


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """As a killed process leaves it: a part in the file, a part in the log beside it."""
    path, killed = tmp_path / "running.db", tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE run (name TEXT)")
        connection.executemany("INSERT INTO run VALUES (?)", [("x" * 50,)] * 1000)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("INSERT INTO run VALUES ('last')")
        connection.commit()
        for part in ("", "-wal"):
            shutil.copyfile(f"{path}{part}", f"{killed}{part}")
    return killed


def _rows(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM run").fetchone()[0])


def test_a_sound_one_is_left_as_it_is(database: Path, tmp_path: Path) -> None:
    """With what is in its log only; and where there is none nothing is made."""
    assert set_aside_if_damaged(database) is None
    assert _rows(database) == 1001
    assert set_aside_if_damaged(tmp_path / "none.db") is None
    assert not (tmp_path / "none.db").exists()


def test_a_log_cut_in_mid_write_costs_its_last_entry_alone(database: Path) -> None:
    """SQLite leaves out what was not written whole: no damage."""
    log = Path(f"{database}-wal")
    log.write_bytes(log.read_bytes()[:-100])
    assert set_aside_if_damaged(database) is None
    assert _rows(database) == 1000


@pytest.mark.parametrize(
    ("begins", "ends"), [(0, 100), (4096, 4196), (12288, 1 << 20)], ids=["head", "page", "rest"]
)
def test_a_damaged_one_is_set_aside_and_told(
    begins: int, ends: int, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its log with it: it would be folded into the new one. The words say what becomes of runs."""
    Path(f"{database}-wal").unlink()
    content = database.read_bytes()
    damaged = b"\x5a" * (min(ends, len(content)) - begins)
    database.write_bytes(content[:begins] + damaged + content[ends:])
    Path(f"{database}-wal").write_bytes(b"a log")
    with caplog.at_level(logging.ERROR, "lianfang.deployment"):
        aside = set_aside_if_damaged(database)
    assert aside == database.with_name("state.db.damaged")
    assert not database.exists()
    assert not Path(f"{database}-wal").exists()
    assert "runs go on from runs/" in caplog.text
    assert set_aside_if_damaged(database) is None


def test_what_cannot_be_read_is_not_taken_for_damaged(tmp_path: Path) -> None:
    """It is told with a remedy, and stays."""
    path = tmp_path / "state.db"
    path.mkdir()
    with pytest.raises(OperatorError, match="cannot be read or moved") as told:
        set_aside_if_damaged(path)
    assert "move state.db" in told.value.remedy
    assert path.exists()


def test_start_looks_before_the_superlink_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged one is gone from its place when the processes are begun."""
    folder = founded(tmp_path).coordinator
    database = folder / "flower/state.db"
    database.parent.mkdir(exist_ok=True)
    database.write_bytes(b"no database" * 100)
    begun: list[bool] = []
    monkeypatch.setattr(start.Fleet, "start", lambda fleet: begun.append(database.exists()))
    monkeypatch.setattr(start.Fleet, "stop", lambda fleet: None)
    monkeypatch.setattr(start.Supervisor, "run", lambda supervisor, ended: None)
    monkeypatch.setattr(start, "log_lines", lambda form: None)
    monkeypatch.setattr(start.signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(start.os, "umask", lambda mask: mask)
    assert server.cli.main(["start", str(folder), "--metrics-port", "0"]) == 0
    assert begun == [False]
    assert database.with_name("state.db.damaged").exists()
