"""Checking a table: what passes, what is refused, and that nothing personal is in a message."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import OperatorError
from shared.schema import Column, LabelContract, Schema, check_frame
from shared.schema.cells import read_levels, read_numbers
from shared.schema.finding import masked

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number", unit="USD", low=0, high=1e6, missing=("-999", "不详")),
        Column("purpose", "category", levels=("car", "Home", "NA"), aliases=("用途",)),
        Column("owner", "category", levels=("no", "yes")),
    ),
    label=LabelContract("bad_flag", bad=("1",), good=("0",), indeterminate=("2",)),
    row_key="loan_id",
    time="applied_at",
    prohibited=("religion", "血型"),
)


def rows(count=4, **changes):
    """A small good table; `changes` replace columns (None removes one)."""
    columns = {
        "loan_id": [f"K{i:03d}" for i in range(count)],
        "income": [str(1000 + i) for i in range(count)],
        "purpose": (["car", "Home"] * count)[:count],
        "owner": (["yes", "no"] * count)[:count],
        "bad_flag": (["0", "1"] * count)[:count],
        "applied_at": ["2024-01-05"] * count,
        **changes,
    }
    return pd.DataFrame({name: cells for name, cells in columns.items() if cells is not None})


def check(frame, **options):
    return check_frame(frame, SCHEMA, source="loans.csv", **options)


def refused(frame, **options):
    with pytest.raises(OperatorError) as error:
        check(frame, **options)
    return str(error.value)


def test_a_good_table_is_typed_and_complete():
    """Numbers become floats, levels their codes, dates decimal years, keys texts."""
    checked = check(rows())
    table = checked.table
    assert checked.warnings == ()
    assert table.values["income"].tolist() == [1000, 1001, 1002, 1003]
    assert table.values["purpose"].tolist() == [0, 1, 0, 1]
    assert table.values["purpose"].dtype == np.int16
    assert table.bad.tolist() == [0, 1, 0, 1]
    assert table.bad.dtype == np.int8
    assert table.row_key.tolist() == ["K000", "K001", "K002", "K003"]
    assert table.time == pytest.approx([2024 + 4 / 366] * 4)
    assert table.rows == 4


def test_take_keeps_columns_in_step():
    """Rows taken by position or mask are the same rows in every column."""
    table = check(rows()).table
    for index in (np.array([3, 1]), np.array([False, True, False, True])):
        part = table.take(index)
        assert sorted(part.row_key) == ["K001", "K003"]
        assert part.bad.tolist() == [1, 1]
        assert sorted(part.values["income"]) == [1001, 1003]


def test_odd_forms_are_read():
    """Thousands commas, 万, full-width digits, missing codes, capitals and 是/否 are understood."""
    frame = rows(
        income=["1,234.50", "５万", "-999", "不详"],
        purpose=["CAR", " home ", "", "null"],
        owner=["是", "否", "1.0", "N"],
    )
    values = check(frame).table.values
    np.testing.assert_array_equal(values["income"], [1234.5, 50_000, np.nan, np.nan])
    assert values["purpose"].tolist() == [0, 1, -1, -1]
    assert values["owner"].tolist() == [1, 0, 1, 0]


def test_a_declared_level_wins_over_a_missing_text():
    """A level called NA is a level."""
    assert check(rows(purpose=["NA", "na", "N/A", "car"])).table.values["purpose"].tolist() == [
        *(2, 2, -1, 0)
    ]


def test_typed_and_text_cells_give_the_same_table():
    """A Parquet file with types and a CSV file of texts are the same table."""
    text = check(rows(income=["1000.5", "", "3", "-999"], bad_flag=list("0101"))).table
    typed = check(
        pd.DataFrame(
            {
                "loan_id": pd.Series(["K000", "K001", "K002", "K003"], dtype="category"),
                "income": [1000.5, np.nan, 3.0, -999.0],
                "purpose": pd.Categorical(["car", "Home", "car", "Home"]),
                "owner": [True, False, True, False],
                "bad_flag": np.array([0, 1, 0, 1], dtype=np.int8),
                "applied_at": pd.to_datetime(["2024-01-05"] * 4),
            }
        )
    ).table
    for name in SCHEMA.names:
        np.testing.assert_array_equal(text.values[name], typed.values[name])
    np.testing.assert_array_equal(text.bad, typed.bad)
    np.testing.assert_array_equal(text.time, typed.time)
    assert text.row_key.tolist() == typed.row_key.tolist()


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([1, 2, 3, None], dtype="Int64"),
        pd.Series([1.0, 2.0, 3.0, None]),
        pd.Series([Decimal("1"), Decimal("2"), Decimal("3"), None], dtype=object),
        pd.Series([1, "2", "３", None], dtype=object),
        pd.Series(["1", "2.0", "3", "?"], dtype="category"),
        pd.Series(["1", "2", "3", None], dtype="str"),
    ],
    ids=["nullable", "float", "decimal", "mixed", "categorical", "text"],
)
def test_numbers_of_any_cell_type(cells):
    """However a column is stored, its numbers are the numbers."""
    values = check(rows(income=cells)).table.values["income"]
    np.testing.assert_array_equal(values, [1, 2, 3, np.nan])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["car", "Home", "NA", None]), min_size=1, max_size=20))
def test_level_codes_round_trip(cells):
    """A code leads back to the level it was read from."""
    codes = check(rows(len(cells), purpose=cells)).table.values["purpose"]
    levels = [*SCHEMA.column("purpose").levels, None]
    assert [levels[code] for code in codes] == cells


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(0, 1e6).map(repr), st.sampled_from(["7万", "1,000", "１"])),
        min_size=1,
        max_size=6,
    )
)
def test_fast_and_slow_number_readers_agree(cells):
    """One odd cell sends the rest of the column no other way than cell by cell."""
    income = SCHEMA.column("income")
    together = read_numbers(pd.Series(cells, dtype="str"), income).values
    single = [read_numbers(pd.Series([c], dtype="str"), income).values[0] for c in cells]
    np.testing.assert_array_equal(together, single)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"income": ["1", "2", "abc", "4"]}, "not a number"),
        ({"income": ["1", "2", "inf", "4"]}, "infinite"),
        ({"income": [1.0, 2.0, np.inf, 4.0]}, "infinite"),
        ({"income": ["1", "2", "-5", "4"]}, "outside 0 … 1e+06 USD"),
        ({"income": ["1", "2", "1e7", "4"]}, "outside"),
        ({"income": pd.to_datetime(["2024-01-05"] * 4)}, "a date, not a number"),
        ({"bad_flag": ["0", "1", "3", "1"]}, "does not know"),
        ({"bad_flag": ["0", "1", "", "1"]}, "no label"),
        ({"bad_flag": [0.0, 1.0, np.nan, 1.0]}, "no label"),
        ({"bad_flag": ["2", "2", "2", "2"]}, "no row is left"),
        ({"loan_id": ["a", "b", "c", "a"]}, "occurs more than once"),
        ({"loan_id": ["a", "b", "", "d"]}, "row key is missing"),
        ({"loan_id": ["a", "b", "1.10105E+17", "d"]}, "precision was lost"),
        ({"applied_at": ["2024-01-05", "x", "2024", "45296"]}, "not a date"),
        ({"income": None}, "no such header"),
        ({"Religion": ["x"] * 4}, "prohibited"),
        ({"客户血型": ["x"] * 4}, "prohibited"),
        ({"用途": ["car"] * 4}, "2 headers name this column"),
        ({"放款日期": ["x"] * 4, "INCOME ": ["1"] * 4}, "2 headers name this column"),
    ],
)
def test_what_is_wrong_is_refused(change, message):
    """Each fault of a tired person's export has its own message and a remedy."""
    text = refused(rows(**change))
    assert message in text
    assert "→" in text
    assert text.startswith("loans.csv: 1 problem, nothing was taken over")


def test_all_problems_are_told_at_once():
    """The file is mended once, not once per problem."""
    frame = rows(income=["1", "x", "-5", "4"], bad_flag=["0", "9", "", "1"], purpose=None)
    text = refused(frame)
    assert "5 problems" in text
    for message in ("not a number", "outside", "does not know", "no label", "no such header"):
        assert message in text


def test_lines_are_those_of_the_file():
    """The header is line 1; an explicit list of lines is used as it is."""
    frame = rows(income=["1", "2", "abc", "4"])
    assert "line 4: a•••" in refused(frame)
    assert "line 3:" in refused(frame, first_line=1)
    assert "line 70:" in refused(frame, lines=np.array([10, 20, 70, 80]))


def test_a_report_is_bounded_and_counts():
    """A thousand wrong cells are five examples and a count."""
    text = refused(rows(1000, income=["wrong"] * 1000))
    assert text.count("line ") == 5
    assert "(1,000 cells)" in text
    assert "995 more" in text


def test_no_value_is_in_a_message():
    """Cells of refused columns appear masked only."""
    secret = "110101199003071234"
    frame = rows(income=[secret + "X"] * 4, loan_id=[secret] * 4, bad_flag=[secret] * 4)
    text = refused(frame)
    assert secret not in text
    assert secret[2:8] not in text
    assert "1•••4" in text


@given(st.text(min_size=1, max_size=40))
def test_a_mask_shows_at_most_the_ends(text):
    """Texts of the same ends and class of length cannot be told apart."""
    inside = text[1:-1]
    assert masked(text) == masked(text[:1] + "#" * len(inside) + text[-1:][: len(text) - 1])


def test_a_near_header_is_suggested_but_not_taken():
    """`incom` is not read as `income`; it is suggested."""
    text = refused(rows().rename(columns={"income": "incom"}))
    assert "did you mean 'incom'" in text


def test_headers_match_in_any_dress():
    """Case, spaces, hyphens, full-width letters, aliases and the well-known Chinese headers."""
    frame = rows().rename(
        columns={
            "income": "ＩＮＣＯＭＥ",
            "purpose": "用途",
            "bad_flag": "是否坏客户",
            "loan_id": "借据号",
            "applied_at": "Applied-At",
        }
    )
    assert check(frame).table.rows == 4


def test_the_same_header_twice_is_refused():
    """pandas would rename the second one silently."""
    frame = rows()
    frame.insert(0, "copy", frame["income"])
    frame.columns = ["income", *frame.columns[1:]]
    assert "2 headers name this column" in refused(frame)


def test_an_empty_lender_is_refused():
    """A header without rows is not a table."""
    assert "no rows" in refused(rows(0))


def test_indeterminate_rows_are_left_out_and_said():
    """They are in none of the table's columns."""
    checked = check(rows(bad_flag=["0", "2", "1", "2"]))
    assert checked.table.row_key.tolist() == ["K000", "K002"]
    assert checked.table.bad.tolist() == [0, 1]
    assert any("indeterminate" in w.what and w.count == 2 for w in checked.warnings)


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"income": [""] * 4}, "income", "every value is missing"),
        ({"income": ["5"] * 4}, "income", "the same"),
        ({"purpose": ["car"] * 4}, "purpose", "the same"),
        ({"purpose": ["boat", "car", "Home", "car"]}, "purpose", "not among the declared levels"),
        ({"bad_flag": ["1"] * 4}, "bad_flag", "every row is bad"),
        ({"bad_flag": ["0"] * 4}, "bad_flag", "every row is good"),
        ({"applied_at": ["2024", "", "2025", "2026"]}, "applied_at", "time is not known"),
        ({"surplus": ["x"] * 4}, "(all)", "'surplus'"),
    ],
)
def test_what_is_unusual_passes_with_a_warning(change, column, message):
    """Such a lender can still contribute, and is told."""
    warnings = check(rows(**change)).warnings
    assert any(w.column == column and message in w.what for w in warnings)


def test_an_unseen_level_has_its_own_code():
    """It is neither missing nor any declared level."""
    codes = check(rows(purpose=["boat", "car", "", "Home"])).table.values["purpose"]
    assert codes.tolist() == [3, 0, -1, 1]


@pytest.mark.parametrize(
    ("cells", "bad"),
    [
        (["是", "否", "Y", "n"], [1, 0, 1, 0]),
        ([True, False, True, False], [1, 0, 1, 0]),
        ([1.0, 0.0, 1.0, 0.0], [1, 0, 1, 0]),
        (["1.0", "0.0", "１", " 0"], [1, 0, 1, 0]),
    ],
)
def test_labels_in_boolean_forms(cells, bad):
    """A 1/0 contract also reads 是/否, Y/N, true/false, and 1.0."""
    assert check(rows(bad_flag=cells)).table.bad.tolist() == bad


def test_applicants_need_no_label():
    """A table to be scored has neither label nor time."""
    table = check(rows(bad_flag=None, applied_at=None), labelled=False).table
    assert table.bad is None
    assert table.time is None
    assert table.rows == 4


def test_row_keys_keep_leading_zeros_and_large_integers():
    """Keys are texts; typed integers keep every digit."""
    assert check(rows(loan_id=["007", "7", "０8", "x"])).table.row_key.tolist() == [
        *("007", "7", "08", "x")
    ]
    large = [2**53 + i for i in range(4)]
    assert check(rows(loan_id=large)).table.row_key.tolist() == [str(key) for key in large]


def test_the_checked_frame_is_not_changed():
    """A lender's own DataFrame stays as it was."""
    frame = rows(income=[1.0, -999.0, np.nan, 4.0])
    before = frame.copy(deep=True)
    check(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_missing_codes_of_a_category_are_missing_in_any_case():
    """`unknown` and `Unknown` are both the declared code; a third answer to yes/no is unseen."""
    purpose = Column("purpose", "category", levels=("car",), missing=("unknown",))
    cells = pd.Series(["unknown", "Unknown", "car", "boat"])
    assert read_levels(cells, purpose).values.tolist() == [-1, -1, 0, 1]
    owner = pd.Series(["yes", "perhaps", "", "No"])
    assert read_levels(owner, SCHEMA.column("owner")).values.tolist() == [1, 2, -1, 0]


def test_a_report_of_many_problems_is_cut_at_twenty():
    """A file of another kind altogether does not fill the screen."""
    columns = tuple(Column(f"feature {i} {chr(97 + i)}", "number") for i in range(25))
    schema = Schema(1, columns, LabelContract("y", ("1",), ("0",)), "id")
    with pytest.raises(OperatorError, match="27 problems") as error:
        check_frame(pd.DataFrame({"other": ["1"]}), schema, source="loans.csv")
    assert "and 7 more problems" in str(error.value)
    assert str(error.value).count("column '") == 20


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(["-1", "-1.0", "不详", "0", "", "NA", None], dtype=object),
        pd.Series([-1, -1, -1, 0, np.nan, np.nan, np.nan]),
        pd.array([-1, -1, -1, 0, None, None, None], dtype="Int8"),
    ],
)
def test_an_empty_cell_is_no_code_where_the_column_says_so(cells):
    """The column's own codes are missing values; nothing at all is refused. Control: elsewhere it
    is a missing value like them.
    """
    band = Column("band", "number", low=-2, high=5, missing=("-1", "不详"), empty="refused")
    reading = read_numbers(pd.Series(cells), band)
    assert np.array_equal(reading.values, [np.nan] * 3 + [0] + [np.nan] * 3, equal_nan=True)
    (wrong,) = reading.wrong.values()
    assert wrong.tolist() == [False] * 4 + [True] * 3
    lenient = Column("band", "number", low=-2, high=5, missing=("-1", "不详"))
    assert read_numbers(pd.Series(cells), lenient).wrong == {}
