"""`lianfang-client borrowing …` with key holders, a registry and a desk on loopback, over TLS."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from client.cli import main
from client.exchange.subjects import canonical_all
from server.actor import write_actor
from server.borrowing.service import Serving, serve
from server.borrowing.settings import FILE
from server.commands.borrowing import settings_text
from tests.exchange_parties import PEOPLE, Parties, enrol, open_epoch, parties
from tests.server.keyholder.key_holders import AUTHORITY, NOW

LENDERS = ("L01", "L02", "L03", "L04")
HEADER = "event,day,reference,amount,resident_id,phone\n"
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


Started = tuple[Parties, Serving]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Lenders and a desk that all tests but one share."""
    with at_the_beginning(tmp_path_factory.mktemp("borrowing")) as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Started]:
    """The same, and nothing has happened yet."""
    (tmp_path / "parties").mkdir()
    with at_the_beginning(tmp_path / "parties") as made:
        made[0].capture = capsys
        yield made


@contextmanager
def at_the_beginning(home: Path) -> Iterator[Started]:
    """Lenders, of whom L04 has no section [borrowing] yet, and a desk."""
    random = secrets.token_bytes
    write_actor(home / "D1", AUTHORITY, "D1", "desk", days=300, now=NOW, random=random)
    with parties(home) as found:
        enrol(home / "L04", "L04", found.holders, found.registry.port)
        text = settings_text([f"{code}=cons" for code in LENDERS], "demo", at_once=True)
        (home / "D1" / FILE).write_text(text)
        desk = serve(home / "D1", "127.0.0.1:0", tick_seconds=3600)
        for code in LENDERS[:3]:
            point_at(home / code, desk)
        try:
            yield found, desk
        finally:
            desk.stop()


def point_at(folder: Path, desk: Any) -> None:
    """Write the section of the desk."""
    with (folder / "exchange.toml").open("a") as file:
        file.write(f'[borrowing]\ncode = "D1"\naddress = "127.0.0.1:{desk.port}"\n')


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lender's folder; nobody is there to be asked."""
    nobody, folder = SimpleNamespace(port=1), tmp_path_factory.mktemp("lender")
    enrol(folder, "L01", {"K1": nobody, "K2": nobody}, 1)  # type: ignore[dict-item]
    point_at(folder, nobody)
    return folder


def said(
    capsys: pytest.CaptureFixture[str], words: Sequence[object], status: int = 2
) -> tuple[str, str]:
    """What a command prints, and says beside it; its exit status must be as said."""
    try:
        got = main([*map(str, words)])
    except SystemExit as error:  # the parser's own
        got = int(error.code or 0)
    printed = capsys.readouterr()
    assert got == status
    return printed.out, " ".join(printed.err.split())


@pytest.fixture
def exchange(started: Started, capsys: pytest.CaptureFixture[str]) -> Parties:
    started[0].capture = capsys
    return started[0]


def events(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "events.csv"
    path.write_text(header + "".join(f"{one}\n" for one in lines), encoding="utf-8")
    return path


def with_epoch(exchange: Parties) -> None:
    """Open one where this test is the first that needs it."""
    if not (exchange.lender("L02") / "own" / "registry" / "checkpoint.json").exists():
        open_epoch(exchange)


def application(number: int, reference: str, day: object = YESTERDAY) -> str:
    person = PEOPLE[number]
    return f"application,{day},{reference},,{person.resident_id},{person.phone}"


def test_from_files_of_events_to_an_answer_over_mutual_tls(fresh: Started, tmp_path: Path) -> None:
    """What is missing is said in order; then four lenders contribute, a table is made, and a check
    says look, offline after the first time; a book gives a row each; the outbox has every message.
    """
    exchange, desk = fresh
    path = events(tmp_path, application(0, "A-1"), application(1, "A-2"))
    words = ("borrowing", "contribute", path)
    told = exchange.run("L04", *words, status=2)
    assert "no section [borrowing]" in told
    assert "docs/institution.md, 'Borrowing elsewhere'" in " ".join(told.split())
    point_at(exchange.lender("L04"), desk)
    told = exchange.run("L01", *words, status=2)
    assert "names no key epoch yet" in told
    assert "lianfang-client list sync" in told
    open_epoch(exchange)
    exchange.synced("L04")
    told = exchange.run("L01", "borrowing", "check", "--phone", PEOPLE[0].phone, status=2)
    assert "no table of borrowing elsewhere yet" in told
    told = exchange.run("L01", "borrowing", "sync", status=2)
    assert "published nothing yet" in told

    assert exchange.asked("L01", *words) == {
        "events": 2, "rows": 4, "pages": 1, "out_of_term": 0, "out_of_term_lines": [],
        "refused": [],
        "told_before": 0, "not_told_before": 2, "changed_lines": [],
    }  # fmt: skip
    for code in LENDERS[1:]:
        told = exchange.run(code, "borrowing", "contribute", events(
            tmp_path, application(0, f"{code}-1")))  # fmt: skip
        assert "1 event contributed, as 2 rows under tokens in 1 page" in told
    desk.desk.tick()
    for code in LENDERS:
        told = exchange.run(code, "borrowing", "sync")
        assert told.startswith(f"version {desk.desk.latest().version} of the table, of today")  # type: ignore[union-attr]

    number = PEOPLE[0].resident_id
    found = exchange.asked("L01", "borrowing", "check", "--resident-id", number, status=1)
    assert isinstance(found, dict)
    answers, odd = found.pop("answers"), found.pop("warnings")
    assert [one["warning"] for one in odd] == ["unknown_region"]  # of made-up people
    assert found == {
        "record": True, "look": True, "triggers": ["d7"], "day": TODAY.isoformat(),
        "days_old": 0,
    }  # fmt: skip
    assert answers["id"]["app_orgnum_d7_all"] == 3  # three or four: the own one is not among them
    told = exchange.run("L01", "borrowing", "check", "--resident-id", number, status=1)
    assert "lenders applied to       7 days 3–4 · 15 days 3–4" in told
    assert "look: 3 or more lenders were applied to in 7 days" in told
    assert "never a decision" in told
    told = exchange.run("L01", "borrowing", "check", "--resident-id", PEOPLE[1].resident_id)
    assert told.startswith("no other lender told of this person; the table is of")
    screened(exchange, tmp_path)
    lines = (exchange.lender("L01") / "own" / "outbox.jsonl").read_text()
    for wanted in ("signed events on borrowing, under tokens: 1 page", "ring: 8 blinded points",
                   "the whole table of borrowing elsewhere, please"):  # fmt: skip
        assert wanted in lines
    assert number not in lines
    offline(fresh, number)


def screened(exchange: Parties, folder: Path) -> None:
    """A book of three: a trigger, nobody, a cell that is no identifier."""
    book, out = folder / "book.csv", folder / "out.csv"
    rows = [f"R{n},{PEOPLE[n].resident_id}" for n in (0, 7)] + ["=R9,123"]
    book.write_text("customer_ref,resident_id\n" + "\n".join(rows) + "\n")
    words = ("borrowing", "screen", book, "--out", out)
    found = exchange.asked("L02", *words, status=1)
    assert isinstance(found, dict)
    assert (found["rows"], found["known"], found["look"]) == (3, 1, 1)
    assert [cell["line"] for cell in found["bad_cells"]] == [4]
    frame = pd.read_csv(out)
    assert list(frame["customer_ref"]) == ["R0", "R7", "'=R9"]
    assert list(frame["look"]) == [True, False, False]
    bands = frame["id_app_orgnum_d7_all"]
    assert list(bands[:2]) == [3, -1]
    assert bands.isna().tolist() == [False, False, True]  # nobody was asked
    told = exchange.run("L02", *words, "--every-cell", status=2)
    assert "no column says on which day each row was applied" in told
    assert "--today" in told
    exchange.run("L02", *words, "--every-cell", "--today", status=1)
    assert len(pd.read_csv(out).columns) > 150
    assert PEOPLE[0].resident_id not in out.read_text()


def offline(started: Started, number: str) -> None:
    """With nobody in reach what was cached answers, and what is contributed is kept and leaves
    later; certificates of another role are not taken for the desk's.
    """
    exchange, desk = started
    path = exchange.lender("L01") / "exchange.toml"
    text = path.read_text()
    ports = [desk.port, *(one.port for one in exchange.holders.values())]
    gone = text
    for port in ports:
        gone = gone.replace(f":{port}", ":1")
    path.write_text(gone)
    exchange.run("L01", "borrowing", "check", "--resident-id", number, status=1)
    again = events(exchange.lender("L01"), application(1, "A-9"))
    words = ("borrowing", "contribute", again)
    told = exchange.run("L01", *words, status=2)
    assert "the pages are kept here and leave with the next `borrowing sync`" in told
    path.write_text(text)
    found = exchange.asked("L01", "borrowing", "sync")
    assert isinstance(found, dict)
    assert (found["sent"], found["refused"]) == (1, [])
    refused_later(desk, exchange, (path, text, gone))
    path.write_text(text.replace(f":{desk.port}", f":{exchange.registry.port}"))
    told = exchange.run("L01", "borrowing", "sync", status=2)
    assert "the borrowing desk cannot be reached" in told
    path.write_text(text)


def refused_later(desk: Serving, exchange: Parties, settings: tuple[Path, str, str]) -> None:
    """A kept page that the desk then refuses is said, once, by whatever sends it."""
    path, text, gone = settings
    lender, terms = exchange.lender("L01"), desk.desk._terms
    for words in (("borrowing", "sync"), ("borrowing", "contribute", lender / "events.csv")):
        path.write_text(gone)
        kept = events(lender, application(1, f"kept for {words[1]}"))
        exchange.run("L01", "borrowing", "contribute", kept, status=2)
        path.write_text(text)
        desk.desk._terms = replace(terms, classes={"L02": terms.classes["L02"]})
        told = exchange.run("L01", *words, status=1)
        desk.desk._terms = terms
        assert "a page was refused: this desk has not been told which class" in told
        assert "[classes] of borrowing.toml" in told
        assert "is not sent again: then give its file again" in told
        assert told.count("a page was refused") == (1 if words[1] == "sync" else 2)
        assert "taken now" not in told
        assert exchange.asked("L01", "borrowing", "sync")["refused"] == []  # type: ignore[index]


def test_events_left_out_are_named_and_a_file_without_any_is_an_error(
    started: Started, exchange: Parties, tmp_path: Path
) -> None:
    """Older than may be told: exit status 1, the line and the term, and nothing leaves."""
    with_epoch(exchange)
    old = events(tmp_path, application(0, "A-1", TODAY - timedelta(days=181)))
    told = exchange.run("L02", "borrowing", "contribute", old, status=1)
    assert "0 events contributed" in told
    found = exchange.asked("L02", "borrowing", "contribute", old, status=1)
    assert isinstance(found, dict)
    assert (found["out_of_term"], found["out_of_term_lines"], found["pages"]) == (1, [2], 0)
    none = exchange.run("L02", "borrowing", "contribute", events(tmp_path), status=2)
    assert "events.csv has no rows; nothing was contributed" in none


def test_a_correction_is_said_not_to_be_taken_until_the_old_is_taken_back(
    started: Started, exchange: Parties, tmp_path: Path
) -> None:
    """New, again and changed are told apart; after --retract of the old file it is new."""
    with_epoch(exchange)
    old = events(tmp_path, application(2, "N-1"), application(3, "N-2"))
    words = ("borrowing", "contribute", old)
    assert "2 new, 0 told before, 0 changed" in exchange.run("L02", *words)
    assert "0 new, 2 told before, 0 changed" in exchange.run("L02", *words)
    earlier = YESTERDAY - timedelta(days=3)
    lines = application(2, "N-1"), application(3, "N-2", earlier), application(4, "N-3")
    (tmp_path / "more").mkdir()
    new = ("borrowing", "contribute", events(tmp_path / "more", *lines))
    told = exchange.run("L02", *new, status=1)
    assert "1 new, 1 told before, 1 changed" in told
    assert "changed, not taken: line 3; the desk keeps what it was told first" in told
    assert "are in the next table no more" in exchange.run("L02", *words, "--retract")
    assert "2 events of them not told from here" in exchange.run(
        "L02", *words, "--retract", status=1)  # fmt: skip
    assert "2 new, 1 told before, 0 changed" in exchange.run("L02", *new)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("applied,2026-01-05,A,,{id},", "it is application, loan_opened, loan_closed"),
        ("application,05/01/2026,A,,{id},", "is no day; write it as 2026-01-31"),
        ("application,{ahead},A,,{id},", "is still to come"),
        ("application,2026-01-05,,,{id},", "no reference; give your own number"),
        ("loan_opened,2026-01-05,A,a lot,{id},", "is no amount; write it as 20000"),
        ("application,2026-01-05,A,,,", "it holds no identifier"),
        ("application,2026-01-05,A,,123456,", "resident_id"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_nothing_leaves(
    lender: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, match: str
) -> None:
    """With its line and what to do; no raw identifier is repeated, and nobody is asked."""
    number, ahead = PEOPLE[3].resident_id, TODAY + timedelta(days=2)
    path = events(tmp_path, application(3, "good"), line.format(id=number, ahead=ahead))
    _, told = said(capsys, ["borrowing", "contribute", path, "--folder", lender])
    assert "line 3" in told
    assert match in told
    assert number not in told


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("borrowing", "contribute", "x.csv", "--out", "y"), "has no option --out"),
        (("borrowing", "contribute", "none.csv"), "no such file"),
        (("borrowing", "check"), "no identifier is given"),
        (("borrowing", "check", "--resident-id", "12"), "resident_id"),
        (("borrowing", "check", "--email", "a@example.org"), "borrowing is counted by"),
        (("borrowing", "screen", "book.csv", "--out", "none/out.csv"), "no such folder"),
        (("borrowing", "screen", "book.csv", "--out", "out.txt"), "must be .csv or .parquet"),
        (("borrowing", "chek"), "did you mean check"),
        (("borrowing",), "one of contribute, sync"),
    ],
)
def test_a_tired_mistake_is_told_with_what_to_do(
    lender: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], match: str
) -> None:
    """Exit status 2 and one sentence, never a traceback."""
    where = ("--folder", lender) if len(words) > 1 else ()
    _, told = said(capsys, [*words, *where])
    assert match in told
    assert "Traceback" not in told


@pytest.mark.parametrize("name", ["contribute", "sync", "check", "screen", "columns"])
def test_every_command_shows_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own, with a folder, and what the exit statuses mean."""
    with pytest.raises(SystemExit):
        main(["borrowing", name, "--help"])
    told = capsys.readouterr().out
    assert f"lianfang-client borrowing {name}" in told
    assert "Exit status" in told


def test_an_error_is_a_line_of_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts: what and what to do."""
    out, _ = said(capsys, ["borrowing", "sync", "--json", "--folder", tmp_path])
    assert {*json.loads(out)} == {"error", "remedy"}


def test_a_revoked_desk_is_not_asked(lender: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the lender's own hand, before anything is opened; without the file it is asked."""
    words, path = ["borrowing", "sync", "--folder", lender], lender / "revoked.json"
    path.write_text('["D1"]')
    assert "the borrowing desk D1 is revoked: it is not asked" in said(capsys, words)[1]
    path.unlink()
    assert "the borrowing desk cannot be reached" in said(capsys, words)[1]


def test_the_time_of_day_is_one_bit_and_an_amount_a_band(tmp_path: Path) -> None:
    """Night from 22:00 to 06:00, a weekend by the day; what is out of its term is left out."""
    from client.borrowing.events_file import read_events
    from shared.borrowing.terms import NIGHT, WEEKEND, Kind

    number, monday = PEOPLE[0].resident_id, date(2026, 1, 5)
    path = events(
        tmp_path,
        f"application,{monday} 22:00,A1,,{number},",
        f"application,{monday} 21:59,A2,,{number},",
        f"application,{monday - timedelta(days=1)} 05:59,A3,,{number},",
        f"application,{monday},A4,,{number},",
        f'loan_opened,{monday},K1,"19,999.00",{number},',
        f"loan_closed,{date(2020, 1, 6)},K0,,{number},",
        f"loan_opened,{date(2020, 1, 5)},K2,,{number},",
        f"application,{date(2025, 1, 5)},A5,,{number},",
    )
    found, late = read_events(path, today=date(2026, 1, 6), columns={})
    assert [one.bits for one in found[:4]] == [NIGHT, 0, NIGHT | WEEKEND, 0]
    assert [(one.kind, one.band) for one in found[4:]] == [(Kind.OPENED, 2), (Kind.CLOSED, 0)]
    assert late == (8, 9)
    assert canonical_all([("resident_id", number)], monday)[0] == found[0].identifiers[0][1]
