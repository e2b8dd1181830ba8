"""Runs are founded, started, stopped and resumed; one that lost its process is found."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.coordinator.exchange import VoidStageError
from server.coordinator.status import read_status
from server.deployment import interrupted_runs
from server.deployment.interrupted_runs import MOST_FRUITLESS, interrupted, resume_interrupted
from server.deployment.runs import (
    CLOSED,
    RUNS,
    at_work,
    names_of,
    read_started,
    resume_run,
    run_folder,
    start_run,
    stop_run,
)
from server.deployment.terms_page import TermsPage
from server.one_at_a_time import alone_in
from shared.errors import OperatorError
from tests.federation import model_of
from tests.server.deployment.coordinator_folder import CoordinatorFolder, coordinator_in


@pytest.fixture
def place(tmp_path: Path) -> CoordinatorFolder:
    return coordinator_in(tmp_path)


def _started(place: CoordinatorFolder, name: str = "spring") -> Path:
    return start_run(place.folder, name, place.agreement, place.superlink, patience=9.0)


def test_a_run_is_started_with_its_folder_and_carried_to_a_model(place: CoordinatorFolder) -> None:
    """The folder is whole before the SuperLink hears of it; keys are links, not copies."""
    run = _started(place)
    (config,) = place.superlink.configs
    assert config == {"run-directory": str(run), "resume": False, "patience": 9.0}
    assert (run / "coordinator.key").is_symlink()
    assert read_status(run).state == "starting"
    assert TermsPage(place.folder).digests() == [place.agreement.digest()]
    place.carry()
    assert read_status(run).state == "finished"
    assert TermsPage(place.folder).digests() == []
    assert names_of(place.folder) == ["spring"]


def test_a_failed_run_goes_on_from_its_stages(place: CoordinatorFolder) -> None:
    """Resume ends the earlier Flower run, starts another with resume, and the model is the same as
    without the fault; a finished run is not resumed.
    """
    run = _started(place)
    with pytest.raises(VoidStageError):
        place.carry(*[f"drop L0{i} trees/1" for i in (1, 2, 3)])
    resume_run(place.folder, "spring", place.superlink)
    assert place.superlink.configs[-1]["resume"] is True
    assert place.superlink.configs[-1]["patience"] == 9.0
    place.carry()
    undisturbed = place.lenders.conducted()
    assert read_status(run).model == model_of(undisturbed)
    with pytest.raises(OperatorError, match="is finished"):
        resume_run(place.folder, "spring", place.superlink)


def test_a_run_at_work_is_not_started_again(place: CoordinatorFolder) -> None:
    """Whoever holds its lock is at work on it, whatever its status says."""
    run = _started(place)
    turn = alone_in(run)
    assert at_work(run)
    with pytest.raises(OperatorError, match="is at work"):
        resume_run(place.folder, "spring", place.superlink)
    turn.release()
    assert not at_work(run)


def test_names_are_safe_and_never_taken_twice(place: CoordinatorFolder) -> None:
    """Nothing outside runs/ is made, and no folder is written over."""
    _started(place)
    with pytest.raises(OperatorError, match="there already"):
        _started(place)
    for name in ("../spring", ".hidden", "a/b", "", "a b"):
        with pytest.raises(OperatorError, match="no name"):
            _started(place, name)
    with pytest.raises(OperatorError, match="runs here: spring"):
        run_folder(place.folder, "autumn")
    assert sorted(path.name for path in (place.folder / RUNS).iterdir()) == ["spring"]


_HOLDS = """
import fcntl, json, os, sys, time
handle = os.open(sys.argv[1] + "/serving.lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
path = sys.argv[1] + "/status.json"
status = json.load(open(path)) | {"state": "running", "process": os.getpid()}
json.dump(status, open(path, "w"))
print("held", flush=True)
time.sleep(60)
"""
"""What a run's process does as far as others see it, without anything to load."""


def _holder(run: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _HOLDS, str(run)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_stopped_run_has_no_process_and_is_closed(place: CoordinatorFolder) -> None:
    """Its process is ended even if it does not listen to the SuperLink; lenders are not shown its
    terms any more, until it is resumed.
    """
    run = _started(place)
    process = _holder(run)
    stop_run(place.folder, "spring", place.superlink)
    assert process.wait(10) == -signal.SIGTERM
    process.stdout.close()
    assert (read_status(run).state, place.superlink.ended) == ("stopped", {1: "stopped"})
    assert TermsPage(place.folder).digests() == []
    resume_run(place.folder, "spring", place.superlink)
    assert TermsPage(place.folder).digests() == [place.agreement.digest()]


def test_a_killed_process_leaves_a_run_that_is_found(place: CoordinatorFolder) -> None:
    """While the SuperLink still means to have it carried it is not meddled with; when the SuperLink
    gave it up it is interrupted, and what failed or was stopped is not.
    """
    run = _started(place)
    process = _holder(run)
    assert interrupted(place.folder, place.superlink) == []
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    assert not at_work(run)
    assert interrupted(place.folder, place.superlink) == []
    place.superlink.ended[1] = "failed"
    assert interrupted(place.folder, place.superlink) == ["spring"]
    stop_run(place.folder, "spring", place.superlink)
    assert interrupted(place.folder, place.superlink) == []


def test_starts_without_a_stage_done_are_counted(place: CoordinatorFolder) -> None:
    """So that a supervisor does not resume for ever; a stage that was done begins a new count."""
    run = _started(place)
    for _ in range(MOST_FRUITLESS):
        resume_run(place.folder, "spring", place.superlink)
    assert read_started(run).fruitless == MOST_FRUITLESS
    with pytest.raises(VoidStageError):
        place.carry(*[f"drop L0{i} trees/1" for i in (1, 2, 3)])
    resume_run(place.folder, "spring", place.superlink)
    assert read_started(run).fruitless == 1


def test_a_damaged_status_holds_up_no_run(
    place: CoordinatorFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As a power cut leaves it: the other run is resumed, and so is the run itself, under a new
    status; it is told once. One that was closed, or that has a model, stays as it is.
    """

    @contextmanager
    def control_of(folder: Path) -> Iterator[object]:
        yield place.superlink

    monkeypatch.setattr(interrupted_runs, "control_of", control_of)
    damaged, other, closed, done = (_started(place, n) for n in ("a", "b", "closed", "done"))
    for number in (1, 2, 3, 4):
        place.superlink.ended[number] = "failed"
    for run in (damaged, closed, done):
        (run / "status.json").write_bytes(b"")
    (closed / CLOSED).touch()
    (done / "model").mkdir()
    assert resume_interrupted(place.folder) == ["a", "b"]
    assert [read_status(run).state for run in (damaged, other)] == ["starting", "starting"]
    assert sum("run a:" in record.getMessage() for record in caplog.records) == 1
    assert resume_interrupted(place.folder) == []
    assert sum("run done:" in record.getMessage() for record in caplog.records) == 1


def test_a_run_that_cannot_be_looked_after_holds_up_no_other(
    place: CoordinatorFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number is damaged."""

    @contextmanager
    def control_of(folder: Path) -> Iterator[object]:
        yield place.superlink

    monkeypatch.setattr(interrupted_runs, "control_of", control_of)
    damaged, _ = _started(place, "a"), _started(place, "b")
    place.superlink.ended |= {1: "failed", 2: "failed"}
    (damaged / "started.json").write_bytes(b"")
    assert resume_interrupted(place.folder) == ["b"]
