"""Reading lenders' files: encodings, delimiters, line numbers, and files that are not tables."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from client.table import read_raw, read_table
from shared.errors import OperatorError
from shared.schema import Column, LabelContract, Schema

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number", low=0),
        Column("town", "category", levels=("㛃镇", "䶮乡")),
    ),
    label=LabelContract("bad_flag", bad=("1",), good=("0",)),
    row_key="loan_id",
)
TEXT = "loan_id,income,town,bad_flag\n001,1000,㛃镇,0\n002,2000,䶮乡,1\n003,,㛃镇,1\n"


@pytest.fixture
def file(tmp_path):
    """Write bytes under a name and give the path back."""

    def write(content, name="loans.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def refused(path, schema=SCHEMA):
    with pytest.raises(OperatorError) as error:
        read_table(path, schema)
    assert error.value.remedy
    return str(error.value)


def assert_is_the_table(path):
    table = read_table(path, SCHEMA).table
    np.testing.assert_array_equal(table.values["income"], [1000, 2000, np.nan])
    assert table.values["town"].tolist() == [0, 1, 0]
    assert table.bad.tolist() == [0, 1, 1]
    assert table.row_key.tolist() == ["001", "002", "003"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_are_told_apart(file, encoding):
    """㛃 and 䶮, which GBK lacks, come through in each; the encoding found is reported."""
    path = file(TEXT.encode(encoding))
    assert_is_the_table(path)
    assert read_raw(path).encoding == encoding


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_are_told_apart(file, delimiter):
    """Comma, semicolon and tab, also when texts hold one of the others."""
    text = TEXT.replace(",", delimiter).replace("loan_id", '"loan_id"')
    assert_is_the_table(file(text, "loans.tsv"))


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_are_told_apart(file, ending):
    """Unix, Windows and old Macintosh line ends."""
    assert_is_the_table(file(TEXT.replace("\n", ending)))


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_header_alone_is_a_table_without_rows(file, end):
    """However its line ends; so is the last row of a table whose line does not end."""
    raw = read_raw(file(TEXT.splitlines()[0] + end))
    assert raw.frame.columns.tolist() == ["loan_id", "income", "town", "bad_flag"]
    assert (len(raw.frame), len(raw.lines)) == (0, 0)
    assert_is_the_table(file(TEXT.rstrip() + end))


def test_gzip_is_recognised_by_content(file):
    """A gzipped file may have any name."""
    assert_is_the_table(file(gzip.compress(TEXT.encode()), "loans.csv.gz"))
    assert_is_the_table(file(gzip.compress(TEXT.encode()), "loans.csv"))


def test_parquet_is_the_same_table(file, tmp_path):
    """Typed cells; a pandas index does not hide a column."""
    frame = pd.DataFrame(
        {
            "loan_id": ["001", "002", "003"],
            "income": [1000.0, 2000.0, None],
            "town": pd.Categorical(["㛃镇", "䶮乡", "㛃镇"]),
            "bad_flag": pd.array([0, 1, 1], dtype="Int8"),
        }
    )
    path = tmp_path / "loans.parquet"
    frame.set_index("loan_id").to_parquet(path)
    assert_is_the_table(path)
    assert read_raw(path).lines.tolist() == [1, 2, 3]


def test_line_numbers_survive_line_breaks_and_blank_lines(file):
    """A row is named by the line on which it begins in the file."""
    text = 'loan_id,income,town,bad_flag\n"0\n01",1,,0\n\n"002",x,,1\n"a\n\nb",y,,1\n'
    message = refused(file(text))
    assert "line 5: •••" in message
    assert "line 6: •••" in message
    assert read_raw(file(text)).lines.tolist() == [2, 5, 6]


def test_quoted_delimiters_and_quotes_are_part_of_the_text(file):
    """ "a;b" and doubled quotes are cells."""
    frame = read_raw(file('a,b\n"1,5","say ""no"""\n')).frame
    assert frame.to_numpy().tolist() == [["1,5", 'say "no"']]


def test_texts_stay_texts(file):
    """Leading zeros, spaces and the text NA are as in the file; only empty cells are null."""
    frame = read_raw(file("a,b\n007,NA\n 8 ,\n")).frame
    assert frame["a"].tolist() == ["007", " 8 "]
    assert frame["b"].isna().tolist() == [False, True]


def test_ragged_lines_are_named_and_not_quoted(file):
    """Too few cells are as wrong as too many, and no cell is in the message."""
    message = refused(file("loan_id,income,town,bad_flag\n1,2,㛃镇\n2,2,㛃镇,1\n3,secret,5,6,7\n"))
    assert "line 2: 3 cells" in message
    assert "line 4: 5 cells" in message
    assert "line 3" not in message
    assert "secret" not in message


def test_many_ragged_lines_are_counted(file):
    """Five are shown, the others counted."""
    message = refused(file("loan_id,income\n" + "1\n" * 40))
    assert message.count("1 cells") == 5
    assert "35 more lines" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n1,caf\xe9,\n", "line 2, byte 9: the text is neither UTF-8 nor GB 18030"),
        (b"\xef\xbb\xbfa,b\n1,\xff\n", "line 2, byte 9"),
        (b"PK\x03\x04rest", "spreadsheet workbook"),
        (b"\xd0\xcf\x11\xe0rest", "old spreadsheet workbook"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"a,b\n1,\x002\n", "zero bytes"),
        (b'a,b\n1,"2\n3,4\n', "record that begins on line 2 do not pair"),
        (b"\x1f\x8bnot gzip", "cannot be read"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:30], "cannot be read"),
        (b"PAR1 and then nothing", "damaged Parquet"),
        (b"loan_id,income,town,bad_flag\n", "no rows"),
        (b"loan_id,income,income,town,bad_flag\n1,2,3,4,0\n", "2 headers name this column"),
        (b"loan_id income town bad_flag\n1 2 3 0\n", "no such header"),
    ],
)
def test_what_is_no_table_is_refused(file, content, message):
    """Each kind of wrong file has its own message."""
    assert message in refused(file(content))


def test_a_missing_file_is_the_operators_to_mend(tmp_path):
    """The name is given, the folder is not."""
    message = refused(tmp_path / "nowhere.csv")
    assert message.startswith("nowhere.csv: cannot be read (there is no such file)")
    assert str(tmp_path) not in message


def test_reading_changes_nothing(file):
    """The file has the same bytes and no neighbours afterwards."""
    path = file(TEXT)
    read_table(path, SCHEMA)
    assert path.read_bytes() == TEXT.encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_part_of_a_file_keeps_its_lines(file):
    """Rows of one lender out of a common file are still named by their line."""
    raw = read_raw(file(TEXT.replace("2000", "wrong")))
    part = type(raw)(raw.frame.iloc[1:], raw.source, raw.lines[1:], raw.encoding)
    with pytest.raises(OperatorError, match="line 3: w•••g"):
        part.checked(SCHEMA)


def test_dictionary_and_decimal_parquet_columns(tmp_path):
    """Arrow's own types mean the same."""
    table = pa.table(
        {
            "loan_id": ["001", "002", "003"],
            "income": pa.array([1000, 2000, None], pa.decimal128(9, 2)),
            "town": pa.array(["㛃镇", "䶮乡", "㛃镇"]).dictionary_encode(),
            "bad_flag": pa.array([False, True, True]),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "loans.parquet")
    assert_is_the_table(tmp_path / "loans.parquet")
