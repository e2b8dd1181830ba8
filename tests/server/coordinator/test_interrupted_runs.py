"""A run that stops anywhere and goes on ends with the model of an undisturbed one."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from server.coordinator.checkpoint import Checkpoints
from server.coordinator.exchange import Policy, VoidStageError
from server.simulation.faults import Faults, parse_fault
from shared.errors import OperatorError
from tests.federation import STAGES, Consortium, founded_in, model_of


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("interrupted") / "run")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model of a run that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    return model_of(founded_in(folder, sums="plain").conducted())


class PowerCutError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("durable", [False, True], ids=["before_its_file", "after_its_file"])
@pytest.mark.parametrize("number", range(len(STAGES)), ids=lambda number: STAGES[number])
def test_stopped_at_any_stage_and_resumed_the_model_is_the_same(
    number: int,
    durable: bool,
    consortium: Consortium,
    undisturbed: str,
    monkeypatch: pytest.MonkeyPatch,
):
    write = Checkpoints.write

    def cut_short(self, at, *rest):
        if at == number and not durable:
            raise PowerCutError
        write(self, at, *rest)
        if at == number:
            raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "write", cut_short)
        with pytest.raises(PowerCutError):
            consortium.conducted()
    files = [path.name for path in Checkpoints(consortium.folder / "stages").paths()]
    assert files == [f"{i:05d}.stage" for i in range(number + durable)]
    assert model_of(consortium.conducted(resume=True)) == undisturbed


def test_a_finished_run_resumed_asks_nobody_and_has_the_same_model(
    consortium: Consortium, undisturbed: str
):
    consortium.conducted()
    everybody_fails = Faults(tuple(parse_fault(f"error L01 {stage}") for stage in STAGES))
    assert model_of(consortium.conducted(resume=True, faults=everybody_fails)) == undisturbed
    assert everybody_fails.idle == everybody_fails.planned


def test_without_resume_a_run_starts_again(consortium: Consortium, undisturbed: str):
    consortium.conducted()
    run = consortium.conducted(faults=Faults((parse_fault("drop L01 census"),)))
    assert model_of(run) != undisturbed  # L01's rows were counted by nobody


def test_the_last_total_lost_the_round_is_opened_again(consortium: Consortium, undisturbed: str):
    """Its survivors and their answers are still there: the close had no round."""
    consortium.conducted()
    for path in Checkpoints(consortium.folder / "stages").paths()[-2:]:
        path.unlink()
    assert model_of(consortium.conducted(resume=True)) == undisturbed


def test_an_earlier_total_lost_no_lender_masks_its_numbers_again(consortium: Consortium):
    consortium.conducted()
    for path in Checkpoints(consortium.folder / "stages").paths()[-3:]:
        path.unlink()
    with pytest.raises(VoidStageError) as caught:
        consortium.conducted(resume=True)
    assert "stage mixture, masked input: 0 lenders answered, 4 are needed" in caught.value.what
    assert "L03: refused (again): the same update has been masked before" in caught.value.what
    assert "start a new run on new terms" in caught.value.remedy


def test_plain_sums_are_asked_again_as_often_as_one_likes(tmp_path: Path, undisturbed: str):
    plain = founded_in(tmp_path / "run", sums="plain")
    plain.conducted()
    for path in Checkpoints(plain.folder / "stages").paths()[-3:]:
        path.unlink()
    assert model_of(plain.conducted(resume=True)) == undisturbed


def test_a_void_stage_keeps_what_was_released_and_can_be_resumed(
    consortium: Consortium, undisturbed: str
):
    away = Faults(tuple(parse_fault(f"away L0{i} trees/1 never") for i in (1, 2, 3)))
    with pytest.raises(VoidStageError, match="trees/1"):
        consortium.conducted(faults=away, policy=Policy(3, patience=2.0, deadline=9.0))
    assert len(Checkpoints(consortium.folder / "stages").paths()) == STAGES.index("trees/1")
    assert model_of(consortium.conducted(resume=True)) == undisturbed


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_on_a_full_disk_nothing_is_handed_out_and_the_operator_is_told(
    call: str, consortium: Consortium, undisturbed: str, monkeypatch: pytest.MonkeyPatch
):
    """The third stage's total cannot be written: no lender is asked for the fourth stage."""
    stages = consortium.folder / "stages"
    asked: list[str] = []
    real = getattr(os, call)

    def full(*given):
        if len(list(stages.glob("*.stage"))) == 2 and list(stages.glob("*.partial")):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*given)

    def noting(grid):
        push = grid.push_messages
        grid.push_messages = lambda messages: [
            asked.extend(str(m.content["ask"]["stage"]) for m in messages),
            *push(messages),
        ][1:]
        return grid

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OperatorError) as caught:
            consortium.conducted(wrapped=noting)
    assert caught.value.what == f"{stages} cannot be written to: No space left on device"
    assert "free space" in caught.value.remedy
    assert "--resume" in caught.value.remedy
    asked_for = {stage.removesuffix("/unmask") for stage in asked if "set-up" not in stage}
    assert asked_for == {"census", "refine", "bins"}
    assert [path.name for path in Checkpoints(stages).paths()] == ["00000.stage", "00001.stage"]
    assert model_of(consortium.conducted(resume=True)) == undisturbed


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OperatorError, match="cannot be written to: Not a directory"):
        Checkpoints(tmp_path / "file" / "stages")


def test_a_model_that_cannot_be_written_is_told_and_the_run_is_not_lost(
    consortium: Consortium, undisturbed: str
):
    import shutil

    shutil.rmtree(consortium.folder / "model", ignore_errors=True)
    (consortium.folder / "model").write_text("in the way")
    with pytest.raises(OperatorError, match="model cannot be written to"):
        consortium.conducted()
    (consortium.folder / "model").unlink()
    assert model_of(consortium.conducted(resume=True)) == undisturbed


def test_every_stage_says_who_was_in_it_and_what_it_cost(consortium: Consortium):
    run = consortium.conducted(faults=Faults((parse_fault("error L02 trees/0"),)))
    from shared.training.run import Run

    totals, records = Checkpoints(consortium.folder / "stages").replay(Run(run.agreement))
    assert [record.stage for record in records] == list(STAGES)
    assert [record.missing for record in records if record.missing] == [("L02: unavailable",)]
    for record, total in zip(records, totals, strict=True):
        assert len(record.members) == 5 - len(record.missing)
        assert record.bytes_up >= np.ceil(len(record.members) * len(total) * 4)
        assert record.messages >= 10 - len(record.missing)
