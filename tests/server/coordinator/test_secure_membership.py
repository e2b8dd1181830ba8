"""Who is in a set-up: lenders that come late or come back, slots that run out, too few members."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tampered_grid import node_of, without

from server.coordinator import set_up as set_up_file
from server.coordinator.checkpoint import Checkpoints, StageRecord
from server.coordinator.exchange import Policy, VoidStageError
from server.simulation.faults import Faults, parse_fault
from server.simulation.grid import InProcessGrid
from shared.training.run import Run
from tests.federation import Consortium, founded_in, model_of, study

HASTY = Policy(minimum=3, patience=2.0, deadline=30.0)
Wrap = Callable[[InProcessGrid], InProcessGrid]


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("members") / "run")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("plain") / "run", sums="plain")


def _records(consortium: Consortium) -> dict[str, StageRecord]:
    checkpoints = Checkpoints(consortium.folder / "stages")
    return {r.stage: r for r in checkpoints.replay(Run(consortium.agreement))[1]}


def _set_ups(consortium: Consortium) -> list[str]:
    return [record.stage for record in _records(consortium).values() if record.set_up[0]]


def _absent_while(consortium: Consortium, stages: dict[str, set[str]]) -> Wrap:
    """Lenders that are not connected while so many stages are released, by the next stage."""
    names = ["census", "refine", "bins", "trees/0", "trees/1", "mixture", "evaluation", "close"]

    def absent() -> set[str]:
        done = len(Checkpoints(consortium.folder / "stages").paths())
        return stages.get(names[min(done, len(names) - 1)], set())

    return lambda grid: without(grid, absent)


def test_one_set_up_serves_a_run_without_mishaps(consortium: Consortium):
    consortium.conducted()
    assert _set_ups(consortium) == ["census"]


def test_a_lender_that_comes_late_is_taken_in_before_the_next_training_stage(
    consortium: Consortium,
):
    """It is in no count, since it was not in the first; it is told all totals in the end."""
    late = {stage: {"L05"} for stage in ("census", "refine", "bins")}
    consortium.conducted(wrapped=_absent_while(consortium, late))
    records = _records(consortium)
    assert _set_ups(consortium) == ["census", "trees/0", "mixture"]
    for stage in ("trees/0", "trees/1", "close"):
        assert "L05" in records[stage].members
    for stage in ("mixture", "evaluation"):
        assert records[stage].members == ("L01", "L02", "L03", "L04")
        assert records[stage].missing == ("L05: not among the lenders of the first count",)
    assert (consortium.folder / "lenders" / "L05" / "own" / "result.json").exists()


def test_with_too_few_of_its_members_a_set_up_is_made_anew(consortium: Consortium):
    """Two of five are gone: four would have to open a sum of the old one, three of the new."""
    gone = {"trees/0": {"L04", "L05"}}
    consortium.conducted(wrapped=_absent_while(consortium, gone))
    records = _records(consortium)
    assert records["trees/0"].members == ("L01", "L02", "L03")
    assert records["trees/0"].missing == ("L04: not heard from", "L05: not heard from")
    assert records["trees/1"].members == ("L01", "L02", "L03", "L04", "L05")
    assert _set_ups(consortium) == ["census", "trees/0", "trees/1"]


def test_a_lender_on_the_roll_that_is_gone_does_not_cost_the_others_patience(
    consortium: Consortium,
):
    start = time.monotonic()
    consortium.conducted(wrapped=_absent_while(consortium, {"trees/0": {"L05"}}))
    assert _records(consortium)["trees/0"].missing == ("L05: not heard from",)
    assert time.monotonic() - start < 15  # patience is 30 seconds


def test_key_sets_that_run_out_are_followed_by_new_ones(
    consortium: Consortium, plain: Consortium, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(set_up_file, "_FEWEST_SLOTS", 2)
    monkeypatch.setattr(set_up_file, "_MOST_SLOTS", 2)
    assert model_of(consortium.conducted()) == model_of(plain.conducted())
    assert _set_ups(consortium) == ["census", "bins", "trees/1", "evaluation"]


def test_a_lender_that_can_never_be_taken_in_does_not_cost_a_set_up_at_every_stage(
    tmp_path: Path,
):
    consortium = founded_in(tmp_path / "run", asked=study(rounds=12))
    consortium.conducted(faults=Faults((parse_fault("drop L05 set-up/keys"),)))
    assert _set_ups(consortium) == ["census", "trees/0", "trees/4"]


def test_a_node_that_comes_back_under_another_number_is_found_out(
    consortium: Consortium, plain: Consortium
):
    """As when a lender's machine is replaced while the run stands still."""
    away = Faults((parse_fault("away L03 evaluation never"),))
    with pytest.raises(VoidStageError):
        consortium.conducted(faults=away, policy=HASTY)

    def renumbered(grid: InProcessGrid) -> InProcessGrid:
        old, new = node_of("L03"), 5000
        for table in (grid._contexts, grid._threads):
            table[new] = table.pop(old)
        return grid

    run = consortium.conducted(resume=True, wrapped=renumbered)
    assert model_of(run) == model_of(plain.conducted())


def test_every_total_of_a_run_with_changing_members_is_the_sum_of_its_members(
    consortium: Consortium, plain: Consortium
):
    gone = {"trees/0": {"L01", "L04"}, "trees/1": {"L02"}}
    pair = [c.conducted(wrapped=_absent_while(c, gone)) and c for c in (consortium, plain)]
    totals = [Checkpoints(one.folder / "stages").replay(Run(one.agreement))[0] for one in pair]
    for masked, bare in zip(*totals, strict=True):
        np.testing.assert_array_equal(masked, bare)


def test_keys_that_come_while_the_others_go_on_are_not_mixed_into_their_set_up(
    consortium: Consortium,
):
    """The late lender is taken in by the next set-up, with other keys."""
    slow = Faults((parse_fault("slow L03 set-up/keys 3.0"),))
    consortium.conducted(faults=slow, policy=HASTY)
    records = _records(consortium)
    assert records["census"].members == ("L01", "L02", "L04", "L05")
    assert records["census"].missing == ("the lender at node 1002: no answer in time",)
    assert records["bins"].members == ("L01", "L02", "L04", "L05")
    assert "L03" in records["close"].members


def test_answers_that_come_while_the_next_stage_is_asked_change_nothing(
    consortium: Consortium,
):
    """Shares for one round arrive during the next; lenders answer in order, so none is lost."""
    slow = Faults((parse_fault("slow L02 trees/0/unmask 3.0"),))
    run = consortium.conducted(faults=slow, policy=HASTY)
    records = _records(consortium)
    assert [code for code, _ in records["trees/0"].agreed] == ["L01", "L03", "L04", "L05"]
    assert "L02" in records["trees/0"].members
    assert records["trees/1"].missing == ("L02: still at work on an earlier question",)
    assert run.finished
