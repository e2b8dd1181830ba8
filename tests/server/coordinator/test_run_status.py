"""`status.json`: what a run says of itself while it works, and how it ended."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.app import app as client_app
from client.desk import close_all
from server.coordinator.attempt import attempt
from server.coordinator.exchange import Policy, VoidStageError
from server.coordinator.status import (
    MOST_LISTED,
    STATUS,
    WATCHING,
    Status,
    StatusFile,
    read_status,
    write_status,
)
from server.one_at_a_time import alone_in
from server.simulation.faults import Faults, parse_fault
from server.simulation.grid import InProcessGrid
from shared.errors import OperatorError
from tests.federation import STAGES, Consortium, founded_in, model_of

NOW = datetime(2027, 3, 1, tzinfo=UTC)
HASTY = Policy(minimum=3, patience=1.0, deadline=30.0)


@pytest.fixture
def consortium(tmp_path: Path) -> Consortium:
    return founded_in(tmp_path / "spring")


def attempted(consortium: Consortium, *faults: str, resume: bool = False) -> Status:
    """One attempt over the in-process grid; the status it left."""
    close_all()
    grid = InProcessGrid(
        client_app, consortium.homes, workers=2, faults=Faults(tuple(map(parse_fault, faults)))
    )
    try:
        attempt(grid, consortium.folder, resume=resume, patience=1.0, now=lambda: NOW, flower_run=7)
    finally:
        grid.close()
        close_all()
        status = read_status(consortium.folder)
        assert status is not None
    return status


def test_a_finished_run_tells_its_model_and_who_took_part(consortium: Consortium) -> None:
    """Model, measures, stages, and per lender in how many totals it is; the file is private."""
    status = attempted(consortium)
    undisturbed = consortium.conducted()
    assert (status.state, status.run, status.flower_run) == ("finished", "spring", 7)
    assert status.model == model_of(undisturbed)
    assert (status.done, status.steps) == (len(STAGES), len(STAGES))
    assert {part.stages for part in status.lenders.values()} == {len(STAGES)}
    assert set(status.lenders) == {"L01", "L02", "L03", "L04", "L05"}
    assert all(part.size > 0 for part in status.lenders.values())
    assert 0.5 < status.metrics["auc"] < 1
    assert {"auc_round_0", "auc_round_2"} <= set(status.metrics)
    assert (consortium.folder / STATUS).stat().st_mode & 0o077 == 0


def test_a_failed_run_tells_lenders_phase_and_remedy(consortium: Consortium) -> None:
    """The names a monitoring script needs stand in fields, not in a sentence; the remedy names the
    command that this operator has.
    """
    gone = [f"drop L0{i} trees/1" for i in (1, 2, 3)]
    with pytest.raises(VoidStageError):
        attempted(consortium, *gone)
    status = read_status(consortium.folder)
    assert status is not None
    assert (status.state, status.where) == ("failed", "trees/1, masked input")
    assert set(status.blamed) == {"L01", "L02", "L03"}
    assert "lianfang-server run resume spring" in status.remedy
    assert "--resume" not in status.remedy
    resumed = attempted(consortium, resume=True)
    assert (resumed.state, resumed.error, resumed.blamed) == ("finished", "", ())
    assert resumed.attempt == status.attempt + 1


def test_missing_lenders_are_counted(consortium: Consortium) -> None:
    """A lender that is not in a total has the reason and a count of such totals."""
    status = attempted(consortium, "drop L05 trees/0")
    assert (status.state, status.lenders["L05"].missed) == ("finished", 1)
    assert status.lenders["L05"].stages == len(STAGES) - 1


class _BrokenGrid(InProcessGrid):
    def get_node_ids(self) -> list[int]:
        raise ZeroDivisionError("row 4711: Li Wei")


def test_the_text_of_an_unforeseen_error_is_not_kept(consortium: Consortium) -> None:
    """Kind and place are: the text may quote what came in."""
    grid = _BrokenGrid(client_app, consortium.homes)
    with pytest.raises(ZeroDivisionError, match="Li Wei"):
        attempt(grid, consortium.folder, resume=False)
    grid.close()
    text = (consortium.folder / STATUS).read_text()
    assert "Li Wei" not in text
    assert "ZeroDivisionError at test_run_status.py" in json.loads(text)["error"]


def test_two_processes_do_not_conduct_one_run(consortium: Consortium) -> None:
    """The second is told so and changes nothing; when the first is gone it may."""
    turn = alone_in(consortium.folder)
    grid = InProcessGrid(client_app, consortium.homes)
    with pytest.raises(OperatorError, match="already"):
        attempt(grid, consortium.folder, resume=False, turn_seconds=0.2)
    grid.close()
    assert not (consortium.folder / STATUS).exists()
    turn.release()
    assert attempted(consortium).state == "finished"


def test_a_disk_that_takes_no_status_does_not_stop_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept and counted is in the stages: the status is for people."""
    status = StatusFile(tmp_path, Status("spring", "running"), lambda: NOW)

    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    status.stage("census", 0, None)
    assert (status.status.stage, (tmp_path / STATUS).exists()) == ("census", False)


def test_a_status_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """All fields; a file that is no status is named with a remedy."""
    status = Status("spring", "failed", blamed=("L01",), metrics={"auc": 0.8})
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status
    for wrong in ("{}", "[]", '{"run": 1', json.dumps(status.to_dict() | {"state": "gone"})):
        (tmp_path / STATUS).write_text(wrong)
        with pytest.raises(OperatorError, match="not a run's status"):
            read_status(tmp_path)


def test_a_power_cut_costs_what_was_told_within_a_stage_and_no_more(tmp_path: Path) -> None:
    """Who watches sees each answer; where that file is damaged or gone the stage's beginning is
    still there, and a run that has ended is told by its own file alone.
    """
    times = iter(range(10))
    kept = StatusFile(
        tmp_path, Status("spring", "running"), lambda: NOW + timedelta(seconds=next(times))
    )
    kept.stage("census", 0, None)
    kept.asking("census, masked input")
    kept.answered("L01", 1.5, 100)
    told = read_status(tmp_path)
    assert told is not None
    assert (told.phase, told.answered) == ("census, masked input", ("L01",))
    left = (tmp_path / WATCHING).read_bytes()
    for damage in (b"", b"[]", None):
        (tmp_path / WATCHING).unlink(missing_ok=True)
        if damage is not None:
            (tmp_path / WATCHING).write_bytes(damage)
        after = read_status(tmp_path)
        assert after is not None
        assert (after.stage, after.phase) == ("census", "")
    kept.finished("ab" * 32, {})
    (tmp_path / WATCHING).write_bytes(left)  # a power cut may bring it back
    ended = read_status(tmp_path)
    assert ended is not None
    assert ended.state == "finished"


def test_a_lender_that_only_ever_refused_is_listed_and_not_waited_for(tmp_path: Path) -> None:
    """With its reason; what is no code is not listed, and so many that never answered at most."""
    status = StatusFile(tmp_path, Status("spring", "running"), lambda: NOW)
    status.stage("census", 0, 5)
    status.answered("L01", 0.1, 10)
    status.missed("L05", "refused (operator error; see the lender's own log)")
    status.missed("the lender at node 7", "no answer in time")
    status.asking("census")
    found = status.status
    assert found.lenders["L05"].why.startswith("refused (operator error")
    assert set(found.lenders) == {"L01", "L05"}
    assert found.waiting == ("L01",)
    for number in range(MOST_LISTED + 5):
        status.missed(f"X{number}", "refused")
    assert len(status.status.lenders) == MOST_LISTED
