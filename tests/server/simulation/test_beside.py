"""Work beside: the same result in another process, errors that travel, and nothing left behind."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from server.coordinator.exchange import VoidStageError
from server.simulation.beside import beside
from shared.errors import OperatorError


def whereabouts(word: str) -> tuple[str, int]:
    return word, os.getpid()


def void() -> None:
    raise VoidStageError("stage trees/3: too few", remedy="bring L03 back")


def marks(path: Path) -> None:
    path.touch()


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_work_is_done_in_another_process_and_its_errors_come_back_whole() -> None:
    """What is raised there is raised here, with its remedy, and no process stays."""
    with beside(True, void) as done, pytest.raises(VoidStageError, match="too few") as raised:
        done()
    assert raised.value.remedy == "bring L03 back"
    with beside(True, whereabouts, "here") as place:
        word, process = place()
    assert (word, process != os.getpid()) == ("here", True)
    assert multiprocessing.active_children() == []


def test_unwanted_or_on_one_core_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller need not know which."""
    with beside(False, whereabouts, "here") as place:
        assert place() == ("here", os.getpid())
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with beside(True, whereabouts, "here") as place:
        assert place() == ("here", os.getpid())


def test_work_nobody_asks_for_is_not_done_here(tmp_path: Path) -> None:
    """An error in the block ends both: the function is not called on the way out."""
    with (
        pytest.raises(OperatorError),
        beside(False, marks, tmp_path / "done"),
    ):
        raise OperatorError("the disk is full")
    assert not (tmp_path / "done").exists()
