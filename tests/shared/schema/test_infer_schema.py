"""A researcher's own table: which schema is read off it, on small tables and on real sets."""

import numpy as np
import pandas as pd
import pytest

from shared.errors import OperatorError
from shared.schema import check_frame, infer_schema
from tests.datasets import NAMES, load


def table(**changes):
    """Six hundred rows with a bit of everything."""
    n = 600
    columns = {
        "loan_id": [f"K{i}" for i in range(n)],
        "amount_paid": list(range(1, n + 1)),
        "grade": [1, 2, 3] * (n // 3),
        "town": ["Ulm", "Bonn", "Bonn"] * (n // 3),
        "note": [f"text {i}" for i in range(n)],
        "empty": [None] * n,
        "y": ["0", "1"] * (n // 2),
        **changes,
    }
    return pd.DataFrame({name: cells for name, cells in columns.items() if cells is not None})


def infer(frame, **options):
    return infer_schema(frame, **{"label": "y", "source": "own.csv", **options})


def kinds(schema):
    return {column.name: column.kind for column in schema.columns}


def test_kinds_are_read_off_the_cells():
    """Numbers are numbers, low-cardinality texts categories; ids, notes and empty columns go."""
    assert kinds(infer(table())) == {
        "amount_paid": "number",
        "grade": "number",
        "town": "category",
    }


def test_what_is_left_out_is_listed_by_the_check():
    """Nothing is lost silently."""
    frame = table()
    warnings = check_frame(frame, infer(frame), source="own.csv").warnings
    ignored = next(w.what for w in warnings if "not in the schema" in w.what)
    assert ignored.endswith("'loan_id', 'note', 'empty'")


def test_listed_codes_become_categories():
    """Whole-number codes stay numbers unless they are listed."""
    column = infer(table(), categories=["grade"]).column("grade")
    assert (column.kind, column.levels) == ("category", ("1", "2", "3"))


def test_levels_are_ordered_by_frequency_then_text_and_capped():
    """The order of codes is a function of the rows, not of their order."""
    towns = [f"t{i % 300:03d}" for i in range(600)]
    frame = table(town=towns)
    levels = infer(frame).column("town").levels
    assert len(levels) == 250
    assert levels == tuple(sorted(levels))
    assert infer(frame.sample(frac=1, random_state=1)) == infer(frame)
    assert infer(table()).column("town").levels == ("Bonn", "Ulm")


def test_a_row_number_is_no_feature():
    """A unique whole number called id or left unnamed by a spreadsheet library is dropped."""
    numbers = list(range(600))
    schema = infer(table(**{"Unnamed: 0": numbers, "RowID": numbers, "row_id": numbers}))
    assert set(kinds(schema)) == {"amount_paid", "grade", "town"}


def test_special_columns_are_no_features():
    """Lender, row key and a time of dates are used, not learned from."""
    frame = table(when=["2024-01-05", "2023-01-05"] * 300, bank=["A", "B"] * 300)
    schema = infer(frame, row_key="loan_id", time="when", lender="bank")
    assert set(kinds(schema)) == {"amount_paid", "grade", "town"}
    checked = check_frame(frame, schema, source="own.csv").table
    assert checked.row_key[0] == "K0"
    assert set(np.floor(checked.time)) == {2023.0, 2024.0}


def test_without_a_row_key_rows_are_told_apart_by_line():
    """The first row of a file is on line 2."""
    frame = table()
    assert check_frame(frame, infer(frame), source="own.csv").table.row_key[0] == "2"


@pytest.mark.parametrize(
    ("cells", "bad", "expected"),
    [
        (["0", "1"], None, "1"),
        (["1", "2"], None, "2"),
        ([1.0, 0.0], None, "1"),
        (["good", "bad"], None, "bad"),
        (["P I F", "CHGOFF"], None, "CHGOFF"),
        (["否", "是"], None, "是"),
        (["0", "1"], "0", "0"),
        ([True, False], None, "true"),
    ],
)
def test_the_bad_value_is_found(cells, bad, expected):
    """The larger of two numbers, the one bad word, or what the researcher says."""
    contract = infer(table(y=cells * 300), bad=bad).label
    assert contract.bad == (expected,)
    assert len(contract.good) == 1


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"y": ["x", "z"] * 300}, {}),
        ({"y": ["0", "1", "2"] * 200}, {}),
        ({"y": ["0"] * 600}, {}),
        ({}, {"bad": "7"}),
        ({"y": None}, {}),
        ({}, {"lender": "nobody"}),
        ({}, {"categories": ["nothing"]}),
        ({"y": [str(i) for i in range(600)]}, {"bad": "1"}),
    ],
)
def test_what_cannot_be_inferred_is_asked_for(change, options):
    """Which value is bad is never guessed, and a column that is not there is named."""
    with pytest.raises(OperatorError) as error:
        infer(table(**change), **options)
    assert error.value.remedy


def test_prohibited_fields_are_neither_taken_nor_passed():
    """Religion is refused also where nobody wrote a schema."""
    frame = table(religion=["a", "b"] * 300)
    schema = infer(frame)
    assert "religion" not in schema.names
    with pytest.raises(OperatorError, match="prohibited"):
        check_frame(frame, schema, source="own.csv")


PUBLISHED = {
    "sba_demo": (27_275, 15, 16_443),
    "german": (1_000, 20, 300),
    "polish1": (7_027, 64, 271),
    "polish5": (5_910, 64, 410),
    "pakdd": (39_988, 25, 7_917),
    "uci": (30_000, 23, 6_636),
    "gmsc": (150_000, 10, 10_026),
}


@pytest.mark.parametrize("name", NAMES)
def test_real_sets_are_read_as_published(name):
    """Rows, features and bad cases are those the set is published with."""
    data = load(name)
    schema = infer_schema(
        data.frame,
        label=data.label,
        categories=data.categories,
        lender=data.lender,
        source=name,
    )
    checked = check_frame(data.frame, schema, source=name).table
    assert schema.label.bad == (data.bad,)
    assert (checked.rows, len(schema.columns), int(checked.bad.sum())) == PUBLISHED[name]
    for column in schema.columns:
        values = checked.values[column.name]
        assert np.isfinite(values[~np.isnan(values)]).all()


def test_missing_cells_of_a_real_set_are_counted_right():
    """Polish companies, fifth year: 4,666 cells hold a question mark."""
    data = load("polish5")
    schema = infer_schema(data.frame, label=data.label, source="polish5")
    values = check_frame(data.frame, schema, source="polish5").table.values
    assert sum(int(np.isnan(column).sum()) for column in values.values()) == 4_666
