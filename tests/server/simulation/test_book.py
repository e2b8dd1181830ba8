"""Whose row is whose: whatever the file calls its columns, leaves out or repeats."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from server.simulation.book import Book, book_of
from server.simulation.study import DataSource, Partition, Study
from shared.errors import OperatorError
from tests.federation import SIZES, study, table

DECLARED = """
[table]
version = 1
row_key = "loan_id"
[label]
column = "bad_flag"
bad = ["1"]
good = ["0"]
indeterminate = ["2"]
[[columns]]
name = "income"
kind = "number"
aliases = ["YearlyIncome"]
[[columns]]
name = "region"
kind = "category"
levels = ["north", "east", "south"]
"""


def _source(**changes: object) -> Study:
    asked = study()
    return replace(asked, data=replace(asked.data, **changes))


def _made(**partition: object) -> Study:
    return _source(lender=None, partition=Partition(**partition))


def _declared(folder: Path, text: str = DECLARED) -> Study:
    (folder / "s.toml").write_text(text, encoding="utf-8")
    return Study(DataSource(Path("t.csv"), schema=folder / "s.toml", lender="bank"), "declared")


def _lender_of(book: Book) -> dict[str, str]:
    return dict(zip(book.table.row_key.tolist(), book.lender.tolist(), strict=True))


def test_codes_in_the_lender_column_are_kept():
    frame = table()
    book = book_of(frame, study())
    assert _lender_of(book) == dict(zip(frame["loan_id"], frame["lender"], strict=True))
    assert book.codes == ["L01", "L02", "L03", "L04", "L05"]


def test_names_become_codes_by_size_and_are_not_in_the_table():
    names = {"L01": "Acme Savings", "L02": " Acme Savings ", "L03": "Zed", "L04": "Yew", "L05": "X"}
    book = book_of(table().assign(lender=table()["lender"].map(names)), study())
    sizes = pd.Series(book.lender).value_counts()
    assert sizes.to_dict() == {"L01": 121, "L02": 59, "L03": 58, "L04": 57}
    assert "lender" not in book.table.values


def test_the_n_largest_lenders_can_be_kept():
    book = book_of(table(), study(), lenders=3)
    assert book.codes == ["L01", "L02", "L03"]
    assert book.table.rows == len(book.lender) == len(book.position) == sum(SIZES[:3])
    ids = book.frame["loan_id"].iloc[book.position]
    assert ids.tolist() == book.table.row_key.tolist()


def test_indeterminate_rows_are_left_out_and_the_others_stay_with_their_lender(tmp_path: Path):
    """The file writes labels as 0.0, 1.0, 2.0 and calls columns as it likes."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "Loan ID": [f"k{i}" for i in range(300)],
            "YearlyIncome": rng.normal(size=300),
            "region": rng.choice(["north", "south"], 300),
            "Bad-Flag": rng.choice([0.0, 1.0, 2.0], 300),
            "bank": rng.choice(["P", "Q", "R"], 300, p=[0.5, 0.3, 0.2]),
        }
    )
    book = book_of(frame, _declared(tmp_path))
    known = frame[frame["Bad-Flag"] < 2]
    codes = known["bank"].map({"P": "L01", "Q": "L02", "R": "L03"})
    assert _lender_of(book) == dict(zip(known["Loan ID"], codes, strict=True))
    assert book.frame["loan_id"].iloc[book.position].tolist() == known["Loan ID"].tolist()
    assert book.frame["income"].iloc[book.position].tolist() == known["YearlyIncome"].tolist()
    assert any("indeterminate" in warning for warning in book.warnings)


def test_a_table_without_a_row_key_gets_one_that_no_column_has():
    frame = table().drop(columns="loan_id").assign(Row=range(sum(SIZES)), row1="x")
    book = book_of(frame, _source(row_key=None))
    assert book.table.schema.row_key == "row2"
    assert book.table.rows == len(frame)


@pytest.mark.parametrize(
    "partition",
    [
        {"kind": "iid", "lenders": 4},
        {"kind": "dirichlet", "lenders": 4, "alpha": 0.5},
        {"kind": "quantile", "lenders": 4, "column": "income"},
        {"kind": "sizes", "lenders": 4, "sizes": (0.4, 0.3, 0.2, 0.1)},
    ],
    ids=lambda partition: partition["kind"],
)
def test_lenders_can_be_made_in_each_way_and_follow_the_seed(partition: dict):
    asked, frame = _made(**partition), table()
    book = book_of(frame, asked)
    assert book.codes == ["L01", "L02", "L03", "L04"]
    assert _lender_of(book) == _lender_of(book_of(frame, asked))
    assert _lender_of(book) != _lender_of(book_of(frame, replace(asked, seed=1)))
    assert "lender" in book.table.schema.names  # just another category where it names nobody


def test_how_many_lenders_are_made_can_be_said_on_the_command_line():
    assert len(book_of(table(), _made(lenders=4), lenders=7).codes) == 7


def _refused(frame: pd.DataFrame, asked: Study, *, lenders: int | None = None) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        book_of(frame, asked, lenders=lenders)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("partition", "what"),
    [
        ({"kind": "idd"}, "kind 'idd' is unknown"),
        ({"kind": "dirichlet", "alpha": 0.0}, "alpha is 0.0"),
        ({"kind": "quantile", "column": "salary"}, "column 'salary' is no feature"),
        ({"kind": "quantile"}, "without column_values"),
        ({"kind": "sizes"}, "without sizes"),
        ({"kind": "sizes", "lenders": 2, "sizes": (0.5, 0.6)}, "sizes sum to 1.1"),
        ({"lenders": 1000}, "295 rows for 1000 lenders"),
        ({"lenders": 0}, "295 rows for 0 lenders"),
    ],
)
def test_a_partition_that_cannot_be_made_is_refused(partition: dict, what: str):
    assert what in _refused(table(), _made(**partition)).what


def test_a_missing_lender_column_is_named():
    assert "'bank'" in _refused(table(), _source(lender="bank")).what


def test_rows_without_a_lender_are_counted():
    frame = table()
    frame.loc[[3, 4], "lender"] = [None, "  "]
    assert "2 rows name no lender" in _refused(frame, study()).what


def test_a_doubled_lender_column_is_refused(tmp_path: Path):
    frame = pd.DataFrame([["k1", 1, "north", 0, "P", "Q"], ["k2", 2, "south", 1, "P", "Q"]])
    frame.columns = pd.Index(["loan_id", "income", "region", "bad_flag", "bank", "bank"])
    assert "not exactly one lender column 'bank'" in _refused(frame, _declared(tmp_path)).what


def test_two_columns_of_one_name_are_named():
    frame = table().assign(INCOME=1)
    error = _refused(frame, study())
    assert "'income', 'INCOME'" in error.what


def test_a_declared_schema_that_is_not_there_or_broken_is_named(tmp_path: Path):
    asked = _declared(tmp_path)
    (tmp_path / "s.toml").unlink()
    assert "s.toml" in _refused(table(), asked).what
    (tmp_path / "s.toml").write_bytes(b"\xff\xfe[table")
    assert "s.toml" in _refused(table(), asked).what
    (tmp_path / "s.toml").write_text("[table]\nversion = 1", encoding="utf-8")
    assert "[[columns]]" in _refused(table(), asked).what


def test_a_declared_schema_refuses_a_third_label_value(tmp_path: Path):
    frame = pd.DataFrame(
        {
            "loan_id": ["a", "b", "c"],
            "income": [1, 2, 3],
            "region": "north",
            "bad_flag": ["0", "1", "3"],
            "bank": ["P", "P", "P"],
        }
    )
    error = _refused(frame, _declared(tmp_path))
    assert "a value the label contract does not know (1 cell)" in error.what


def test_without_a_declared_bad_value_three_label_values_are_refused():
    frame = table().assign(defaulted=lambda f: np.arange(len(f)) % 3)
    assert "which of its 3 values means bad" in _refused(frame, study()).what


def test_one_label_value_is_refused():
    assert "defaulted" in _refused(table().assign(defaulted=0), study()).what


def test_an_infinite_cell_is_refused_with_its_line():
    frame = table()
    frame["income"] = frame["income"].astype(object).astype("str").replace("nan", "")
    frame.loc[7, "income"] = "inf"
    error = _refused(frame, study())
    assert "column 'income': infinite (1 cell)" in error.what
    assert "line 9" in error.what


def test_empty_and_constant_columns_are_documented_warnings_or_left_out():
    frame = table().assign(nothing=np.nan, always=5.0)
    book = book_of(frame, study())
    assert "nothing" not in book.table.schema.names
    assert any("'always'" in warning and "the same" in warning for warning in book.warnings)


def test_a_table_with_a_header_only_is_refused():
    assert "defaulted" in _refused(table().iloc[:0], study()).what
