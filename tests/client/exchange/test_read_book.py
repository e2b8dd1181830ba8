"""Reading a book: which columns, which cells, and what is said about the bad ones."""

from pathlib import Path

import pandas as pd
import pytest

from client.exchange.book import read_book
from shared.errors import OperatorError
from tests.client.exchange.stand_in import TODAY

ROWS = [
    "客户号,身份证号,手机号,联系电话,备注",
    "c1,11010519491231002X,13800138000,,x",
    "c2,110105491231002,+86 138 0013 8000,13900139000,y",
    "c3,110105194912310021,无,-999,z",
    "c4,１１０１０５１９４９１２３１００２ｘ,1.38E+10,13800138000,䶮",
    "",
    'c5,"",,12345,',
]


def book_file(folder: Path, encoding: str = "utf-8") -> Path:
    path = folder / "book.csv"
    path.write_bytes("\n".join(ROWS).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_book_becomes_subjects_in_rows(tmp_path: Path, encoding: str) -> None:
    """One subject however often and however it is written; every bad cell with its line."""
    book = read_book(book_file(tmp_path, encoding), today=TODAY)
    assert [(s.kind, s.value) for s in book.subjects] == [
        ("resident_id", "11010519491231002X"),
        ("phone", "13800138000"),
        ("phone", "13900139000"),
    ]
    assert list(zip(book.row.tolist(), book.subject.tolist(), strict=True)) == [
        *((0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (3, 0), (3, 1))
    ]
    assert book.refs == ("c1", "c2", "c3", "c4", "c5")
    bad = [(cell.line, cell.column, cell.reason) for cell in book.bad]
    assert bad == [
        (4, "身份证号", "check_digit"),
        (5, "手机号", "precision_lost"),
        (7, "联系电话", "unknown_number"),
    ]
    assert all(cell.remedy and cell.what for cell in book.bad)


def test_no_raw_identifier_is_in_the_findings(tmp_path: Path) -> None:
    """Findings show masked texts only."""
    shown = repr(read_book(book_file(tmp_path), today=TODAY))
    assert "110105" not in shown
    assert "13800138000" not in shown


def test_parquet_of_any_type_is_the_same_book(tmp_path: Path) -> None:
    """Numbers are read as what they are; a float that cannot hold its digits is refused."""
    frame = pd.DataFrame(
        {
            "phone": [13800138000.0, None],
            "resident_id": [110105194912310020.0, None],
            "bank_card": [4111111111111111, 4111111111111111],
        }
    )
    frame.to_parquet(tmp_path / "book.parquet")
    book = read_book(tmp_path / "book.parquet", today=TODAY)
    assert {s.value for s in book.subjects} == {"13800138000", "4111111111111111"}
    assert [(cell.line, cell.reason) for cell in book.bad] == [(1, "precision_lost")]
    assert book.refs is None


def test_the_lender_may_name_its_columns(tmp_path: Path) -> None:
    """A named header comes before the usual ones; a name that is not there is refused."""
    path = tmp_path / "book.csv"
    path.write_text("名单,身份证号,national_id:br\n11010519491231002X,,390.533.447-05\n", "utf-8")
    book = read_book(path, today=TODAY, columns={"resident_id": "名单"})
    assert [(s.kind, s.value) for s in book.subjects] == [
        ("resident_id", "11010519491231002X"),
        ("national_id:br", "39053344705"),
    ]
    with pytest.raises(OperatorError, match="no column '证件'"):
        read_book(path, today=TODAY, columns={"resident_id": "证件"})
    with pytest.raises(OperatorError, match="no identifier of the kind"):
        read_book(path, today=TODAY, columns={"residentid": "名单"})


def test_an_address_is_two_subjects_where_it_names_a_home(tmp_path: Path) -> None:
    """A building without a home is one subject and no finding; no building is one finding."""
    path = tmp_path / "book.csv"
    lines = ["深圳市南山区科技园路1号3栋501", "深圳市南山区科技园路1号3栋", "科技园路"]
    path.write_text("\n".join(["家庭住址", *lines]), "utf-8")
    book = read_book(path, today=TODAY)
    assert sorted(s.kind for s in book.subjects) == ["addr_building", "addr_unit"]
    assert [(cell.line, cell.reason) for cell in book.bad] == [(4, "region")]


@pytest.mark.parametrize(("header", "refused"), [("联系电话", True), ("备注", False)])
def test_a_column_of_identifiers_is_no_reference(
    tmp_path: Path, header: str, refused: bool
) -> None:
    """It would be written next to answers; a column of another kind may be one (control)."""
    path = book_file(tmp_path)
    if refused:
        with pytest.raises(OperatorError, match="holds identifiers, no customer_ref"):
            read_book(path, today=TODAY, columns={"customer_ref": header})
    else:
        book = read_book(path, today=TODAY, columns={"customer_ref": header})
        assert book.refs is not None
        assert book.refs[:2] == ("x", "y")


@pytest.mark.parametrize(
    ("text", "match"),
    [("a,b\n1,2\n", "no column holds an identifier"), ("phone,宗教\n1,2\n", "prohibited")],
)
def test_a_book_without_identifiers_or_with_a_prohibited_field_is_refused(
    tmp_path: Path, text: str, match: str
) -> None:
    """Nothing is read where nothing can be screened, or nothing may be."""
    path = tmp_path / "book.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(OperatorError, match=match):
        read_book(path, today=TODAY)


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    """What is told in blocks adds up to what was announced, whatever the cells hold."""
    path = tmp_path / "book.csv"
    phones = "\n".join(f"138{n:08d}" for n in range(9000))
    path.write_text(f"phone\n{phones}\n", "utf-8")
    announced, told = [], []

    def progress(total: int):  # type: ignore[no-untyped-def]
        announced.append(total)
        return told.append

    book = read_book(path, today=TODAY, progress=progress)
    assert announced == [9000] == [sum(told)]
    assert len(told) > 1
    assert len(book.subjects) == 9000


@pytest.mark.parametrize("cell", ["'{}", '="{}"', ' ="{}" ', "{}"])
def test_a_spreadsheets_marks_of_a_text_are_no_part_of_an_identifier(
    tmp_path: Path, cell: str
) -> None:
    """'… and ="…" are read as what they mark; the last is the control."""
    number = "4111111111111111"
    quoted = cell.format(number).replace('"', '""')
    path = tmp_path / "book.csv"
    path.write_text(f'bank_card\n"{quoted}"\n', "utf-8")
    book = read_book(path, today=TODAY)
    assert [one.value for one in book.subjects] == [number]
    assert book.bad == ()
