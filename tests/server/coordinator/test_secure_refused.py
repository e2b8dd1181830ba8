"""What a secure run tells of lenders that refuse, lose their keys, or lie together; and that it
keeps to itself what it writes.
"""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tampered_grid import changed

from client.lender import Lender
from server.coordinator.checkpoint import Checkpoints
from server.coordinator.exchange import Policy, VoidStageError
from server.simulation.assessment import _absences
from server.simulation.faults import Faults, parse_fault
from server.simulation.grid import InProcessGrid
from server.simulation.outcome import read_outcome
from shared.errors import OperatorError
from shared.secure_sum.floors import RefusedError
from shared.training.run import Run
from tests.federation import Consortium, founded_in, model_of

HASTY = Policy(minimum=3, patience=2.0, deadline=30.0)


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("refused") / "run")


@pytest.fixture(autouse=True)
def _no_earlier_refusals(consortium: Consortium) -> None:
    shutil.rmtree(consortium.folder / "refusals", ignore_errors=True)


def _before(stage: str, act: Callable[[], None]) -> Callable[[InProcessGrid], InProcessGrid]:
    """A grid that does something once, when the first question of a stage is sent."""

    def wrap(grid: InProcessGrid) -> InProcessGrid:
        push, done = grid.push_messages, []

        def pushed(messages):
            messages = list(messages)
            if not done and any(m.content["ask"]["stage"] == stage for m in messages):
                done.append(act())
            return push(messages)

        grid.push_messages = pushed  # type: ignore[method-assign]
        return grid

    return wrap


def _evidence(consortium: Consortium, name: str) -> dict:
    text = (consortium.folder / "refusals" / name).read_text(encoding="utf-8")
    found = json.loads(text)
    assert found["checked"] is True
    return found


def test_a_lender_that_lost_its_keys_ends_a_counted_stage_with_its_own_remedy(
    consortium: Consortium,
):
    """At once, too: it has said by signature that waiting is of no use."""
    vault = consortium.folder / "lenders" / "L03" / "own" / "vault"
    with pytest.raises(VoidStageError) as caught:
        consortium.conducted(wrapped=_before("evaluation", lambda: shutil.rmtree(vault)))
    assert "L03: refused (no-keys): this lender has no keys any more" in caught.value.what
    assert "the lost keys of L03 cannot be made again" in caught.value.remedy
    assert "start a new run on new terms" in caught.value.remedy
    assert "bring L03 back" not in caught.value.remedy
    found = _evidence(consortium, "001-L03-no-keys.json")
    assert (found["stage"], len(found["round"])) == ("evaluation", 64)
    assert found["attempt"] == 1


def test_a_question_refused_for_its_stage_is_kept_with_what_the_coordinator_signed(
    consortium: Consortium, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """L04 finds no training stage due: told once in each log, kept each time."""
    real = Lender._due

    def refusing(self: Lender, ask):
        if self.member == "L04" and ask.stage.startswith("trees"):
            raise RefusedError("stage", expected="bins", came=ask.stage)
        return real(self, ask)

    monkeypatch.setattr(Lender, "_due", refusing)
    with caplog.at_level(logging.WARNING):
        consortium.conducted()
    found = _evidence(consortium, "001-L04-stage.json")
    assert found["asked"].startswith(f"lianfang/ask/v1|{consortium.agreement.digest()}|trees/0|")
    assert _evidence(consortium, "002-L04-stage.json")["stage"] == "trees/1"
    told = [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]
    assert len([line for line in told if line.startswith("L04: question refused")]) == 1
    assert [line for line in told if line.startswith("stage ")] == [
        "stage trees/0 went on without L04: refused (stage): a stage is asked where another is due "
        "(expected bins, came trees/0)",
    ]


def test_a_lender_whose_settings_are_wrong_is_called_by_its_code(consortium: Consortium):
    settings = consortium.folder / "lenders" / "L03" / "client.toml"
    text = settings.read_text()
    settings.write_text(text + "\n[floors]\nminimum_cohrt = 5\n")
    try:
        with pytest.raises(VoidStageError) as caught:
            consortium.conducted(policy=replace(HASTY, minimum=5))
    finally:
        settings.write_text(text)
    assert "L03: refused (operator error; see the lender's own log)" in caught.value.what
    assert "mend what the own log of L03 names" in caught.value.remedy
    assert "bring" not in caught.value.remedy


def test_a_lender_lost_in_unmasking_is_warned_of_once(
    consortium: Consortium, caplog: pytest.LogCaptureFixture
):
    """Its numbers are in the sum, so that no other warning names it."""
    lost = [parse_fault(f"drop L03 {stage}/unmask") for stage in ("bins", "trees/0", "trees/1")]
    with caplog.at_level(logging.WARNING):
        consortium.conducted(faults=Faults(tuple(lost)))
    assert [r.getMessage() for r in caplog.records if "L03" in r.getMessage()] == [
        "stage bins was opened without the help of L03: unavailable"
    ]
    _, records = Checkpoints(consortium.folder / "stages").replay(Run(consortium.agreement))
    lost = {record.stage: record.lost for record in records if record.lost}
    assert lost == dict.fromkeys(("bins", "trees/0", "trees/1"), ("L03: unavailable",))
    assert all(record.missing == () for record in records)
    assert _absences(read_outcome(consortium.folder, consortium.book)) == [
        "3 stages, bins the first, opened without the help of L03: unavailable (its numbers are in "
        "the sum)"
    ]


def test_two_liars_void_a_stage_that_says_so_and_goes_on_when_they_stop(
    consortium: Consortium, caplog: pytest.LogCaptureFixture
):
    """One liar among five is made up for: four open a sum. Two are too many."""

    def lie(label, reply):
        return replace(reply, shares=reply.shares[::-1]) if label == "trees/0/unmask" else reply

    both = [changed(code, lie) for code in ("L02", "L04")]
    with pytest.raises(VoidStageError) as caught:
        consortium.conducted(wrapped=lambda grid: both[1](both[0](grid)))
    assert "stage trees/0, unmasking: the shares of " in caught.value.what
    assert "two or more of those who answered sent wrong shares" in caught.value.what
    assert "nothing was released" in caught.value.what
    assert "with --resume, which asks every lender for its answer once more" in caught.value.remedy
    assert "start a new run on new terms without it" in caught.value.remedy
    run = consortium.conducted(resume=True)
    assert "wrong" not in caplog.text
    assert model_of(run) == model_of(consortium.conducted(wrapped=both[0]))  # one liar: no harm
    assert "without the help of L02: its shares were wrong" in caplog.text


def _tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(paths)
    }


@pytest.mark.parametrize("ended", ["in the first round", "in the middle", "finished"])
def test_a_secure_run_that_began_is_not_begun_again(
    consortium: Consortium, ended: str, monkeypatch: pytest.MonkeyPatch
):
    """Lenders would refuse to mask again, and what was released would be lost: nobody is asked, and
    nothing is changed. --resume goes on.
    """
    whole = model_of(consortium.conducted())
    if ended != "finished":
        stage = "census" if ended == "in the first round" else "trees/1"
        away = tuple(parse_fault(f"away L0{i} {stage}/unmask never") for i in (1, 2, 3))
        with pytest.raises(VoidStageError):
            consortium.conducted(faults=Faults(away), policy=HASTY)
    before = _tree(consortium.folder)
    with monkeypatch.context() as patch:
        patch.setattr(Consortium, "lenders_forget", lambda self: None)
        patch.setattr(Consortium, "coordinator_forgets", lambda self: None)
        with pytest.raises(OperatorError) as caught:
            consortium.conducted(wrapped=_before("set-up/keys", lambda: pytest.fail("asked")))
    assert "has begun" in caught.value.what
    assert "--resume" in caught.value.remedy
    assert "new folder, on new terms" in caught.value.remedy
    assert _tree(consortium.folder) == before
    assert model_of(consortium.conducted(resume=True)) == whole


def test_what_a_run_writes_is_its_owners_alone(consortium: Consortium):
    """Statements, totals, evidence and the model; a run's folder that was open is closed."""
    consortium.folder.chmod(0o755)
    shutil.rmtree(consortium.folder / "rounds", ignore_errors=True)
    shutil.rmtree(consortium.folder / "stages", ignore_errors=True)
    shutil.rmtree(consortium.folder / "model", ignore_errors=True)
    vault = consortium.folder / "lenders" / "L03" / "own" / "vault"
    consortium.conducted(wrapped=_before("evaluation/unmask", lambda: shutil.rmtree(vault)))
    assert consortium.folder.stat().st_mode & 0o777 == 0o700
    for name in ("rounds", "stages", "model", "refusals"):
        kept = [consortium.folder / name, *(consortium.folder / name).iterdir()]
        assert len(kept) > 1
        assert {p.stat().st_mode & 0o777 for p in kept} == {0o700, 0o600}
        assert all(p.stat().st_mode & 0o777 == (0o700 if p.is_dir() else 0o600) for p in kept)
