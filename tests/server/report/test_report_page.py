"""The page as a whole: self-contained, well formed, deterministic, safe and complete."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from page_outline import PageOutline
from sample_report import sample_report

from server.report import write_report
from server.report.page import render
from shared.errors import OperatorError

HOSTILE = '<script>alert(1)</script>"\'&-->]]>$x^$ url(#a) id="b" {{ 7*7 }} 额度'
BARE = {"schema_version": 1, "insecure": False, "lenders": []}
"""A report without anything to draw."""


def blank(value: object) -> object:
    """The same shape with every figure and text missing."""
    if isinstance(value, dict):
        kept = ("schema_version", "insecure", "code", "feature", "name", "stage")
        return {key: child if key in kept else blank(child) for key, child in value.items()}
    if isinstance(value, list):
        return [blank(child) if isinstance(child, dict | list) else None for child in value]
    return None


@pytest.fixture(scope="module")
def page() -> str:
    return render(sample_report(features=8, sweep=True, insecure=True))


@pytest.fixture(scope="module")
def outline(page: str) -> PageOutline:
    return PageOutline(page)


def test_elements_are_properly_nested(outline: PageOutline) -> None:
    assert outline.faults == []


def test_ids_are_unique_and_every_reference_has_its_target(page: str, outline: PageOutline) -> None:
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    attributes = [pair for _, element in outline.elements for pair in element.items()]
    links = [value[1:] for name, value in attributes if name == "href"]
    labels = [value for name, value in attributes if name == "aria-labelledby"]
    assert {*links, *labels, *re.findall(r"url\(#([^)]*)\)", page)} <= set(ids)


def test_nothing_is_fetched(page: str, outline: PageOutline) -> None:
    attributes = [pair for _, element in outline.elements for pair in element.items()]
    assert all(value.startswith("#") for name, value in attributes if name.endswith("href"))
    assert not [name for name, _ in attributes if name in ("src", "srcset", "data", "action")]
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert not re.search(r"https?:|@import|//[a-z]", page)


def test_the_page_forbids_itself_scripts_and_fetching(outline: PageOutline) -> None:
    policies = [meta["content"] for meta in outline.all("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert outline.all("script") == []


def test_every_drawing_has_a_title_a_screen_reader_says(page: str) -> None:
    drawings = re.findall(
        r'<svg[^>]*role="img" aria-labelledby="([^"]+)"><title id="([^"]+)">', page
    )
    assert len(drawings) == page.count("<svg") > 15
    assert all(label == title for label, title in drawings)
    assert not re.search(r"<title[^>]*>\s*</title>", page)


def test_every_figure_has_its_numbers_in_a_table(page: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>(.*?)(?=<figure>|</section>)", page, re.DOTALL)
    inside = re.findall(r"<figure>(.*?)</figure>", page, re.DOTALL)
    pairs = zip(inside, figures, strict=True)
    assert all("<table" in within or "<table" in after for within, after in pairs)


def test_the_same_report_gives_the_same_bytes(page: str) -> None:
    assert render(sample_report(features=8, sweep=True, insecure=True)) == page


def test_colours_come_from_the_theme_only(page: str) -> None:
    """A fixed colour inside a drawing would be unreadable in one of the two themes."""
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.search(r"#[0-9a-f]{6}\b", re.sub(r'(href="|url\()#[^")]*', "", drawings))
    used = set(re.findall(r"var\((--[a-z]+)\)", page))
    dark = re.findall(r"color-scheme: dark;(.*?)}", page, re.DOTALL)
    assert len(dark) == 2
    assert dark[0].split() == dark[1].split()
    assert all(f"{name}:" in dark[0] for name in used)


def test_hostile_names_stay_text() -> None:
    report = sample_report(features=1)
    report["title"] = HOSTILE
    report["woe"][0]["feature"] = HOSTILE
    report["woe"][0]["iv"] = 0.4
    report["woe"][0]["bins"][0]["label"] = HOSTILE
    report["psi"]["rows"][1]["name"] = HOSTILE
    report["lenders"][0]["code"] = HOSTILE
    report["traffic"]["by_stage"][0]["stage"] = HOSTILE
    report["warnings"] = [HOSTILE]
    report["versions"] = {HOSTILE: HOSTILE}
    report["curves"]["roc"][HOSTILE] = [[0.0, 0.0], [1.0, 1.0]]
    outline = PageOutline(render(report))
    assert outline.faults == []
    assert outline.all("script") == []
    assert outline.text().count("{{ 7*7 }}") > 8


@pytest.mark.parametrize("lenders", [1, 3, 50])
def test_few_and_many_lenders_render(lenders: int) -> None:
    page = render(sample_report(lenders=lenders, features=2, sweep=True))
    outline = PageOutline(page)
    assert outline.faults == []
    assert f"L{lenders:02d}" in outline.text()
    assert len(page.encode()) < 2_000_000


def test_every_lender_is_in_the_first_picture_and_its_table() -> None:
    page = render(sample_report(lenders=12, features=1))
    first = re.search(r'<section id="answer".*?</section>', page, re.DOTALL)
    assert first
    for number in range(1, 13):
        assert len(re.findall(rf">L{number:02d}<", first.group())) == 3


def test_missing_figures_are_dashes() -> None:
    outline = PageOutline(render(blank(sample_report(features=2, sweep=True))))
    assert outline.faults == []
    assert "nan" not in outline.text().lower().split()
    assert not re.search(r"\bNone\b(?! of these)", outline.text())
    assert "–" in outline.text()


def test_absent_parts_leave_no_empty_sections() -> None:
    outline = PageOutline(render(BARE))
    assert outline.faults == []
    ids = [section["id"] for section in outline.all("section")]
    assert ids == ["answer", "headline", "lenders", "sums", "warnings", "glossary", "repeat"]


@pytest.mark.parametrize("key", ["out_of_time", "sweep"])
def test_a_null_part_is_as_good_as_absent(key: str) -> None:
    assert render({**BARE, key: None}) == render(BARE)


def test_an_insecure_run_says_so_at_the_top(page: str) -> None:
    assert page.index("Sums are plain in this run") < page.index("What do I gain")
    assert "Sums are plain" not in render(BARE)


def test_pooled_models_are_marked_as_out_of_reach(outline: PageOutline) -> None:
    asides = [div for div in outline.all("div") if div.get("class") == "aside"]
    assert len(asides) == 2
    assert outline.text().count("nobody in a consortium may pool rows") == 3


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("schema_version", 2, "schema_version"),
        ("insecure", None, "insecure"),
        ("lenders", {"code": "L01"}, "lenders"),
        ("lenders", [{"code": "L01", "auc_local": "0.8"}], "lenders[0].auc_local"),
        ("bytes_per_lender", True, "bytes_per_lender"),
        ("curves", {"roc": {"shared": [[0.1]]}}, "curves.roc.shared"),
        ("curves", {"ks": {"score": [1], "good": [0.1, 0.2]}}, "good"),
        ("psi", {"lenders": ["L01"], "rows": [{"name": "score", "values": [0, 1]}]}, "psi.rows"),
        ("data", [], "data"),
        ("family", [], "family"),
    ],
)
def test_a_wrong_report_is_refused_by_name(key: str, value: object, named: str) -> None:
    report = sample_report(features=1)
    report[key] = value
    with pytest.raises(OperatorError, match=re.escape(named)):
        render(report)


def test_the_file_holds_the_page(tmp_path: Path) -> None:
    report = {**BARE, "title": HOSTILE}
    write_report(report, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == render(report).encode()


def test_a_folder_that_does_not_exist_is_the_operators_fault(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="could not be written"):
        write_report(BARE, tmp_path / "absent" / "report.html")


def test_importing_the_report_is_cheap() -> None:
    heavy = "{'matplotlib', 'jinja2', 'numpy'}"
    check = f"import sys, server.report; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_twelve_lenders_take_less_than_five_seconds() -> None:
    report = sample_report(features=14)
    start = time.process_time()
    page = render(report)
    assert time.process_time() - start < 5
    assert len(page.encode()) < 2_000_000
