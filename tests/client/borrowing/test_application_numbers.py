"""An application's number is written next to its answer, so no identifier may be one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from client.borrowing.application_numbers import check_numbers
from client.borrowing.applications import applications_of
from client.borrowing.screening import Wanted, screen
from client.table import read_raw
from server.demo.identities import people
from shared.errors import OperatorError
from shared.tokens.identifiers.resident_id import check_character
from tests.borrowing_members import Borrowers, applied, borrowers

PERSON = people(1, 5)[0].resident_id
TODAY = date(2026, 11, 23)
OLD = "110101900307851"


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Borrowers]:
    """There is a table of today."""
    with borrowers(tmp_path) as made:
        for code in ("L01", "L02", "L03", "L04"):
            made[code].contribute([applied(people(1, 5)[0], made.day(1), code)])
        made.publish()
        yield made


@pytest.mark.parametrize(
    "columns",
    [
        {"application_id": "手机号"},
        {"application_id": "手机号", "phone": "紧急联系人手机"},
        {"application_id": "resident_id", "resident_id": "手机号"},
        {"application_id": "紧急联系人手机"},
        {"application_id": "Emergency_Contact-Phone"},
        {"application_id": "national_id:br"},
    ],
)
def test_a_header_of_identifiers_is_none_of_numbers_whatever_else_is_named(
    tmp_path: Path, columns: dict[str, str]
) -> None:
    """Named for another kind or for none; a header of neither (the control) is taken."""
    book = tmp_path / "book.csv"
    headers = "resident_id,手机号,紧急联系人手机,emergency contact phone,national_id:br,客户号,流水"
    book.write_text(f"{headers}\n{PERSON},13800138000,1,2,3,4,5\n", encoding="utf-8")
    raw = read_raw(book)
    with pytest.raises(OperatorError, match="holds identifiers, no application_id"):
        applications_of(raw, columns, today=TODAY, needed=False)
    for header, number in (("流水", "5"), ("客户号", "4")):
        named = {**columns, "application_id": header}
        assert applications_of(raw, named, today=TODAY, needed=False).keys == (number,)


def of_region_day_and_count(count: int) -> str:
    """Eighteen digits as some lenders number applications, with a check character that fits."""
    digits = f"33010620261122{count:03d}"
    return digits + check_character(digits)


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        (["N1", "N2", PERSON], PERSON),
        (["N1", "N2", f"SQ-{PERSON}"], f"SQ{PERSON}"),
        (["N1", f"{PERSON}-01"], f"{PERSON}-01"),
        (["N1", " ".join((PERSON[:6], PERSON[6:14], PERSON[14:]))], PERSON),
        (["N1", "13800138000", "+86 139-0013-9000"], "13800138000"),
        (["", OLD, "N1", "110101910307851"], OLD),
    ],
)
def test_cells_that_are_identifiers_are_refused_under_any_header(
    numbers: list[str], shown: str
) -> None:
    """One resident id; most cells mobile numbers, or resident ids of the old form. No number is in
    the message. Control: without them the rest is taken.
    """
    with pytest.raises(OperatorError, match="identifiers of people") as refused:
        check_numbers(numbers, "book.csv", TODAY)
    said = f"{refused.value} {refused.value.remedy}"
    assert f"{shown[0]}•••{shown[-1]}" in said
    assert not any(len(one) > 2 and one in said for one in numbers)
    check_numbers([one for one in numbers if len(one) < 3], "book.csv", TODAY)


@pytest.mark.parametrize(
    "numbers",
    [
        ["0007", "20261123000001", "13800138000", "A-1"],  # one of four only looks like a mobile
        [of_region_day_and_count(count) for count in range(20)],
        [str(10**17 + 7 * count) for count in range(50)],
        [],
    ],
)
def test_a_lenders_own_numbers_are_taken(numbers: list[str]) -> None:
    """Long ones, too, with a day in them, and a check character that happens to fit."""
    check_numbers(numbers, "book.csv", TODAY)


def test_a_book_with_identifiers_for_numbers_is_not_screened(
    four: Borrowers, tmp_path: Path
) -> None:
    """Nothing is looked up or written; with numbers of the lender's own (the control) it is."""
    book, out = tmp_path / "book.csv", tmp_path / "out.csv"
    desk, today = four["L04"].borrowing, four.clock().date()
    for number in (PERSON, "N1"):
        book.write_text(f"resident_id,申请号,applied_at\n{PERSON},{number},{today}\n", "utf-8")
        if number == PERSON:
            with pytest.raises(OperatorError, match="identifiers of people"):
                screen(desk, book, out, Wanted(every_cell=True))
            assert not out.exists()
    screen(desk, book, out, Wanted(every_cell=True))
    assert "N1" in out.read_text("utf-8-sig")
    assert PERSON not in out.read_text("utf-8-sig")
