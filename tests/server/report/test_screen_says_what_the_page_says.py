"""Screen and page count lenders alike and name the same limits of a run's sums."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_outline import PageOutline
from rich.console import Console
from sample_report import sample_report

from server.report import wording
from server.report.page import render
from server.report.sums import PLAIN, SECURE, seen_by_coordinator, sums_section
from server.report.verdict import loses, verdict, wins
from server.simulation import screen

BARELY = 0.0003
"""A gain above nought that is written 0.0 points."""


def told(monkeypatch: pytest.MonkeyPatch, report: dict[str, object]) -> str:
    """What the screen says at the end of a run."""
    written = io.StringIO()
    monkeypatch.setattr(screen, "console", Console(file=written, width=2000))
    screen.tell_outcome(report, Path("out"))
    return " ".join(written.getvalue().split())


def bare_page(report: dict[str, object]) -> str:
    """The text of a page without sections to draw."""
    return PageOutline(render(report)).text()


def outcome(*gains: tuple[float | None, float | None], **extra: object) -> dict[str, object]:
    """A report whose lenders have these gains over usual and over tuned local models."""
    lenders = [
        {"code": f"L{i}", "rows": 900 - i, "gain": usual, "gain_over_tuned": tuned}
        for i, (usual, tuned) in enumerate(gains, 1)
    ]
    base = {"schema_version": 1, "insecure": False, "profile": "demo", "lenders": lenders}
    return base | {"pooled": {"auc_shared": 0.8}} | extra


def test_the_screen_says_the_pages_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gain that is written 0.0 is not counted, on either, over usual and over tuned models."""
    report = outcome((0.02, BARELY), (BARELY, 0.01), (-BARELY, -0.01), (None, None))
    shown, page = told(monkeypatch, report), bare_page(report)
    for said in (
        "1 of 3 measured lenders rank their own applicants better",
        "Against local models tuned as hard as we could, 1 of 3 lenders gain",
        "1 lender could not be measured",
    ):
        assert said in shown
        assert said in page


def test_the_screen_tells_the_mean_over_seeds_as_the_page_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not only the first seed's lenders."""
    lenders = [{"code": "L1", "gain": BARELY}, {"code": "L2", "gain": 0.03}]
    sweep = {"seeds": [0, 1], "mean": {}, "sd": {}, "lenders": lenders}
    report = outcome((0.01, None), (0.02, None), sweep=sweep)
    said = "On the mean over 2 seeds, 1 of 2 lenders gain"
    assert said in told(monkeypatch, report)
    assert said in bare_page(report)


def test_without_references_the_screen_has_no_gain_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says so in its place; the screen is silent."""
    report = outcome((None, None))
    assert "gain" not in told(monkeypatch, report)
    assert "No lender's gain was measured" in bare_page(report)


@given(st.floats(-0.5, 0.5))
def test_a_gain_counts_as_it_is_written(gain: float) -> None:
    """Won with a plus, lost with a minus, neither when the table says 0.0."""
    text = wording.points(gain)
    assert wins(gain) is text.startswith("+")
    assert loses(gain) is text.startswith("−")


def test_unmeasured_gains_are_left_out_of_the_verdict() -> None:
    """And there is none when nothing was measured."""
    found = verdict([0.02, None, -0.01, BARELY])
    assert found is not None
    assert (found.measured, found.ahead, found.behind) == (3, 1, 1)
    assert found.mean == pytest.approx(0.0103 / 3)
    assert verdict([None]) is None
    assert verdict([]) is None


@pytest.mark.parametrize(
    ("profile", "shown", "limit"),
    [
        ("demo", "(profile demo, weaker than production)", "three lenders are enough"),
        ("production", "(profile production)", "from an agreed list"),
    ],
)
def test_the_page_of_a_secure_run_says_what_was_seen_and_its_limits(
    profile: str, shown: str, limit: str
) -> None:
    """One sentence above the answer, the limits in a section of their own."""
    text = bare_page(sample_report(lenders=1, features=1) | {"profile": profile})
    top, rest = text.split("What do I gain by joining?")
    assert "masked its numbers before they left it: the coordinator saw their totals" in top
    assert shown in top
    seen = rest[rest.rindex("What the coordinator saw") :]
    for said in ("a third of the lenders", limit, "protects nobody", "what is not promised"):
        assert said in seen


def test_a_plain_run_promises_no_masks_on_page_or_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning stands in place of the promise."""
    report = outcome((0.01, None), insecure=True)
    assert "masked" not in bare_page(report)
    assert "What the coordinator saw" not in bare_page(report)
    shown = told(monkeypatch, report)
    assert PLAIN in shown
    assert SECURE not in shown


def test_the_screen_of_a_secure_run_names_the_weaker_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Demo is called weaker; production is not."""
    shown = told(monkeypatch, outcome((0.01, None)))
    assert f"{SECURE} (profile demo, weaker than production; in a simulation" in shown
    strict = told(monkeypatch, outcome((0.01, None), profile="production"))
    assert f"{SECURE} (profile production; in a simulation" in strict


def test_an_unknown_profile_gets_no_words_of_its_own() -> None:
    """Nothing is promised for a profile these words do not know."""
    assert "profile" not in seen_by_coordinator(insecure=False, profile="")
    section = sums_section(insecure=False, profile="")
    assert section is not None
    assert not any("profile" in bullet for bullet in section.bullets)
