"""A file of answers that is added to: numbers as the file has them, damaged files, links."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from client.borrowing.answers_file import write_answers
from client.borrowing.answers_read import raw_answers
from shared.errors import OperatorError

TODAY = date(2031, 5, 8)


def answers(*numbers: str) -> pd.DataFrame:
    """An answer a row, as a screening has it."""
    count = len(numbers)
    return pd.DataFrame(
        {
            "line": range(2, 2 + count),
            "customer_ref": [""] * count,
            "application_id": numbers,
            "applied_at": [TODAY.isoformat()] * count,
            "table_day": [TODAY.isoformat()] * count,
            "look": [False] * count,
            "id_loan": pd.Series([1] * count, dtype="Int8"),
            "triggers": [""] * count,
        }
    )


def added(out: Path, *numbers: str) -> int:
    book = out.with_name("book.csv")
    return write_answers(answers(*numbers), out, book=book, append=True, today=TODAY).added


@pytest.mark.parametrize("number", ["'B2", "=1", "'=1", "''=1", "A\x01B", " +7", "2031\u3000001"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_number_is_found_again_whatever_a_spreadsheet_is_kept_from(
    tmp_path: Path, suffix: str, number: str
) -> None:
    """Three screenings leave one row; another number (the control) is added."""
    out = tmp_path / f"features.{suffix}"
    assert [added(out, number) for _ in range(3)] == [1, 0, 0]
    assert added(out, "B2") == 1
    assert len(raw_answers(out)) == 2


def test_numbers_that_only_a_csv_writes_alike_are_two_in_parquet(tmp_path: Path) -> None:
    """In a CSV (the control) both are '=1, so they cannot both be there, and that is said."""
    out = tmp_path / "features.parquet"
    assert added(out, "=1", "'=1") == 2
    assert raw_answers(out)["application_id"].tolist() == ["=1", "'=1"]
    with pytest.raises(OperatorError, match="there twice: line 2, 3"):
        added(tmp_path / "features.csv", "=1", "'=1")


def test_a_damaged_line_is_said(tmp_path: Path) -> None:
    """Too long for any number of a line; put back (the control) the file is added to."""
    out = tmp_path / "features.csv"
    added(out, "N1")
    whole = out.read_bytes()
    damaged = whole.replace(b"\n2,", b"\n99999999999999999999999,")
    assert damaged != whole
    out.write_bytes(damaged)
    with pytest.raises(OperatorError, match="row 1, line: not as a screening writes it"):
        added(out, "N2")
    assert out.read_bytes() == damaged
    out.write_bytes(whole)
    assert added(out, "N2") == 1


@pytest.mark.parametrize("append", [True, False])
def test_a_link_is_not_replaced(tmp_path: Path, append: bool) -> None:
    """What it leads to would stay as it is, unseen; by its own name (control) it is added to."""
    target, link, book = tmp_path / "kept.csv", tmp_path / "features.csv", tmp_path / "book.csv"
    added(target, "N1")
    link.symlink_to(target)
    with pytest.raises(OperatorError, match="is a link"):
        write_answers(answers("N1", "N2"), link, book=book, append=append, today=TODAY)
    assert (link.is_symlink(), len(raw_answers(target))) == (True, 1)
    assert added(target, "N2") == 1
