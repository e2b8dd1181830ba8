"""A run of real processes that comes to nothing says so: status, words and record agree."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.coordinator.status import read_status
from server.deployment.control import control_of
from server.deployment.runs import RUNS, at_work, read_started
from tests.deployment.consortium import Consortium, awaited, coordinator_of, founded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """A coordinator whose lenders are not there."""
    made = founded(tmp_path_factory.mktemp("alone"))
    command = coordinator_of(made)
    try:
        command.line(120.0)
        yield made
    finally:
        command.stop()


def _run(consortium: Consortium, word: str, name: str, *options: str) -> tuple[int, str]:
    words = [sys.executable, "-P", "-m", "server.cli", "run", word, str(consortium.coordinator)]
    done = subprocess.run(
        [*words, name, *options], cwd=consortium.home, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def _ended(consortium: Consortium, name: str) -> str:
    number = read_started(_place(consortium, name)).flower_run
    with control_of(consortium.coordinator) as control:
        found = control.run(number)
    assert found is not None
    return found.ended


def _place(consortium: Consortium, name: str) -> Path:
    return consortium.coordinator / RUNS / name


def test_a_run_without_lenders_fails_loudly(alone: Consortium) -> None:
    """Exit status 3 with stage, phase and remedy for who waited; the SuperLink has it as failed."""
    code, told = _run(alone, "start", "spring", "--patience", "1", "--deadline", "3", "--json")
    document = json.loads(told)
    assert (code, document["state"]) == (3, "failed")
    assert "set-up" in document["where"]
    assert "lianfang-server run resume spring" in document["remedy"]
    awaited(lambda: _ended(alone, "spring") == "failed")
    assert not at_work(_place(alone, "spring"))


def test_a_stopped_run_is_over_on_both_sides(alone: Consortium) -> None:
    """Its process is gone, the SuperLink has it as stopped, and it can go on later."""
    assert _run(alone, "start", "autumn", "--patience", "600", "--detach")[0] == 0
    awaited(lambda: at_work(_place(alone, "autumn")), 60.0)
    assert _run(alone, "stop", "autumn")[0] == 0
    assert not at_work(_place(alone, "autumn"))
    assert (_ended(alone, "autumn"), _run(alone, "status", "autumn")[0]) == ("stopped", 3)
    status = read_status(_place(alone, "autumn"))
    assert status is not None
    code, told = _run(alone, "resume", "autumn", "--patience", "1", "--deadline", "3", "--json")
    assert (code, json.loads(told)["attempt"]) == (3, status.attempt + 1)
