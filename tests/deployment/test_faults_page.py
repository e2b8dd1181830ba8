"""The page of kill points says what was measured, and counts what was lost."""

from dataclasses import asdict
from typing import Any

from tests.deployment.faults_page import page, summary
from tests.deployment.kill_points import Kill

KILLS = (
    Kill(1, "run", "", "census", "set-up/keys", 4.0, "by itself"),
    Kill(1, "run", "", "refine", "refine", 8.0, "void, resumed by command"),
    Kill(2, "lender", "L02", "bins", "bins/unmask", 6.0, "by itself", ("outbox of L02",)),
)


def _about(*models: tuple[str, str]) -> dict[str, Any]:
    kills = [asdict(kill) for kill in KILLS]
    return {"machine": "2 cores", "date": "2027-03-01", "kills": kills, "models": models}


def test_what_was_lost_is_counted() -> None:
    """Acknowledged things that are gone, and models that are not the undisturbed run's."""
    assert summary(_about(("a", "a"))) == {"resume_s_max": 8.0, "kill_points": 3, "lost": 1}
    assert summary(_about(("a", "a"), ("b", "c")))["lost"] == 2


def test_the_page_has_a_row_for_each_process_and_phase() -> None:
    """With how many went on by themselves; one that was not killed has a row too."""
    text = page(_about(("a", "a"), ("b", "b")))
    assert "3 kills (`kill -9`), 2 run(s)" in text
    assert "seed(s) 1, 2. 2 of 2 ended" in text
    assert "| the run's process at the coordinator | 2 | 6.0 | 8.0 | 1 of 2 | 0 |" in text
    assert "| the gate | 0 | – | – | 0 of 0 | 0 |" in text
    assert "| unmasking | 1 | 6.0 | 6.0 |" in text
