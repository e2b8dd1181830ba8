"""The file of answers over the days: what is added, what gives way, what is never written over."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from client.borrowing.answers_file import Kept, write_answers
from client.table import read_table
from shared.borrowing.columns import OF_LOANS, column_of, header_of
from shared.borrowing.terms import IdKind
from shared.errors import OperatorError
from shared.schema import LabelContract, Schema

DAY = date(2026, 3, 1)
GUIDE = Path(__file__).parents[3] / "docs" / "institution.md"
Rows = dict[str, int | None]


def answers(
    rows: Rows, day: date = DAY, look: bool = False, cells: tuple[str, ...] = OF_LOANS
) -> pd.DataFrame:
    """As a screening makes them: by number the band of every cell, None: nobody was asked."""
    frame = pd.DataFrame(
        {
            "line": range(2, len(rows) + 2),
            "customer_ref": "",
            "application_id": list(rows),
            "applied_at": day.isoformat(),
            "table_day": day.isoformat(),
            "look": look,
            "triggers": "",
        }
    )
    bands = pd.Series(list(rows.values()), dtype="Int8")
    return frame.assign(**{header_of(IdKind.ID, cell): bands for cell in cells})


def kept(frame: pd.DataFrame, out: Path, *, append: bool = True) -> Kept:
    return write_answers(frame, out, book=out.parent / "book.csv", append=append, today=DAY)


def numbers(out: Path) -> list[str]:
    read = pd.read_parquet(out) if out.suffix == ".parquet" else pd.read_csv(out, dtype=str)
    return list(read["application_id"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    "other",
    [
        answers({"N3": 1}),
        answers({"N1": 1, "N2": None}),
        answers({"N1": 1, "N2": 1}).assign(table_day="2026-03-02"),
        answers({"N1": 1, "N2": 1}, cells=OF_LOANS[:1]),
        answers({"N1": 1, "N2": 1}).drop(columns="application_id"),
        answers({"N1": 1, "N2": 1}).drop(columns=["applied_at", "table_day"]),
    ],
    ids=["others", "nobody asked", "a later table", "fewer cells", "no numbers", "no days"],
)
def test_a_forgotten_append_writes_over_no_answer(
    other: pd.DataFrame, suffix: str, tmp_path: Path
) -> None:
    """Refused, the file as it was; the same answers made again (control) are written."""
    out = tmp_path / f"features{suffix}"
    kept(answers({"N1": 1, "N2": 1}), out, append=False)
    before = out.read_bytes()
    with pytest.raises(OperatorError, match="answers that this run does not make again") as told:
        kept(other, out, append=False)
    assert told.value.remedy == "add --append, or name another --out"
    assert out.read_bytes() == before
    kept(answers({"N1": 1, "N2": 1, "N3": 1}), out, append=False)
    assert numbers(out) == ["N1", "N2", "N3"]


def test_a_file_that_may_hold_answers_is_not_written_over(tmp_path: Path) -> None:
    """Saved with semicolons, or damaged; what holds no day of a table (control) is written over."""
    out = tmp_path / "features.csv"
    kept(answers({"N1": 1}), out)
    out.write_text(out.read_text().replace(",", ";"))
    with pytest.raises(OperatorError, match="holds 1 answers"):
        kept(answers({"N1": 1}), out, append=False)
    out.write_bytes(b"table_day\n\xff\xff")
    with pytest.raises(OperatorError, match="cannot be read"):
        kept(answers({"N1": 1}), out, append=False)
    out.write_text("line,look\n2,True\n")
    assert kept(answers({"N1": 1}), out, append=False) == Kept(1)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_row_nobody_was_asked_about_is_no_answer(suffix: str, tmp_path: Path) -> None:
    """It is named and not added, so the mended row is; one that is there gives way."""
    out = tmp_path / f"features{suffix}"
    assert kept(answers({"N1": 1, "N2": None}), out) == Kept(1, unasked=(3,))
    assert numbers(out) == ["N1"]
    assert kept(answers({"N1": 2, "N2": 2}), out) == Kept(added=1, before=1)
    assert numbers(out) == ["N1", "N2"]

    out.unlink()
    kept(answers({"N1": 1, "N2": None}), out, append=False)
    assert numbers(out) == ["N1", "N2"]
    assert kept(answers({"N1": 2, "N2": 2}), out) == Kept(added=1, before=1)
    assert numbers(out) == ["N1", "N2"]
    read = pd.read_parquet(out) if suffix == ".parquet" else pd.read_csv(out)
    assert dict(zip(read["application_id"], read["id_open_orgnum_all"], strict=True)) == {
        "N1": 1,
        "N2": 2,
    }


def test_a_row_to_look_at_that_the_file_does_not_show_is_named(tmp_path: Path) -> None:
    """Its first answer stays and had nothing to look at; the other's had (control)."""
    out = tmp_path / "features.csv"
    kept(answers({"N1": 1}), out)
    kept(answers({"N2": 5}, look=True), out)
    assert kept(answers({"N1": 5, "N2": 5}, look=True), out) == Kept(before=2, unseen=(2,))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026-03-01", "2026/3/1"),
        ("2026-03-01,2026-03-01", "2026-03-01,2026-3-1"),
        ("2026-03-01", "2026-02-30"),
        ("False", "FALSE"),
        (",1,1,", ",1.0,1,"),
        (",1,1,", ",9,1,"),
    ],
)
def test_a_file_that_a_spreadsheet_saved_is_not_added_to(
    old: str, new: str, tmp_path: Path
) -> None:
    """A day, a yes or a band in another form: numbers may have changed, too. As it was (control) it
    is added to.
    """
    out = tmp_path / "features.csv"
    kept(answers({"0007": 1}), out)
    good = out.read_bytes()
    assert old.encode() in good
    out.write_bytes(edited := good.replace(old.encode(), new.encode()).replace(b"0007", b"7"))
    with pytest.raises(OperatorError, match=r"row 1, .*: the file was edited since") as told:
        kept(answers({"0007": 1, "N2": 1}), out)
    assert "put it back from your backup" in told.value.remedy
    assert out.read_bytes() == edited
    out.write_bytes(good)
    assert kept(answers({"0007": 1, "N2": 1}), out) == Kept(added=1, before=1)


def test_numbers_that_a_spreadsheet_would_run_are_the_same_number_again(tmp_path: Path) -> None:
    """With the apostrophe or a space that the CSV has instead."""
    out, strange = tmp_path / "features.csv", answers({"-12": 1, "=A1": 1, "'7": 1, "a\tb": 1})
    assert kept(strange, out).added == 4
    assert kept(strange, out) == Kept(before=4)


def test_the_documented_join_loses_no_loan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's own words, and its words for a CSV, with numbers that a spreadsheet would change:
    the table is accepted with all of them. Without the apostrophe's removal (control) two are lost.
    """
    monkeypatch.chdir(tmp_path)
    text = GUIDE.read_text(encoding="utf-8").partition("### Borrowing elsewhere as features")[2]
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    reading, mending = re.search(
        r"`(pd\.read_csv\(.*?\))`.*`(\.str\.removeprefix\(.*?\))`", text, re.DOTALL
    ).groups()  # type: ignore[union-attr]
    names = ["0007", "-12", "=A1", "N4", "N5"]
    for suffix in ("csv", "parquet"):
        kept(answers(dict.fromkeys(names, 1)), tmp_path / f"features.{suffix}")
    csv = f"kept = {reading}\nkept['application_id'] = kept['application_id']"
    first, _, rest = example.partition("\n")
    assert first == 'kept = pd.read_parquet("features.parquet")'
    for way, rows in ((first, 5), (csv + mending, 5), (csv, 3)):
        loans = pd.DataFrame({"application_id": names, "bad_flag": [0, 1, 0, 1, 0]})
        exec(f"{way}\n{rest}", {"pd": pd, "loans": loans})
        columns = tuple(map(column_of, OF_LOANS))
        schema = Schema(1, columns, LabelContract("bad_flag", ("1",), ("0",)), "application_id")
        assert read_table(tmp_path / "table.parquet", schema).table.rows == rows
