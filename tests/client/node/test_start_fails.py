"""What a full disk does to a lender's supervisor and threads: they go on."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from client.node import renewing, supervisor
from client.node.renewing import Renewing
from client.node.supervisor import FIRST_WAIT, LONGEST_WAIT, Child, Supervisor


class _Process:
    """A process that runs."""

    pid, returncode = 7, 0

    def poll(self) -> None:
        """It has not ended."""


def full(*_: Any, **__: Any) -> Any:
    """What writing to a full disk raises."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_process_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Less and less often, while the others run; and started when there is room."""
    hindered = ["a"]

    def start(words: list[str], **_: Any) -> _Process:
        return full() if words[-1] in hindered else _Process()

    monkeypatch.setattr(subprocess, "Popen", start)
    now = [100.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    children = [Child("a", ("-c", "a")), Child("b", ("-c", "b"))]
    keep = Supervisor(children, tmp_path / "processes.json", tmp_path / "log")
    keep.look()
    assert [child.starts for child in children] == [0, 1]
    assert "a cannot be started (No space left on device)" in caplog.text
    assert children[0].due == now[0] + FIRST_WAIT
    keep.look()
    assert caplog.text.count("cannot be started") == 1
    for _ in range(12):
        now[0] = children[0].due
        keep.look()
    assert children[0].wait == LONGEST_WAIT
    hindered.clear()
    now[0] = children[0].due
    keep.look()
    assert [child.starts for child in children] == [1, 1]


def test_processes_run_where_their_numbers_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They count as started, and are not started a second time."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: _Process())
    monkeypatch.setattr(supervisor, "write_whole", full)
    child = Child("a", ("-c", ""))
    keep = Supervisor([child], tmp_path / "processes.json", tmp_path / "log")
    keep.look()
    keep.look()
    assert child.starts == 1


def test_a_renewal_that_cannot_be_written_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told by kind and place, and the thread looks again an hour later."""
    monkeypatch.setattr(renewing, "renew_if_due", full)
    Renewing(tmp_path).look()
    assert "could not be renewed: OSError at test_start_fails.py" in caplog.text
