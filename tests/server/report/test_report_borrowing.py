"""Borrowing at several lenders on page and screen: a gain of nothing reads as nothing."""

from typing import Any

import pytest
from sample_report import sample_report

from server.report.borrowing_figures import BorrowingFigures
from server.report.borrowing_section import borrowing_line, borrowing_section, borrowing_sentence
from server.report.page import render
from server.report.parsing import parse_report
from shared.errors import OperatorError

Document = dict[str, Any]


def _borrowing(gain: float, spread: float) -> Document:
    model = {"with": 0.8 + gain, "without": 0.8, "ceiling": 0.85, "gain": gain}
    model |= {"low": gain - spread, "high": gain + spread}
    return {
        "borrowers": 40, "loans": 90, "rows": 1000, "with_record": 50, "test_rows": 200,
        "test_with_record": 9, "bad_rate": 0.2, "bad_rate_with_record": 0.5,
        "auc_shared": model, "auc_personal": model,
        "columns": [
            {"name": f"multi_lender_{cell}", "bands": [
                {"band": "no record", "rows": 950, "bad": 180},
                {"band": "3–4", "rows": 50, "bad": 0},
            ]}
            for cell in ("loan_orgnum_m3_all", "app_months")
        ],
        "lenders": [{"code": "L01", "with_record": 5, "auc_with": None, "auc_without": 0.7}],
        "asked": {"tokens": 64, "lenders": 5, "numbers": 2240, "known": 9, "differences": 0,
                  "bytes": 44800, "measured": {"cpu": 0.1}},
        "over_seeds": {"seeds": [0, 1], "personal": {"mean": 0.001, "sd": 0.002}},
    }  # fmt: skip


def _document(gain: float = 0.0004, spread: float = 0.001) -> Document:
    return sample_report(lenders=3, features=2) | {"borrowing": _borrowing(gain, spread)}


def _figures(document: Document) -> BorrowingFigures:
    found = parse_report(document).borrowing
    assert found is not None
    return found


def test_a_report_without_columns_has_no_section():
    """As every report without --borrowing."""
    assert borrowing_section(parse_report(sample_report(lenders=3, features=2))) is None


def test_a_gain_within_its_interval_is_told_as_none():
    """And one that is clear of nought is not."""
    told = borrowing_sentence(_figures(_document()))
    assert told.startswith("Other lenders' loans are on record for 50 of 1,000 applicants; 50%")
    assert "+0.04 points (95 % interval −0.06 to +0.14; over 2 seeds +0.10 ± 0.20)" in told
    assert told.endswith("no gain that can be told from none.")
    clear = borrowing_sentence(_figures(_document(0.004)))
    assert clear.endswith("+0.10 ± 0.20).")


def test_page_and_screen_share_the_sentence_and_the_page_has_the_tables():
    """Rows without a record are the same in every column, and told once."""
    document = _document()
    found = _figures(document)
    section = borrowing_section(parse_report(document))
    assert section is not None
    assert section.sentence == borrowing_sentence(found)
    assert section.sentence in borrowing_line(found)
    gains, bands = section.tables
    assert [len(row) for row in gains.rows] == [len(gains.head)] * 2
    assert [row[0] for row in bands.rows] == [
        "no record", "lenders in 3 months: 3–4", "app_months: 3–4",
    ]  # fmt: skip
    assert "differences from a plain count: 0" in section.bullets[-1]
    page = render(document)
    assert 'id="borrowing"' in page
    assert "Borrowing at several lenders" in page


def test_what_could_not_be_measured_is_told_as_such():
    """One class among the test rows, one seed, too few lenders for the stronger mode."""
    document = _document()
    del document["borrowing"]["over_seeds"]
    document["borrowing"] |= {"asked": None, "auc_personal": {}}
    section = borrowing_section(parse_report(document))
    assert section is not None
    assert section.sentence.endswith("could not be measured.")
    assert len(section.bullets) == 2
    assert section.tables[0].rows[1][1:] == ("–",) * 5


def test_a_key_of_the_wrong_kind_is_named():
    """As everywhere in a report."""
    document = _document()
    document["borrowing"]["rows"] = "many"
    with pytest.raises(OperatorError, match=r"borrowing\.rows"):
        parse_report(document)
