"""Lenders that drop out of a secure run, in every phase: the exact sum of those who are in it, as
plain sums give it, or a void stage that names lender, phase and remedy.
"""

import functools
from pathlib import Path

import numpy as np
import pytest

from server.coordinator.checkpoint import Checkpoints, StageRecord
from server.coordinator.exchange import Policy, VoidStageError
from server.simulation.faults import Faults, parse_fault
from shared.training.run import Run
from tests.federation import STAGES, Consortium, founded_in, model_of, table

HASTY = Policy(minimum=3, patience=2.0, deadline=30.0)
Records = dict[str, StageRecord]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("secure") / "run")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("plain") / "run", sums="plain")


def _ended(consortium: Consortium, *faults: str) -> tuple[dict[str, bytes], Records]:
    """Totals and records of a run with these faults, stage by stage."""
    consortium.conducted(faults=_faults(*faults))
    return _released(consortium)


@functools.cache
def _bare(plain: Consortium, *faults: str) -> dict[str, bytes]:
    """Totals of a plain run with these faults: the same each time."""
    return _ended(plain, *faults)[0]


def _void(consortium: Consortium, *faults: str) -> VoidStageError:
    with pytest.raises(VoidStageError) as caught:
        consortium.conducted(faults=_faults(*faults), policy=HASTY)
    return caught.value


def _faults(*texts: str) -> Faults:
    return Faults(tuple(parse_fault(text) for text in texts))


def _released(consortium: Consortium) -> tuple[dict[str, bytes], Records]:
    checkpoints = Checkpoints(consortium.folder / "stages")
    totals, records = checkpoints.replay(Run(consortium.agreement))
    names = [record.stage for record in records]
    texts = [np.ascontiguousarray(total, "<i8").tobytes() for total in totals]
    return dict(zip(names, texts, strict=True)), dict(zip(names, records, strict=True))


def test_every_total_of_a_secure_run_is_the_plain_one_byte_for_byte(
    secure: Consortium, plain: Consortium
):
    assert _ended(secure)[0] == _bare(plain)


@pytest.mark.parametrize("lender", ["L01", "L03", "L05"])
@pytest.mark.parametrize("kind", ["drop", "error"])
def test_a_lender_missing_from_a_training_stage_is_in_its_total_in_neither_way(
    kind: str, lender: str, secure: Consortium, plain: Consortium
):
    fault = f"{kind} {lender} trees/0"
    masked, records = _ended(secure, fault)
    assert masked == _bare(plain, fault)
    assert records["trees/0"].missing == (f"{lender}: unavailable",)
    assert all(len(one.members) == 5 for one in records.values() if one.stage != "trees/0")


@pytest.mark.parametrize("stage", ["census", "trees/1", "evaluation"])
@pytest.mark.parametrize("kind", ["drop", "error"])
def test_a_lender_that_does_not_help_to_open_a_sum_is_in_it_all_the_same(
    kind: str, stage: str, secure: Consortium, plain: Consortium
):
    totals, records = _ended(secure, f"{kind} L03 {stage}/unmask")
    assert totals == _bare(plain)
    assert [code for code, _ in records[stage].agreed] == ["L01", "L02", "L04", "L05"]
    assert all(len(record.members) == 5 for record in records.values())


@pytest.mark.parametrize("phase", ["keys", "shares", "ready"])
def test_a_lender_missing_from_a_set_up_takes_no_part_and_the_others_do(
    phase: str, secure: Consortium, plain: Consortium
):
    """It stays out of the counts for good: with it they would be others than the first."""
    totals, records = _ended(secure, f"drop L03 set-up/{phase}")
    everywhere = [f"drop L03 {stage}" for stage in STAGES if stage != "close"]
    assert totals == _bare(plain, *everywhere)
    assert {record.members for record in records.values() if record.stage != "close"} == {
        ("L01", "L02", "L04", "L05")
    }
    who = "the lender at node 1002" if phase == "keys" else "L03"  # nobody knows yet whose that is
    assert records["census"].missing == (f"{who}: unavailable",)
    assert "L03" in records["close"].members


def test_a_lender_missing_from_the_first_count_trains_along_but_is_counted_no_more(
    secure: Consortium, plain: Consortium
):
    totals, records = _ended(secure, "drop L03 census")
    counts = [stage for stage in STAGES if stage[:5] not in ("trees", "close")]
    assert totals == _bare(plain, *[f"drop L03 {stage}" for stage in counts])
    assert records["refine"].missing == ("L03: not among the lenders of the first count",)
    assert "L03" in records["trees/0"].members


def test_a_lender_that_is_away_for_a_while_takes_part_again_without_a_new_set_up(
    secure: Consortium,
):
    _, records = _ended(secure, "away L03 trees/0 trees/1")
    assert records["trees/0"].missing == ("L03: unavailable",)
    assert "L03" in records["mixture"].members
    assert [one.stage for one in records.values() if one.set_up[0]] == ["census"]


@pytest.mark.parametrize("stage", ["refine", "bins", "mixture", "evaluation"])
def test_a_count_without_a_lender_of_the_first_is_void_and_says_why(stage: str, secure: Consortium):
    """Beside the first it would show that lender's numbers."""
    void = _void(secure, f"drop L03 {stage}")
    assert f"stage {stage}, masked input: counts are added up over the same lenders" in void.what
    assert "\n  L03: unavailable" in void.what
    assert void.remedy.startswith("bring L03 back, then run the same command with --resume")


def test_a_lender_missing_at_the_evaluation_is_brought_back_and_the_run_ends(
    secure: Consortium, plain: Consortium
):
    _void(secure, "away L03 evaluation never")
    secure.conducted(resume=True)
    assert _released(secure)[0] == _bare(plain)


def test_below_the_threshold_no_sum_is_opened_for_and_the_phase_is_named(secure: Consortium):
    void = _void(secure, "drop L02 trees/0", "drop L04 trees/0")
    assert "stage trees/0, masked input: 3 lenders answered, 4 are needed" in void.what
    assert "\n  L02: unavailable\n  L04: unavailable" in void.what
    assert "start a new run on new terms" in void.remedy


def test_a_sum_that_too_few_open_is_void_and_opened_when_they_are_back(
    secure: Consortium, plain: Consortium
):
    void = _void(secure, "drop L02 trees/0/unmask", "drop L04 trees/0/unmask")
    assert "stage trees/0, unmasking: 3 lenders answered, 4 are needed" in void.what
    assert "\n  L02: unavailable\n  L04: unavailable" in void.what
    asked: list[str] = []
    secure.conducted(resume=True, wrapped=lambda grid: _noting(grid, asked))
    assert asked[0] == "trees/0/unmask"  # nobody masks again
    assert _released(secure)[0] == _bare(plain)


def test_a_set_up_with_too_few_lenders_is_void(secure: Consortium):
    void = _void(secure, *[f"drop L0{i} set-up/keys" for i in (1, 2, 3)])
    assert "stage census, set-up: 2 lenders sent their keys, 3 are needed" in void.what
    assert "\n  the lender at node 1000: unavailable" in void.what


def _noting(grid, asked: list[str]):
    push = grid.push_messages

    def noted(messages):
        messages = list(messages)
        asked.extend(str(message.content["ask"]["stage"]) for message in messages)
        return push(messages)

    grid.push_messages = noted
    return grid


@pytest.mark.parametrize(
    ("lenders", "lost"), [(3, 0), (4, 1), (5, 1), (12, 3)], ids=lambda number: str(number)
)
def test_as_many_may_be_lost_in_training_as_the_threshold_leaves(
    lenders: int, lost: int, tmp_path: Path
):
    """⌊2n/3⌋ + 1 of n open a sum; with one fewer the stage is void."""
    frame = table(tuple(60 - i for i in range(lenders)))
    pair = [founded_in(tmp_path / sums, frame, sums=sums) for sums in ("secure", "plain")]
    gone = [f"drop L{i + 1:02d} trees/0" for i in range(lost + 1)]
    masked, bare = (_ended(consortium, *gone[:lost])[0] for consortium in pair)
    assert masked == bare
    void = _void(pair[0], *gone)
    assert f"{lenders - lost - 1} lenders answered, {lenders - lost} are needed" in void.what


def test_a_slow_lender_does_not_hold_up_the_next_stages_and_comes_back(secure: Consortium):
    secure.conducted(faults=_faults("slow L02 trees/0 3.0"), policy=HASTY)
    records = _released(secure)[1]
    assert records["trees/0"].missing == ("L02: no answer in time",)
    assert records["trees/1"].missing == ("L02: still at work on an earlier question",)
    assert "L02" in records["mixture"].members


def test_the_model_is_that_of_the_plain_run(secure: Consortium, plain: Consortium):
    assert model_of(secure.conducted()) == model_of(plain.conducted())
