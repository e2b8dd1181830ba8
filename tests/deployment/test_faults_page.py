"""The page of faults says what was measured, and counts what was lost."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tests.deployment.faults_page import (
    KILLS,
    SOON,
    Row,
    kills_section,
    late,
    rows_section,
    section_of,
    summary,
    with_section,
)
from tests.deployment.kill_points import Kill
from tests.deployment.other_faults import OTHERS, write_not_run, write_row

SOME = (
    Kill(1, "run", "", "census", "set-up/keys", 4.0, "by itself"),
    Kill(1, "run", "", "refine", "refine", 8.0, "void, resumed by command"),
    Kill(2, "lender", "L02", "bins", "bins/unmask", 31.0, "by itself", ("outbox of L02",)),
)


def _about(*models: tuple[str, str]) -> dict[str, Any]:
    kills = [asdict(kill) for kill in SOME]
    about = {"machine": "2 cores", "date": "2027-03-01", "load": 2.25}
    return about | {"kills": kills, "models": models}


def test_what_was_lost_is_counted() -> None:
    """Acknowledged things that are gone, and models that are not the undisturbed run's."""
    assert summary(_about(("a", "a"))) == {"resume_s_max": 31.0, "kill_points": 3, "lost": 1}
    assert summary(_about(("a", "a"), ("b", "c")))["lost"] == 2


def test_there_is_a_row_for_each_process_and_phase() -> None:
    """With how often it was struck in each phase, and how many went on by themselves; one that was
    not killed has a row too.
    """
    text = kills_section(_about(("a", "a"), ("b", "b")))
    assert text.startswith("2027-03-01, 2 cores. Load at the end, its own included: 2.2.")
    assert "3 kills (`kill -9`), 2 run(s)" in text
    assert "seeds 1 to 2 (" in text
    assert "2 of 2 ended" in text
    assert "3 of 24 cells" in text
    assert "of these kinds: bins, census, refine." in text
    row = "| the run's process at the coordinator | 1 | 1 | 0 | 6.0 | 8.0 | 1 of 2 | 0 |"
    assert row in text
    assert "| the gate | 0 | 0 | 0 | – | – | 0 of 0 | 0 |" in text
    assert "| unmasking | 1 | 31.0 | 31.0 | 1 of 1 |" in text


def test_the_page_says_whether_runs_went_on_by_themselves_and_soon() -> None:
    """A run that was resumed by command did not, however quick that was; a slow one is told."""
    text = kills_section(_about(("a", "a")))
    assert "By itself the run went on after 2 of 3 kills, the longest after 31.0 s" in text
    assert "within 30 s after 1 of 3: the bound of 30 s does **not** hold for all" in text
    assert "After the other 1 the stage came to nothing (void)" in text
    good = _about(("a", "a"))
    good["kills"] = good["kills"][:1]
    assert "within 30 s after 1 of 1: the bound of 30 s holds. Seconds" in kills_section(good)


def test_a_kill_after_which_a_run_did_not_go_on_soon_is_told() -> None:
    """One at the bound is soon enough; one past it is not, by itself or by a command."""
    assert late(SOME) == [SOME[2]]
    assert late([replace(SOME[1], seconds=SOON), SOME[0]]) == []
    slow = replace(SOME[1], seconds=SOON + 0.1)
    assert late([slow]) == [slow]


def test_a_section_takes_the_place_of_its_earlier_self_alone() -> None:
    """A soak of one kind keeps what the others wrote; a page of another form is begun anew."""
    page = with_section("# something older\n", KILLS, "three kills")
    page = with_section(page, "Connections", "| a | table |")
    again = with_section(page, KILLS, "four kills\n")
    assert again.index("## Processes killed\n\nfour kills") < again.index("## Connections")
    assert "| a | table |" in again
    assert "three" not in again + with_section(again, KILLS, "")
    assert "older" not in page
    assert with_section(again, KILLS, "four kills") == again


def test_what_did_not_hold_is_seen() -> None:
    """In the row of its fault."""
    rows: list[Row] = [
        {"fault": "cut", "how": "in mid-message", "held": True, "seconds": 2.04},
        {"fault": "half open", "how": "for good", "held": False, "seconds": 14.0},
    ]
    text = rows_section(rows, ["Words."])
    assert "| cut | in mid-message | yes | 2.0 |" in text
    assert "| half open | for good | **no** | 14.0 |" in text


def test_other_faults_have_a_row_each_and_keep_the_others(tmp_path: Path) -> None:
    """A fault that was brought about again takes the place of its own row alone."""
    page = tmp_path / "faults.md"
    page.write_text(with_section("", KILLS, "three kills"), encoding="utf-8")
    write_row("a lender away", "it comes back", 41.04, page)
    write_row("a page damaged", "set aside", 9.0, page)
    write_row("a lender away", "it comes back", 44.0, page)
    text = section_of(page.read_text(encoding="utf-8"), OTHERS)
    assert text.count("| a lender away | it comes back | yes | 44.0 |") == 1
    assert "| a page damaged | set aside | yes | 9.0 |" in text
    assert "| 41.0 |" not in text
    assert "three kills" in page.read_text(encoding="utf-8")


def test_what_could_not_be_brought_about_is_told_and_hides_nothing(tmp_path: Path) -> None:
    """With the reason, until it is measured; what was measured before stays."""
    page = tmp_path / "faults.md"
    write_not_run("a small disk", "mount: no right | at all\n", page)
    text = page.read_text(encoding="utf-8")
    assert "| a small disk | – | not run: mount: no right / at all | – |" in text
    write_row("a small disk", "goes on", 3.0, page)
    measured = page.read_text(encoding="utf-8")
    assert "not run" not in measured
    write_not_run("a small disk", "mount: no right", page)
    assert page.read_text(encoding="utf-8") == measured
