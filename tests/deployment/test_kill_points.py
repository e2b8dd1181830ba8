"""Processes killed while a run is under way: it ends with the same model, and nothing is lost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from server.coordinator.status import Status
from tests.deployment.consortium import Consortium, coordinator_of, founded
from tests.deployment.faults_page import (
    KILLS,
    by_itself,
    document,
    kills_section,
    late,
    summary,
    write_section,
)
from tests.deployment.kill_points import (
    BY_ITSELF,
    KINDS,
    MASKED,
    PHASES,
    SET_UP,
    TARGETS,
    UNMASK,
    Disturbed,
    Kill,
    at_work,
    killed,
    past,
    phase_of,
    stage_kinds,
    started,
)
from tests.deployment.other_faults import write_row
from tests.deployment.watched_run import Acknowledged

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS, SOAK_ROUNDS = 6, 10
"""Rounds of a run: with its other stages six more. Eight kills fall into its set-up of keys, one
into each stage: twenty, or in the soak twenty-four, take one run where none is missed.
"""
BUSY = 60.0
"""Seconds within which a run is to go on beside other tests; the soak has 30 s, on a machine of its
own. Where even starting takes long the bound is twice that: a killed process has to start again.
"""


def struck(
    home: Path,
    wanted: int,
    rounds: int = ROUNDS,
    say: Callable[[str], None] = print,
    ahead: int = 1,
) -> Disturbed:
    """So many kills, in as many runs as it takes; each run's seed is said before."""
    with started(founded(home)) as disturbed:
        disturbed.ahead = ahead
        seed = 0
        while len(disturbed.kills) < wanted:
            seed += 1
            before = len(disturbed.kills)
            say(f"run {seed}: seed {seed}, {before} kills so far")
            disturbed.run(f"run-{seed}", seed, wanted, rounds=rounds)
            assert len(disturbed.kills) > before, "a run without a kill: there will be no more"
        return disturbed


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_change_nothing(tmp_path: Path) -> None:
    """Each process of both sides at least twice, each phase of a stage at least four times, stages
    of each kind; the run goes on, nine times in ten by itself and soon, with no stage or journal
    line lost, to the model of the undisturbed run.
    """
    disturbed = struck(tmp_path, 20)
    about, kills = document(disturbed), disturbed.kills
    found = summary(about)
    assert (found["kill_points"], found["lost"]) == (20, 0), about
    assert by_itself(kills) >= 18, about
    assert all([kill.target for kill in kills].count(target) >= 2 for target in TARGETS), about
    phases = [phase_of(kill.phase) for kill in kills]
    assert all(phases.count(phase) >= 4 for phase in PHASES), about
    assert len({kill.cell for kill in kills}) == 20, about
    assert stage_kinds(kills) == KINDS, about
    assert late(kills, max(BUSY, 2 * disturbed.up)) == [], about
    assert len({(kill.seed, kill.stage) for kill in kills if kill.cell[1] != SET_UP}) >= 12, about


@pytest.mark.soak
def test_two_hundred_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As above, with each process in each phase, and stages of each kind; each time the run goes on
    soon. Only if all of this holds, its section of docs/faults.md is written; what was seen is in
    bench-out/faults.json in any case.
    """

    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)

    disturbed = struck(tmp_path, 200, SOAK_ROUNDS, say, ahead=3)
    about, kills = document(disturbed), disturbed.kills
    (REPOSITORY / "bench-out").mkdir(exist_ok=True)
    (REPOSITORY / "bench-out" / "faults.json").write_text(json.dumps(about, indent=1))
    assert summary(about)["lost"] == 0, summary(about)
    assert all(model == undisturbed for model, undisturbed in disturbed.models)
    assert {kill.cell for kill in kills} == set(product(TARGETS, PHASES))
    assert stage_kinds(kills) == KINDS
    assert late(kills) == []
    write_section(KILLS, kills_section(about))


@pytest.mark.soak
@pytest.mark.parametrize("at", [0, 8192], ids=["head", "page"])
def test_a_damaged_state_of_flowers_costs_no_run(at: int, tmp_path: Path) -> None:
    """The coordinator is killed in mid-run and its `state.db` damaged meanwhile: started again, the
    run goes on by itself to the model of the undisturbed one. If all held, its row of
    docs/faults.md is written.
    """
    with started(founded(tmp_path)) as disturbed:
        disturbed.command("start", "run-1", "--rounds", "4", "--detach")
        seen = Acknowledged(disturbed.consortium, disturbed.place("run-1"))
        disturbed.moved("run-1", lambda s: s.done >= 3 and bool(s.phase))
        seen.look()
        done, began = disturbed.status("run-1").done, time.monotonic()
        disturbed.running["coordinator"].process.kill()
        assert disturbed.running["coordinator"].stop() == -9
        database = disturbed.consortium.coordinator / "flower" / "state.db"
        content = database.read_bytes()
        database.write_bytes(content[:at] + b"\x5a" * 200 + content[at + 200 :])
        database.with_name("state.db-wal").unlink(missing_ok=True)  # its pages are newer
        disturbed.running["coordinator"] = coordinator_of(disturbed.consortium)
        disturbed.moved("run-1", lambda s: s.ended or s.done > done)
        seconds = time.monotonic() - began
        status = disturbed.moved("run-1", lambda s: s.ended)
        assert database.with_name("state.db.damaged").exists()
        assert (status.state, seen.look()) == ("finished", [])
        assert status.model == disturbed.undisturbed("run-1")
    where = "its head" if at == 0 else "a page"
    write_row(
        f"Flower's `state.db` damaged: {where}",
        "the coordinator is killed and started again; set aside, the run goes on by itself to the "
        "same model",
        seconds,
    )


def _none(home: Path) -> Disturbed:
    return Disturbed(Consortium(home, "127.0.0.1:1", home), {})


def _chosen(home: Path, phases: list[str], wanted: int) -> list[Kill]:
    """The kills that come of a run's phases, in this order."""
    disturbed, labels = _none(home), {SET_UP: "set-up/keys", MASKED: "b", UNMASK: "b/unmask"}
    for phase in phases:
        if disturbed.open_to(phase) and len(disturbed.kills) < wanted:
            target = disturbed.next_target(phase)
            disturbed.kills.append(Kill(1, target, "", "b", labels[phase], 1.0, "by itself"))
    assert len(disturbed.kills) == wanted
    return disturbed.kills


@pytest.mark.parametrize("first", [3, 5, 8])
def test_twenty_four_kills_are_one_of_each_process_in_each_phase(
    first: int, tmp_path: Path
) -> None:
    """However many of a set-up's exchanges can be struck in a run; no phase goes ahead of the
    others, and twenty have each process twice, each phase four times.
    """
    phases = ([SET_UP] * first + [MASKED, UNMASK] * 6) * 3
    kills = _chosen(tmp_path, phases, 24)
    assert {kill.cell for kill in kills} == set(product(TARGETS, PHASES))
    twenty = kills[:20]
    assert all([kill.target for kill in twenty].count(target) >= 2 for target in TARGETS)
    assert all([kill.cell[1] for kill in twenty].count(phase) >= 4 for phase in PHASES)


def test_the_last_kills_are_kept_for_kinds_of_stages_that_were_not_struck(tmp_path: Path) -> None:
    """A stage of a kind that was struck is struck again only while there are kills to spare."""
    disturbed = _none(tmp_path)
    disturbed.wanted = 9
    struck_in = ["census", "census", "trees/0", "trees/1"]
    disturbed.kills = [Kill(1, "run", "", one, one, 1.0, BY_ITSELF) for one in struck_in]
    assert not disturbed.spare("trees")
    assert all(disturbed.spare(kind) for kind in KINDS - {"census", "trees"})
    disturbed.wanted = 10
    assert disturbed.spare("trees")


def test_what_is_not_there_is_not_killed() -> None:
    """No number, a process that has ended, one that nobody has asked after: no kill; one at work
    is one.
    """
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert at_work(os.getpid())
        assert killed(process.pid)
        assert not killed(process.pid)  # it is there until it is waited for
    finally:
        process.communicate()
    assert process.returncode == -9
    assert not killed(process.pid)
    assert not killed(0)


def test_a_set_up_has_gone_on_when_a_lender_has_answered_in_another_exchange() -> None:
    """Not when the next is asked: what the kill broke may not be needed until then."""
    before = Status("r", "running", attempt=1, stage="census", phase="set-up/keys")
    asked = replace(before, phase="set-up/shares")
    assert not past(before, before)
    assert not past(replace(before, answered=("L01",)), before)
    assert not past(asked, before)
    assert past(replace(asked, answered=("L01",)), before)
    assert past(replace(before, attempt=2, answered=("L01",)), before)
    assert past(replace(before, done=1), before)
    masked = replace(before, phase="census")
    assert not past(replace(masked, phase="census/unmask", answered=("L01",)), masked)
