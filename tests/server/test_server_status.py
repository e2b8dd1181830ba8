"""`lianfang-server status` and `verify` on runs in every state."""

import json
from pathlib import Path

import pytest

from server.cli import main
from server.coordinator.exchange import Policy, VoidStageError
from server.simulation.faults import Faults, parse_fault
from tests.federation import STAGES, Consortium, founded_in

HASTY = Policy(minimum=3, patience=1.0, deadline=30.0)


@pytest.fixture
def consortium(tmp_path: Path) -> Consortium:
    return founded_in(tmp_path / "run")


def _stopped(consortium: Consortium, *faults: str) -> None:
    with pytest.raises(VoidStageError):
        consortium.conducted(faults=Faults(tuple(map(parse_fault, faults))), policy=HASTY)


def _status(consortium: Consortium, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    code = main(["status", str(consortium.folder), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_finished_run_is_listed_and_verified(
    consortium: Consortium, capsys: pytest.CaptureFixture[str]
):
    consortium.conducted()
    code, told = _status(consortium, capsys)
    assert (code, told["finished"], told["open"]) == (0, True, None)
    assert [stage["stage"] for stage in told["stages"]] == list(STAGES)
    assert len(told["stages"][0]["agreed"]) == 4  # the threshold of five
    assert main(["status", str(consortium.folder)]) == 0
    assert "8 stages; finished" in capsys.readouterr().out
    assert main(["verify", str(consortium.folder)]) == 0
    assert capsys.readouterr().out.startswith("verified: ")


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("drop {} trees/1", "trees/1 is open (slot 4): masked inputs are being collected"),
        (
            "drop {} trees/1/unmask",
            "trees/1 is open (slot 4): the sum of L01, L02, L03, L04, L05 waits to be unmasked",
        ),
    ],
)
def test_the_phase_of_an_open_stage_is_told(
    fault: str, state: str, consortium: Consortium, capsys: pytest.CaptureFixture[str]
):
    _stopped(consortium, fault.format("L01"), fault.format("L02"))
    code, told = _status(consortium, capsys)
    assert (code, told["finished"], told["open"]) == (1, False, state)
    assert main(["status", str(consortium.folder)]) == 1
    assert f"4 stages; {state}" in capsys.readouterr().out


def test_between_two_stages_the_next_is_told(
    consortium: Consortium, capsys: pytest.CaptureFixture[str]
):
    assert main(["status", str(consortium.folder)]) == 1
    assert "0 stages; next: census" in capsys.readouterr().out
    assert not (consortium.folder / "rounds").exists()  # looking writes nothing
