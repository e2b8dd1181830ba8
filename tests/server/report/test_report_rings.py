"""Planted rings on page and screen: the same figures, and what they are no evidence of."""

import re
from typing import Any

import numpy as np
import pytest
from sample_report import sample_report

from server.report.page import render
from server.report.parsing import parse_report
from server.report.parts import Section
from server.report.ring_charts import places
from server.report.ring_figures import DrawnRing, RingFigures
from server.report.ring_section import ring_lines, ring_section, ring_sentence
from shared.errors import OperatorError

Document = dict[str, Any]


@pytest.fixture
def document() -> Document:
    return sample_report(lenders=3, features=2)


def section_of(document: Document) -> Section:
    section = ring_section(parse_report(document))
    assert section is not None
    return section


def figures_of(document: Document) -> RingFigures:
    found = parse_report(document).rings
    assert found is not None
    return found


def test_a_report_without_rings_has_no_section(document: Document):
    del document["rings"]
    assert ring_section(parse_report(document)) is None


def test_the_sentence_says_what_is_found_together_and_alone(document: Document):
    told = ring_sentence(figures_of(document))
    assert told.startswith("Together the lenders find 67% of 3 planted rings and flag 75% of their")
    assert "the best lender alone 25%" in told
    assert "as members, the others as leads" in told
    assert "0.33 of 1,000 innocent people are flagged (" in told


def test_page_and_screen_share_their_sentence_and_their_typologies(document: Document):
    found = figures_of(document)
    assert ring_sentence(found) == section_of(document).sentence
    lines = ring_lines(found)
    assert "synthetic people" in lines[0]
    assert lines[2].split() == ["shared", "device", "1", "0%", "8", "50%"]
    assert len(lines) == 5


def test_every_picture_has_its_figures_in_a_table(document: Document):
    lenders, typologies, drawing = (picture.table for picture in section_of(document).pictures)
    assert lenders.rows[2] == ("L03", "8", "6", "2", "1", "0")
    assert typologies.rows[1] == ("common payee", "1", "50%", "8", "75%")
    assert drawing.rows == (("1: device", "L01, L02"), ("2: bank card/payee", "L01, L01, L03"))


def test_the_drawing_names_lenders_and_kinds_and_nothing_else(document: Document):
    drawing = section_of(document).pictures[2].svg
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawing)
    assert sorted(texts) == ["L01", "L01", "L02", "L03", "bank card/payee", "device"]


def test_the_page_says_that_it_is_no_estimate(document: Document):
    page = render(document)
    assert 'id="rings"' in page
    assert "People, things and rings are made up" in page
    assert "no estimate" in page
    assert "never declines" in page


def test_several_seeds_give_mean_and_spread(document: Document):
    document["rings"]["over_seeds"] = {
        "seeds": [0, 1],
        "mean": {"recall": 0.8},
        "sd": {"recall": 0.1},
    }
    table = section_of(document).tables[0]
    assert table.head == ("Figure", "This run", "Mean over seeds 0, 1", "sd")
    assert table.rows[0] == ("Rings found", "0.667", "0.800", "0.100")


def test_what_could_not_be_measured_is_a_dash_and_never_nought(document: Document):
    document["rings"] |= {"precision_at_k": None, "drawn": None, "by_typology": {}}
    section = section_of(document)
    assert ("Precision among the best", "–") in section.tables[0].rows
    assert len(section.pictures) == 1


def test_an_edge_to_nowhere_is_refused(document: Document):
    document["rings"]["drawn"]["edges"].append([0, 2])
    with pytest.raises(OperatorError, match=r"rings\.drawn\.edges"):
        parse_report(document)


def test_squares_do_not_cover_each_other():
    """Eight things that tie the same two customers would all stand in one place."""
    drawn = DrawnRing(
        "cycle",
        False,
        (("L01", True), ("L02", True)),
        ("phone",) * 8,
        tuple((who, what) for who in (0, 1) for what in range(8)),
    )
    _, things = places(drawn)
    gaps = np.sqrt(((things[:, None] - things[None]) ** 2).sum(-1)) + 9 * np.eye(8)
    assert gaps.min() > 0.15
