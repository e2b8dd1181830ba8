"""`lianfang-server run …` as an operator and a script see it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import server.deployment.control
import server.deployment.runs
from server.cli import main
from server.coordinator.exchange import VoidStageError
from tests.deployment.consortium import TERMS
from tests.federation import STAGES
from tests.server.deployment.coordinator_folder import (
    CoordinatorFolder,
    PretendedSuperLink,
    coordinator_in,
)

GONE = [f"drop L0{i} trees/1" for i in (1, 2, 3)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CoordinatorFolder:
    made = coordinator_in(tmp_path)
    (made.folder / "consortium.toml").write_text(TERMS.format(gate=1, enrol=2))

    @contextmanager
    def pretended(folder: Path) -> Iterator[PretendedSuperLink]:
        yield made.superlink

    monkeypatch.setattr(server.deployment.control, "control_of", pretended)
    return made


def _run(place: CoordinatorFolder, *words: str) -> int:
    command, *others = words
    return main(["run", command, str(place.folder), *others])


def _started(place: CoordinatorFolder, *words: str) -> None:
    assert _run(place, "start", "spring", "--detach", *words) == 0
    for home in place.lenders.homes:  # as a lender's node fetches the terms at the gate
        shutil.copy(place.folder / "runs" / "spring" / "agreement.json", home)


def test_a_run_is_started_on_the_consortiums_terms(
    place: CoordinatorFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Family, rounds and seed may be said; what members would refuse is refused before."""
    _started(place, "--family", "network", "--seed", "7")
    terms = json.loads((place.folder / "runs" / "spring" / "agreement.json").read_text())
    assert (terms["family"], terms["rounds"], terms["seed"]) == ("network", 2, 7)
    assert terms["name"] == "three tiny lenders: spring"
    assert "run status" in capsys.readouterr().out
    assert _run(place, "start", "autumn", "--rounds", "0") == 2
    assert not (place.folder / "runs" / "autumn").exists()


def test_a_finished_run_is_told_in_full(
    place: CoordinatorFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 when it is finished, 1 before; the table has every stage and lender, JSON all fields."""
    _started(place)
    assert _run(place, "status", "spring") == 1
    place.carry()
    capsys.readouterr()
    assert _run(place, "status", "spring") == 0
    told = capsys.readouterr().out
    assert all(stage in told for stage in STAGES)
    assert all(f"L0{i}" in told for i in range(1, 6))
    assert "run spring: finished" in told
    assert _run(place, "status", "spring", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [stage["stage"] for stage in document["stages"]] == list(STAGES)
    assert document["lenders"]["L01"]["stages"] == len(STAGES)
    assert _run(place, "list", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["run"], listed["state"]) == ("spring", "finished")


def test_a_failed_run_exits_with_3_and_names_lender_phase_and_remedy(
    place: CoordinatorFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also for who waits for it; Flower's own command would exit with 0."""
    _started(place)
    with pytest.raises(VoidStageError):
        place.carry(*GONE)
    capsys.readouterr()
    for words in (["status", "spring"], ["status", "spring", "--watch"]):
        assert _run(place, *words) == 3
        told = " ".join(capsys.readouterr().out.split())
        assert "failed at: trees/1, masked input" in told
        assert "lenders: L01, L02, L03" in told
        assert "remedy:" in told
        assert "lianfang-server run resume spring" in told
    assert _run(place, "status", "spring", "--json") == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["blamed"] == ["L01", "L02", "L03"]
    assert "failed at: trees/1" in err
    assert _run(place, "resume", "spring", "--detach") == 0
    place.carry()
    assert _run(place, "status", "spring", "--watch") == 0


def test_a_stopped_run_can_be_resumed(
    place: CoordinatorFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped is 3 for who waits; what is unknown is 2, with the runs there are."""
    _started(place)
    assert _run(place, "stop", "spring") == 0
    assert _run(place, "status", "spring") == 3
    assert _run(place, "resume", "spring", "--detach", "--json") == 0
    assert _run(place, "stop", "autumn") == 2
    assert "runs here: spring" in capsys.readouterr().err


def test_who_waits_for_a_run_that_nobody_works_on_is_told(
    place: CoordinatorFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run whose process is gone and that nobody takes up again does not keep its watcher."""
    import server.commands.runs as commands

    _started(place)
    place.superlink.ended[1] = "failed"
    for name, seconds in (("_ASK", 0.0), ("_GRACE", 0.05), ("_LOOK", 0.01)):
        monkeypatch.setattr(commands, f"{name}_SECONDS", seconds)
    assert _run(place, "status", "spring", "--watch") == 2
    assert "was interrupted" in capsys.readouterr().err


def test_nothing_is_asked_where_nothing_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a SuperLink is an operator's error with the command that starts one."""
    made = coordinator_in(tmp_path)
    (made.folder / "consortium.toml").write_text(TERMS.format(gate=1, enrol=2))
    assert main(["run", "start", str(made.folder), "spring"]) == 2
    assert "lianfang-server start" in capsys.readouterr().err
    assert not (made.folder / "runs").exists()


def test_one_damaged_status_hides_no_other_run(
    place: CoordinatorFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """`list` shows the others and names the file; before it was damaged it showed both."""
    for name in ("spring", "autumn"):
        assert _run(place, "start", name, "--detach", "--json") == 0
    capsys.readouterr()
    assert _run(place, "list", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    (place.folder / "runs" / "spring" / "status.json").write_bytes(b"")
    assert _run(place, "list", "--json") == 0
    told = capsys.readouterr()
    assert [run["run"] for run in json.loads(told.out)] == ["autumn"]
    assert "spring/status.json: it is not a run's status" in told.err


def test_a_run_whose_answers_would_be_too_long_is_not_founded(
    place: CoordinatorFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is told, and nothing is there; with the usual bound it is started."""
    with monkeypatch.context() as patch:
        patch.setattr(server.deployment.runs, "MOST_VALUES", 1000)
        assert _run(place, "start", "spring", "--detach") == 2
    assert "stage census may have" in capsys.readouterr().err
    assert not (place.folder / "runs").exists()
    _started(place)
