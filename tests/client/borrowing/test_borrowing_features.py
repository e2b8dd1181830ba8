"""From a day's applications to columns that a model is trained on, and what does not get there."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.borrowing.answers_file import Kept
from client.borrowing.applications import Applications, Why
from client.borrowing.desk import Borrowing
from client.borrowing.screening import Screened, Wanted, screen
from client.cli import main
from client.table import read_table
from server.demo.identities import Person, people
from shared.borrowing.columns import OF_LOANS, PREFIX, column_of, schema_block
from shared.errors import OperatorError
from shared.schema import Column, LabelContract, Schema, parse_schema
from shared.training.preparation import Preparation
from shared.training.roles import Roles
from tests.borrowing_members import Borrowers, applied, borrowers

PEOPLE = people(9, seed=4)
BANDS = [PREFIX + cell for cell in OF_LOANS]
KEPT = Wanted(every_cell=True, append=True)
BARE = Schema(
    1,
    (Column("income", "number"),),
    LabelContract("bad_flag", ("1",), ("0",)),
    "application_id",
)


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Borrowers]:
    """Two lenders' loans of the first person, and one of the second, are in today's table."""
    with borrowers(tmp_path) as made:
        for code in ("L01", "L02"):
            made[code].contribute([lent(PEOPLE[0], made.day(1), "K0")])
        made["L03"].contribute([lent(PEOPLE[1], made.day(9), "K1")])
        made["L04"].contribute([applied(PEOPLE[8], made.day(1), "A")])
        made.publish()
        yield made


def lent(person: Person, day: date, reference: str) -> str:
    return f"loan_opened,{day},{reference},,{person.resident_id},"


def written(path: Path, rows: list[tuple[str, object, int]], day: str = "applied_at") -> Path:
    """Applications: number, day, person."""
    lines = [f"{key},{when},{PEOPLE[who].resident_id}" for key, when, who in rows]
    path.write_text("\n".join([f"application_id,{day},resident_id", *lines]) + "\n")
    return path


def screened(
    four: Borrowers, book: Path, wanted: Wanted = KEPT, out: Path | None = None
) -> Screened:
    return screen(four["L04"].borrowing, book, out or book.parent / "features.csv", wanted)


def by_command(four: Borrowers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands are the fourth lender's."""

    @contextmanager
    def opened(_: Path) -> Iterator[Borrowing]:
        yield four["L04"].borrowing

    monkeypatch.setattr("client.borrowing.opening.open_borrowing", opened)


def loans(folder: Path, features: Path) -> Path:
    """The lender's table later on, outcomes known, with what was kept joined to it."""
    rows = [(f"N{number}", 1000 * number, number % 2) for number in range(5)]
    table = pd.DataFrame(rows, columns=["application_id", "income", "bad_flag"])
    path = folder / "loans.csv"
    table.merge(pd.read_csv(features), how="left", on="application_id").to_csv(path, index=False)
    return path


def declared() -> Schema:
    """A consortium's schema with the block that the command prints."""
    document = BARE.to_dict()
    columns = [*document["columns"], *tomllib.loads(schema_block())["columns"]]  # type: ignore[misc]
    return parse_schema(document | {"columns": columns})


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_answers_kept_day_by_day_are_columns_of_a_later_table(
    four: Borrowers, tmp_path: Path, suffix: str
) -> None:
    """Screened on two days, joined, checked: accepted without renaming; −1 is a bin of its own. The
    first answer stays, though more is known a day later.
    """
    today, kept = four.clock().date(), tmp_path / f"features{suffix}"
    book = written(tmp_path / "day1.csv", [("N0", today, 0), ("N1", today, 1), ("N2", today, 2)])
    screened(four, book, out=kept)
    four["L01"].contribute([lent(PEOPLE[2], four.day(0), "K2")])
    four.publish()
    more = [("N2", today + timedelta(days=1), 2), ("N3", today + timedelta(days=1), 3),
            ("N4", today + timedelta(days=1), 0)]  # fmt: skip
    done = screened(four, written(tmp_path / "day2.csv", more), out=kept)
    assert (done.rows, done.kept, done.left_out) == (3, Kept(added=2, before=1), {})
    frame = pd.read_csv(kept) if suffix == ".csv" else pd.read_parquet(kept)
    assert list(frame["application_id"]) == [f"N{number}" for number in range(5)]
    frame.to_csv(tmp_path / "all.csv", index=False)

    table = read_table(loans(tmp_path, tmp_path / "all.csv"), declared()).table
    lenders = table.values[PREFIX + "loan_orgnum_m3_all"]
    assert np.array_equal(lenders, [2, 1, np.nan, np.nan, 2], equal_nan=True)
    prepared, rows = Preparation(table.schema), np.arange(table.rows)
    while not prepared.finished:
        prepared.absorb(prepared.answer(table, Roles(rows, rows[:0], rows[:0])))
    assert prepared.transform is not None
    codes = dict(zip(prepared.transform.names, prepared.transform.codes(table), strict=True))
    own = {int(one) for one in codes[PREFIX + "loan_orgnum_m3_all"][np.isnan(lenders)]}
    others = {int(one) for one in codes[PREFIX + "loan_orgnum_m3_all"][~np.isnan(lenders)]}
    assert len(own) == 1
    assert not own & others


def test_what_came_after_an_application_gets_into_no_table(four: Borrowers, tmp_path: Path) -> None:
    """Rows of past days are left out and named, and their gap after the join is refused by the
    schema. Without the day (control) the same row is told of a loan that was made after it.
    """
    today = four.clock().date()
    past = ("N0", today - timedelta(days=40), 0)
    rows = [past, *((f"N{number}", today, number) for number in range(1, 5))]
    done = screened(four, written(tmp_path / "book.csv", rows))
    assert (done.rows, done.left_out) == (4, {Why.LATER: (2,)})
    with pytest.raises(OperatorError, match="empty, which this column does not allow") as told:
        read_table(loans(tmp_path, tmp_path / "features.csv"), declared())
    assert told.value.what.count("line 2") == len(BANDS)
    assert "leave the row out if nobody was ever asked" in told.value.what

    with pytest.raises(OperatorError, match="answers for no row: 1 from before the table's day"):
        screened(four, written(tmp_path / "past.csv", [past]))
    blind = written(tmp_path / "blind.csv", [past], day="made")
    with pytest.raises(OperatorError, match="no column says") as unsaid:
        screened(four, blind)
    assert "--column applied_at=HEADER" in unsaid.value.remedy
    leak = tmp_path / "leak.csv"
    screened(four, blind, Wanted(every_cell=True, today=True), leak)
    assert pd.read_csv(leak)["id_loan_orgnum_m3_all"].tolist() == [2]


def test_a_persons_look_at_an_old_book_is_told_of_today_if_asked_so(
    four: Borrowers, tmp_path: Path
) -> None:
    """For the main cells, with --today; not for a model where the file says another day."""
    old = written(tmp_path / "b.csv", [("N0", four.clock().date() - timedelta(days=99), 0)])
    assert screened(four, old, Wanted(today=True)).known == 1
    with pytest.raises(OperatorError, match="answers for no row"):
        screened(four, old, Wanted())
    with pytest.raises(OperatorError, match="says in 'applied_at'"):
        screened(four, old, Wanted(every_cell=True, today=True))
    four.clock.forward(days=4)
    new = written(tmp_path / "new.csv", [("N0", four.clock().date(), 0)])
    with pytest.raises(OperatorError, match="1 from more than 3 days after") as told:
        screened(four, new)
    assert told.value.remedy == "fetch the latest: lianfang-client borrowing sync"


@pytest.mark.parametrize(
    ("days", "why"),
    [(-1, Why.LATER), (0, None), (3, None), (4, Why.EARLIER), (7, Why.AHEAD), (None, Why.NO_DAY)],
)
def test_a_table_answers_for_its_day_and_three_more(days: int | None, why: Why | None) -> None:
    """`days`: from the table to the application, five days before today; tomorrow is somewhere."""
    table = date(2026, 1, 10)
    day = 0 if days is None else table.toordinal() + days
    left = Applications(np.array([day]), None).left_out(table, table + timedelta(days=5))
    assert left == ({} if why is None else {0: why})


@pytest.mark.parametrize(
    ("header", "rows", "match"),
    [
        ("application_id", ["N1", "N1"], "application_id is empty or there twice: line 2, 3"),
        ("application_id", ["N1", ""], "empty or there twice: line 3"),
        ("number", ["N1", "N2"], "no column tells applications apart"),
    ],
)
def test_answers_are_kept_only_under_a_number_of_their_own(
    four: Borrowers, tmp_path: Path, header: str, rows: list[str], match: str
) -> None:
    """And a file of other columns, or no answers at all, is not added to."""
    today = four.clock().date()
    book = tmp_path / "book.csv"
    lines = [f"{key},{today},{PEOPLE[0].resident_id}" for key in rows]
    book.write_text("\n".join([f"{header},applied_at,resident_id", *lines]) + "\n")
    with pytest.raises(OperatorError, match=match):
        screened(four, book)
    assert not (tmp_path / "features.csv").exists()
    good = written(tmp_path / "good.csv", [("N1", today, 0)])
    (tmp_path / "features.csv").write_text("application_id\nN1\n")
    with pytest.raises(OperatorError, match="has other columns"):
        screened(four, good)


def test_an_identifier_is_never_the_number_that_is_written(four: Borrowers, tmp_path: Path) -> None:
    """Whatever column is named."""
    book = written(tmp_path / "book.csv", [("N1", four.clock().date(), 0)])
    with pytest.raises(OperatorError, match="holds identifiers, no application_id"):
        screen(
            four["L04"].borrowing, book, tmp_path / "out.csv", KEPT,
            columns={"application_id": "resident_id", "phone": "application_id"},
        )  # fmt: skip


def test_the_commands_say_what_was_left_out_and_what_is_over_its_term(
    four: Borrowers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Counts, lines and why, exit status 1; nothing that is kept is deleted."""

    by_command(four, monkeypatch)
    today, out = four.clock().date(), tmp_path / "features.csv"
    words = ["borrowing", "screen", "", "--out", str(out), "--every-cell", "--append"]
    late = today - timedelta(days=2)
    words[2] = str(written(tmp_path / "book.csv", [("N1", today, 2), ("N2", late, 0)]))
    assert main(words) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "1 row: 0 that others told of" in told
    assert "1 row left out, not looked up, from before the table's day: it knows what" in told
    assert told.endswith("came after them: line 3")
    old = out.read_text().replace(today.isoformat(), (today - timedelta(days=181)).isoformat())
    out.write_text(old)
    assert main([*words, "--json"]) == 1
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["there_already"], found["over_term"]) == (1, 1)
    assert found["left_out"] == {"later_table": [3]}
    assert "older than 180 days" in printed.err
    assert out.read_text() == old
    assert main(["borrowing", "columns"]) == 0
    assert capsys.readouterr().out == schema_block()
    names = ["id_loan_days_since", "loan_days_since", PREFIX + "loan_days_since"]
    assert main(["borrowing", "columns", *names]) == 0
    assert capsys.readouterr().out == schema_block(["loan_days_since"])


def test_what_was_added_is_said(
    four: Borrowers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """How many are added and were there; a row of nobody is named and, mended, added."""
    by_command(four, monkeypatch)
    today, out = four.clock().date(), tmp_path / "features.csv"
    book = written(tmp_path / "book.csv", [("N1", today, 0), ("N2", today, 1)])
    words = ["borrowing", "screen", str(book), "--out", str(out), "--every-cell", "--append"]
    good = book.read_text()
    book.write_text(good.replace(PEOPLE[1].resident_id, ""))
    assert main(words) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert f"in {out}: 1 added, 0 there before 1 row not added, nobody was asked" in told
    assert told.endswith("line 3")
    book.write_text(good)
    assert main(words) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.endswith(f"in {out}: 1 added, 1 there before, whose first answer stays")


def test_days_that_cannot_be_read_are_not_said_to_be_lost(four: Borrowers, tmp_path: Path) -> None:
    """They are to be written otherwise, days to come to be waited for; a past day is lost."""
    today = four.clock().date()
    for when, match, remedy in (
        (today.strftime("%m/%d/%Y"), "1 without a day that can be read", "write dates as 20"),
        (today + timedelta(days=9), "1 of a day to come", "mend the days to come"),
        (today - timedelta(days=9), "1 from before the table's day", "screen applications on"),
    ):
        with pytest.raises(OperatorError, match=match) as told:
            screened(four, written(tmp_path / "book.csv", [("N0", when, 0)]))
        assert told.value.remedy.startswith(remedy)


def test_the_block_is_the_definition() -> None:
    """What is printed parses to the columns that the simulation adds; another cell is named so."""
    parsed = declared().columns[1:]
    assert parsed == tuple(map(column_of, OF_LOANS))
    assert [column.name for column in parsed] == BANDS
    with pytest.raises(OperatorError, match="is no cell"):
        schema_block(["app_orgnum_m1"])
