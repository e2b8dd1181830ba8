"""The fraud list on the page and on the screen: the same figures, and what they are not."""

import re
from typing import Any

import pytest
from sample_report import sample_report

from server.report import list_charts
from server.report.list_section import list_line, list_section, list_sentence
from server.report.page import render
from server.report.parsing import parse_report
from server.report.parts import Section

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return sample_report(lenders=3, features=2)


def section_of(document: Document) -> Section:
    section = list_section(parse_report(document))
    assert section is not None
    return section


def test_a_report_without_a_list_has_no_section(document: Document):
    del document["fraud_list"]
    assert list_section(parse_report(document)) is None


def test_the_sentence_counts_hits_and_what_could_not_be_known_alone(document: Document):
    section = section_of(document)
    assert section.sentence.startswith("15 of 360 applicants are hits on the list of 3 lenders, 12")
    assert "12 of them only through other lenders' filings." in section.sentence
    assert section.sentence.endswith("Differences from a plain comparison of all identifiers: 0.")


def test_every_lender_has_its_row_and_every_class_its_hits(document: Document):
    section = section_of(document)
    hits, strengths = (picture.table for picture in section.pictures)
    assert hits.head == ("Lender", "Filed", "Screened", "All hits", "Only through others")
    assert hits.rows[1] == ("L02", "2", "120", "5", "4")
    assert strengths.head == ("Lender", "Strong", "Single", "Weak", "Innocent")
    assert strengths.rows[1] == ("L02", "2", "1", "2", "1")
    assert section.tables[0].rows == (("fraud confirmed", "10"), ("mule account", "5"))


def texts_of(drawing: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawing)


@pytest.mark.parametrize(
    ("place", "legend", "numbers"),
    [
        (0, ["All hits", "Only through others"], ["4", "3", "5", "4", "6", "5"]),
        (1, ["Strong", "Single", "Weak"], ["2", "1", "1", "2", "1", "2", "2", "1", "3"]),
    ],
)
def test_each_number_has_a_bar_of_its_own_and_the_legend_names_it(
    document: Document, place: int, legend: list[str], numbers: list[str]
):
    texts = texts_of(section_of(document).pictures[place].svg)
    assert texts[-len(legend) :] == legend
    drawn = texts[texts.index("applicants") + 4 : -len(legend)]
    assert sorted(drawn) == sorted(numbers)


@pytest.mark.parametrize("most", [0, 1, 2, 3, 1200])
def test_the_axis_counts_applicants_in_whole_numbers(most: int):
    """Also where there are hardly any, when halves would be drawn otherwise."""
    drawn = list_charts.counts("few", ("All", "Others"), [("A", (most, 0)), ("B", (0, None))], "")
    texts = texts_of(drawn)
    ticks = texts[: texts.index("applicants")]
    assert len(ticks) > 1
    assert all(tick.replace(",", "").isdigit() for tick in ticks)
    assert len({*ticks}) == len(ticks)
    assert "–" in texts


def test_the_words_of_the_legend_are_explained(document: Document):
    """Every word over a number of the pictures, in a sentence."""
    section = section_of(document)
    told = dict(section.terms)
    for word in ("Only through others", "Strong", "Single", "Weak", "Innocent"):
        assert told[word].endswith(".")
    assert "docs/protocols/exchange.md" in section.bullets[-1]


def test_the_page_says_that_the_people_are_made_up_and_what_it_cost(document: Document):
    page = render(document)
    assert 'id="fraud-list"' in page
    assert "The people are made up" in page
    assert "Any 2 of 3 key holders answer" in page
    assert "3.3\u00a0MB crossed" in page
    assert "never declines" in page


def test_page_and_screen_share_their_sentence(document: Document):
    found = parse_report(document).fraud_list
    assert found is not None
    assert list_sentence(found) in section_of(document).sentence
    assert list_sentence(found) in list_line(found)
    assert "synthetic people" in list_line(found)


def test_differences_are_told_where_there_are_any(document: Document):
    document["fraud_list"]["differences"] = 7
    assert "all identifiers: 7." in section_of(document).sentence
