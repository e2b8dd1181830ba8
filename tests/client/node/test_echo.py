"""What goes wrong in a node's process is told where `start` runs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from client.commands.start import checked
from client.node.echo import Echo, error_in
from client.node.table_look import look_at_table
from shared.errors import OperatorError
from tests.consortium_folders import text_of


def test_errors_are_told_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """New ones only, in either form, also after the log began anew."""
    log = tmp_path / "executor.log"
    log.write_text("2031-01-01T00:00:00Z ERROR lianfang.client: old\n")
    echo = Echo(log)
    with log.open("a") as file:
        file.write("2031-01-01T00:00:00Z ERROR lianfang.client: L01: no: table\n")
        file.write("2031-01-01T00:00:00Z INFO lianfang.client: well\nan ERROR of others\n")
        file.write("2031-01-01T00:00:00Z ERROR lianfang.client: half")
    echo.look()
    assert [record.message for record in caplog.records] == ["L01: no: table"]
    log.write_text('{"level": "ERROR", "message": "anew"}\n')
    echo.look()
    assert [record.message for record in caplog.records] == ["L01: no: table", "anew"]


def test_lines_that_are_no_records_hold_no_error() -> None:
    """Whatever a library writes."""
    assert [error_in(line) for line in ("", "{", "[]", '{"level": 1}', "a b c")] == [""] * 5


def test_a_table_that_cannot_be_read_is_told_when_the_node_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the remedy; in a folder that joined nothing there is nothing to tell."""
    caplog.set_level(logging.INFO)
    look_at_table(tmp_path)
    assert not caplog.records
    (tmp_path / "consortium.toml").write_bytes(text_of())
    (tmp_path / "client.toml").write_text('[lender]\nmember = "L01"\ntable = "none.csv"\n')
    look_at_table(tmp_path)
    assert "none.csv: cannot be read (there is no such file)" in caplog.text
    assert "check that the file exists" in caplog.text


def test_a_folder_that_joined_nothing_is_not_served(tmp_path: Path) -> None:
    """What is wrong with it is said, and that there is `join`."""
    for folder, told in ((tmp_path, "holds no client.toml"), (tmp_path / "no", "is no folder")):
        with pytest.raises(OperatorError, match=told) as error:
            checked(folder)
        assert "join" in error.value.remedy
