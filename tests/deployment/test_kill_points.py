"""Processes killed while a run is under way: it ends with the same model, and nothing is lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment.consortium import founded
from tests.deployment.faults_page import KILLS, document, kills_section, summary, write_section
from tests.deployment.kill_points import TARGETS, Disturbed, started

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS = 18
"""Rounds of a run: with its other stages four more than twenty, for those that go by too quickly.
"""


def killed(home: Path, wanted: int, say: Callable[[str], None] = print) -> Disturbed:
    """So many kills, in as many runs as it takes; each run's seed is said before."""
    with started(founded(home)) as disturbed:
        seed = 0
        while len(disturbed.kills) < wanted:
            seed += 1
            say(f"run {seed}: seed {seed}, {len(disturbed.kills)} kills so far")
            disturbed.run(f"run-{seed}", seed, wanted, rounds=ROUNDS)
        return disturbed


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_change_nothing(tmp_path: Path) -> None:
    """Each process of both sides at least twice, in another stage each time; the run goes on, with
    no stage or journal line lost, to the model of the undisturbed run.
    """
    about = document(killed(tmp_path, 20))
    found = summary(about)
    assert (found["kill_points"], found["lost"]) == (20, 0), about
    targets = [kill["target"] for kill in about["kills"]]
    assert all(targets.count(target) >= 2 for target in TARGETS)
    assert len({(kill["seed"], kill["stage"]) for kill in about["kills"]}) == 20
    assert len({kill["stage"] for kill in about["kills"]}) >= 15


@pytest.mark.soak
def test_two_hundred_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As above; writes its section of docs/faults.md."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)

    about = document(killed(tmp_path, 200, say))
    (REPOSITORY / "bench-out").mkdir(exist_ok=True)
    (REPOSITORY / "bench-out" / "faults.json").write_text(json.dumps(about, indent=1))
    write_section(KILLS, kills_section(about))
    assert summary(about)["lost"] == 0, summary(about)
