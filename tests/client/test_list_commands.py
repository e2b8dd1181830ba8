"""`lianfang-client list …` and `screen` against key holders and a registry on loopback."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from client.cli import main
from client.exchange.key_sets import KeySets
from client.exchange.subjects import canonical_all
from server.actor import read_actor
from shared.blacklist.checkpoint import Checkpoint
from shared.errors import OperatorError
from shared.secure_sum.encoding import read_text, text_of
from tests.exchange_parties import (
    CHECKER,
    MAKER,
    PEOPLE,
    TERMS,
    TWO,
    Parties,
    open_epoch,
    parties,
)
from tests.server.keyholder.key_holders import NOW


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(tmp_path_factory.mktemp("exchange")) as found:
        yield found


@pytest.fixture
def exchange(everybody: Parties, capsys: pytest.CaptureFixture[str]) -> Parties:
    """With an epoch that is open; tests use people of their own."""
    everybody.capture = capsys
    if not (everybody.lender("L03") / "own" / "registry" / "checkpoint.json").exists():
        open_epoch(everybody)
    return everybody


def check(exchange: Parties, code: str, number: int, status: int) -> dict[str, object]:
    words = ("list", "check", "--resident-id", PEOPLE[number].resident_id)
    found = exchange.asked(code, *words, status=status)
    assert isinstance(found, dict)
    return found


def test_an_entry_answers_after_another_person_approved_and_never_says_decline(
    exchange: Parties,
) -> None:
    """Filed: no hit, and it says what it waits for. Approved: a hit elsewhere, to be reviewed."""
    entry = exchange.file("L01", PEOPLE[0])
    exchange.synced("L02")
    assert check(exchange, "L02", 0, 0)["hit"] is False
    (own,) = [e for e in exchange.asked("L01", "list", "own", status=1) if e["entry"] == entry]
    assert own["waits_for"] == "this lender's checker (list approve)"
    exchange.run("L01", "list", "approve", entry, "--operator", CHECKER)
    exchange.synced("L02")
    found = check(exchange, "L02", 0, 1)
    (row,) = found["rows"]  # which says nothing about the entry's name
    assert (len(row["row"]), entry in row["row"]) == (64, False)
    assert found["answer"]["hit_class"] == "fraud_confirmed"
    assert found["answer"]["action_hint"] == "review"
    assert check(exchange, "L02", 1, 0)["hit"] is False


def test_whoever_filed_cannot_approve_under_whatever_spelling(exchange: Parties) -> None:
    """The same person is refused here, before anything leaves; another one is not."""
    entry = exchange.file("L01", PEOPLE[2])
    for name in (MAKER, "  li  NA ", "Ｌｉ Ｎａ"):
        told = exchange.run("L01", "list", "approve", entry, "--operator", name, status=2)
        assert "filed by this very person" in told
        assert "another person" in told
    told = exchange.run("L01", "list", "approve", "--operator", MAKER, status=2)
    assert "entries wait for a checker (1), but this operator filed them" in told
    exchange.run("L01", "list", "approve", entry, "--operator", CHECKER)


def test_severity_three_waits_for_a_second_institution_that_knows_the_subject(
    exchange: Parties, tmp_path: Path
) -> None:
    """A second lender approves on evidence of its own, about a subject it can name itself."""
    entry = exchange.listed("L01", PEOPLE[3], "--severity", "3")
    exchange.synced("L02")
    assert check(exchange, "L02", 3, 0)["hit"] is False
    waiting = exchange.asked("L02", "list", "waiting", status=1)
    assert [one["name"] for one in waiting if one["kind"] == "entry"] == [entry]
    ours = tmp_path / "ours.txt"
    ours.write_text("our own case")
    words = ("list", "approve", entry, "--operator", CHECKER, "--evidence-file", ours)
    told = exchange.run("L02", *words, "--resident-id", PEOPLE[4].resident_id, status=2)
    assert "not only about the subject given" in told
    exchange.run("L02", *words, "--resident-id", PEOPLE[3].resident_id)
    exchange.synced("L02")
    assert check(exchange, "L02", 3, 1)["answer"]["severity"] == 3


def test_a_dispute_flags_the_answer_and_a_correction_ends_it(
    exchange: Parties, tmp_path: Path
) -> None:
    """Disputed by one lender, seen as such by all, resolved by the contributor, gone."""
    entry = exchange.listed("L01", PEOPLE[5])
    exchange.synced("L03")
    letter = tmp_path / "letter.txt"
    letter.write_text("it was not me")
    row = check(exchange, "L03", 5, 1)["rows"][0]["row"]
    words = ("--grounds", "wrong_person", "--evidence-file", letter)
    told = exchange.run("L03", "list", "dispute", entry, *words, *TWO, status=2)
    assert "`list check` shows its name as `row`" in told
    exchange.run("L03", "list", "dispute", row, *words, *TWO)
    exchange.synced("L02")
    assert check(exchange, "L02", 5, 1)["answer"]["disputed"] is True
    rows = exchange.asked("L01", "list", "own", status=1)
    (waits,) = [row["waits_for"] for row in rows if row["entry"] == entry]
    assert waits.startswith("the outcome of a dispute by ")
    words = ("list", "resolve", entry, "--outcome", "corrected", "--statement", letter)
    exchange.run("L01", *words, *TWO)
    exchange.synced("L02")
    assert check(exchange, "L02", 5, 0)["hit"] is False


def test_what_is_withdrawn_answers_no_more_and_may_be_filed_anew(exchange: Parties) -> None:
    """Nobody gets a hit after a withdrawal, and the lender may file the subject anew."""
    entry = exchange.listed("L02", PEOPLE[6])
    told = exchange.run(
        "L02", "list", "withdraw", entry, "--cause", "mistake",
        "--operator", MAKER, "--checker", MAKER, status=2,
    )  # fmt: skip
    assert "same person" in told
    assert exchange.run("L02", "list", "withdraw", entry, "--cause", "mistake", *TWO) == (
        "1 entry withdrawn\n"
    )
    exchange.synced("L03")
    assert check(exchange, "L03", 6, 0)["hit"] is False
    exchange.file("L02", PEOPLE[6])


def test_a_subject_is_not_filed_twice_by_mistake(exchange: Parties) -> None:
    """The same subject and reason again is refused and the entry named; another reason is not."""
    entry = exchange.file("L01", PEOPLE[7])
    evidence = f"forged_document={exchange.folder / 'case.txt'}"
    words = ("list", "file", "--resident-id", PEOPLE[7].resident_id, "--operator", MAKER)
    told = exchange.run("L01", *words, *TERMS, "--evidence", evidence, status=2)
    assert entry in told
    exchange.file("L01", PEOPLE[7], "--reason", "F103")


def test_a_file_of_subjects_is_filed_whole_or_not_at_all(exchange: Parties, tmp_path: Path) -> None:
    """One wrong cell: line, column, masked value and remedy, and nothing is sent. Rows have terms
    of their own.
    """
    cases = tmp_path / "cases.csv"
    wrong = PEOPLE[9].resident_id[:-1] + ("1" if PEOPLE[9].resident_id[-1] != "1" else "2")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")

    def write(second: str, header: str = "身份证号") -> None:
        rows = [
            (header, "手机号", "reason", "evidence"),
            (PEOPLE[8].resident_id, PEOPLE[8].phone, "F103", "contact_record=a.txt"),
            (second, "", "F102", "first_payment_missed=a.txt;statement=b.txt"),
        ]
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        cases.write_text(text.getvalue())

    words = ("list", "file", "--subjects", cases, "--operator", MAKER, *TERMS)
    write(wrong)
    told = exchange.run("L01", *words, status=2)
    assert "line 3: 身份证号" in told
    assert "check character" in told
    assert wrong not in told
    write(PEOPLE[9].resident_id, "number")
    assert "'number'" in exchange.run("L01", *words, status=2)
    before = exchange.asked("L01", "list", "own", status=1)
    write(PEOPLE[9].resident_id)
    filed = exchange.asked("L01", *words)
    assert [row["refused"] for row in filed] == [None, None]
    after = exchange.asked("L01", "list", "own", status=1)
    assert len(after) == len(before) + 2  # type: ignore[arg-type]


def test_a_value_may_come_from_standard_input(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written as - it is read there, a line each, and is no part of the command."""
    exchange.listed("L01", PEOPLE[10])
    exchange.synced("L02")
    monkeypatch.setattr(
        sys, "stdin", io.StringIO(f"{PEOPLE[10].resident_id}\n{PEOPLE[10].phone}\n")
    )
    exchange.run("L02", "list", "check", "--resident-id", "-", "--kind", "phone", "--value", "-",
                 status=1)  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert "standard input ended" in exchange.run("L02", "list", "check", "--phone", "-", status=2)


def live(exchange: Parties, code: str) -> list[dict[str, object]]:
    """A lender's own entries, whatever they wait for."""
    assert exchange.capture is not None
    main(["list", "own", "--json", "--folder", str(exchange.lender(code))])
    found = json.loads(exchange.capture.readouterr().out)
    assert isinstance(found, list)
    return found


def book_of(path: Path, numbers: range, header: str = "resident_id") -> Path:
    lines = [f"客户号,{header}", *(f"D{n},{PEOPLE[n].resident_id}" for n in numbers)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_book_is_screened_and_again_without_a_network(
    exchange: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hits by line and customer reference in a file without identifiers; the second time no
    message leaves.
    """
    exchange.listed("L01", PEOPLE[11])
    exchange.synced("L03")
    book, hits = book_of(tmp_path / "book.csv", range(11, 16)), tmp_path / "hits.csv"
    first = exchange.asked("L03", "screen", book, "--out", hits, status=1)
    assert isinstance(first, dict)
    assert (first["rows"], first["hits"], first["tokens_asked"]) == (5, 1, 5)
    (row,) = csv.DictReader(hits.read_text(encoding="utf-8-sig").splitlines())
    assert (row["line"], row["customer_ref"], row["action_hint"]) == ("2", "D11", "review")
    assert PEOPLE[11].resident_id not in hits.read_text(encoding="utf-8-sig")
    outbox = exchange.lender("L03") / "own" / "outbox.jsonl"
    left = outbox.read_bytes()
    again = exchange.asked("L03", "screen", book, "--out", hits, status=1)
    assert isinstance(again, dict)
    assert (again["hits"], again["tokens_asked"]) == (1, 0)
    assert outbox.read_bytes() == left
    clean = book_of(tmp_path / "clean.csv", range(12, 16))
    assert "0 hits" in exchange.run("L03", "screen", clean, "--out", hits)


def test_what_is_odd_in_a_book_is_shown_although_the_holders_are_down(
    exchange: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line, column, masked text and the reason's word, before the error; with --json the error is a
    line of JSON too, with the same cells, and the exit status stays 2.
    """
    monkeypatch.setattr("client.exchange.holders._ROUNDS", 1)
    book, bad = tmp_path / "book.csv", PEOPLE[23].resident_id[:-1]
    bad += "1" if PEOPLE[23].resident_id[-1] != "1" else "2"
    rows = [f"{PEOPLE[n].resident_id},4111111111111112" for n in range(24, 31)]
    book.write_text("\n".join(["resident_id,bank_card", *rows, f"{bad},"]) + "\n")
    path = exchange.lender("L03") / "exchange.toml"
    right = path.read_text()
    words = ("screen", book, "--out", tmp_path / "hits.csv")
    try:
        path.write_text(re.sub(r'(K\d) = "127.0.0.1:\d+"', r'\1 = "127.0.0.1:9"', right))
        told = exchange.run("L03", *words, status=2)
        assert main([*map(str, words), "--folder", str(path.parent), "--json"]) == 2
    finally:
        path.write_text(right)
    printed = exchange.capture.readouterr()  # type: ignore[union-attr]
    assert (
        told.index("line 9, resident_id") < told.index("line 2, bank_card") < told.index("error:")
    )
    for word in ("(check_digit)", "(luhn)", "(unknown_region)", "and 9 more warnings; --json"):
        assert word in told
    (text,) = printed.out.splitlines()
    said = json.loads(text)
    assert "key holders" in said["error"]
    assert said["remedy"]
    assert said["warnings"] == {"unknown_region": 7, "luhn": 7}
    assert [cell["line"] for cell in said["bad_cells"]] == [9]
    assert {(one["column"], one["warning"]) for one in said["warned_cells"]} == {
        ("resident_id", "unknown_region"),
        ("bank_card", "luhn"),
    }
    assert "error:" in printed.err
    assert bad not in told + text
    assert "4111111111111112" not in told + text


def test_points_of_a_book_are_multiplied_on_all_cores(
    exchange: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many threads as there are cores get the chunks of 256; a small lookup is one chunk."""
    pools: list[tuple[int, list[int]]] = []

    class Recorded(ThreadPoolExecutor):
        def __init__(self, workers: int, name: str) -> None:
            super().__init__(workers, name)
            self.handed: list[int] = []
            pools.append((workers, self.handed))

        def map(self, function, *chunks, **options):  # type: ignore[no-untyped-def]
            self.handed.append(len(chunks[0]))
            return super().map(function, *chunks, **options)

    monkeypatch.setattr("client.exchange.opening.ThreadPoolExecutor", Recorded)
    book = tmp_path / "book.csv"
    book.write_text("phone\n" + "".join(f"139{n:08d}\n" for n in range(300)))
    exchange.run("L03", "screen", book, "--out", tmp_path / "hits.csv")
    exchange.run("L03", "list", "check", "--phone", "13700137000")
    (workers, handed), (_, small) = pools
    assert workers == os.cpu_count()
    assert max(handed) == 2
    assert set(small) == {1}


def test_long_commands_tell_how_far_they_are(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first snapshot by rows, approving and filing by entries: what is told adds up."""
    bars: list[tuple[str, int, list[int]]] = []

    @contextmanager
    def shown():  # type: ignore[no-untyped-def]
        def begin(what: str, total: int) -> Callable[[int], None]:
            bars.append((what, total, []))
            return bars[-1][2].append

        yield begin

    for module in ("listing", "filing", "deciding"):
        monkeypatch.setattr(f"client.commands.{module}.bars", shown)
    exchange.file("L02", PEOPLE[31])
    exchange.file("L02", PEOPLE[32])
    exchange.run("L02", "list", "approve", "--operator", CHECKER)
    exchange.synced("L02")
    assert max(total for what, total, _ in bars if what == "entries") >= 2
    fresh = exchange.lender("L02") / "own" / "list"
    shutil.rmtree(fresh)
    found = exchange.asked("L02", "list", "sync")
    assert isinstance(found, dict)
    assert (bars[-1][0], bars[-1][1]) == ("rows", found["rows"])
    assert all(sum(told) == total for _, total, told in bars)


def test_an_old_copy_of_the_list_is_told(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lookup in it still answers, and says what it may miss; a fresh one says nothing."""
    words = ["list", "check", "--resident-id", PEOPLE[17].resident_id]
    words += ["--folder", str(exchange.lender("L03"))]
    assert main(words) == 0
    assert "days old" not in capsys.readouterr().err
    monkeypatch.setattr("client.exchange.desk.Desk.age", timedelta(days=5))
    assert main(words) == 0
    assert "5 days old" in capsys.readouterr().err


def test_an_address_without_a_home_still_has_its_building() -> None:
    """Two identifiers where there are two, one where there is one, none where it is no address."""
    home = [("address", "北京市朝阳区建国路88号1号楼2单元301室")]
    assert len(canonical_all(home, date(2031, 5, 6))) == 2
    assert len(canonical_all([("address", "北京市朝阳区建国路88号")], date(2031, 5, 6))) == 1
    with pytest.raises(OperatorError):
        canonical_all([("address", "-")], date(2031, 5, 6))


def test_a_book_without_identifiers_says_which_headers_there_are(
    exchange: Parties, tmp_path: Path
) -> None:
    """And how to name the column; named, it is read."""
    book, hits = book_of(tmp_path / "book.csv", range(12, 14), "ID_NO"), tmp_path / "hits.csv"
    told = exchange.run("L03", "screen", book, "--out", hits, status=2)
    assert "no column holds an identifier" in told
    assert "'ID_NO'" in told
    exchange.run("L03", "screen", book, "--out", hits, "--column", "resident_id=ID_NO")


def test_everything_that_left_is_in_the_outbox_in_plain_words(
    exchange: Parties, capsys: pytest.CaptureFixture[str]
) -> None:
    """To whom, for what, how much; and no identifier or operator."""
    exchange.listed("L02", PEOPLE[16])
    assert main(["outbox", str(exchange.lender("L02")), "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    told = [(one["kind"], one["stage"], one["purpose"]) for one in lines[-6:]]
    points = "filing: 8 blinded points, looking random to the holder"
    assert ("points", points) in {(kind, purpose) for kind, _, purpose in told}
    assert ("events", "to R1", "signed events for the list: 1 filing") in told
    assert ("events", "to R1", "signed events for the list: 1 approval") in told
    assert {one["size"] for one in lines if one["kind"] == "events"} <= {16384, 16385, 16386}
    text = (exchange.lender("L02") / "own" / "outbox.jsonl").read_text()
    assert PEOPLE[16].resident_id not in text
    assert MAKER not in text
    assert main(["outbox", str(exchange.lender("L02"))]) == 0
    page = capsys.readouterr().out
    assert "blinded points" in page
    assert "signed events" in page
    assert "the chain of" in page


def test_one_key_holder_down_is_told_and_another_asked(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one address dead the answer is the same; with two it says which and that nothing was
    looked up.
    """
    path = exchange.lender("L03") / "exchange.toml"
    right = path.read_text()
    monkeypatch.setattr("client.exchange.holders._ROUNDS", 1)
    addresses = [f"127.0.0.1:{holder.port}" for holder in exchange.holders.values()]
    try:
        path.write_text(right.replace(addresses[0], "127.0.0.1:9"))
        assert check(exchange, "L03", 17, 0)["hit"] is False
        path.write_text(
            right.replace(addresses[0], "127.0.0.1:9").replace(addresses[1], "127.0.0.1:9")
        )
        words = ("list", "check", "--resident-id", PEOPLE[18].resident_id)
        told = exchange.run("L03", *words, status=2)
        assert "remedy" in told
        assert PEOPLE[18].resident_id not in told
    finally:
        path.write_text(right)
    assert check(exchange, "L03", 18, 0)["hit"] is False


def test_what_is_filed_while_the_registry_is_down_is_kept_and_sent_later(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost and nothing filed twice."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    path = exchange.lender("L01") / "exchange.toml"
    right = path.read_text()
    evidence = f"forged_document={exchange.folder / 'case.txt'}"
    words = ("list", "file", "--resident-id", PEOPLE[19].resident_id, "--operator", MAKER)
    words = (*words, *TERMS, "--evidence", evidence)
    try:
        path.write_text(right.replace(f":{exchange.registry.port}", ":9"))
        told = exchange.run("L01", *words, status=2)
        assert "is kept here and leaves with the next `list sync`" in told
        told = exchange.run("L01", "list", "approve", "--operator", CHECKER, status=2)
        assert "nothing was kept" in told  # which of them wait is known to the registry
        for reading in ("own", "waiting", "sync"):
            told = exchange.run("L01", "list", reading, status=2)
            assert "cannot be reached" in told
            assert "nothing was kept" not in told
        again = exchange.run("L01", "list", "sync", status=2)
        assert "what is kept here leaves then" in again
    finally:
        path.write_text(right)
    assert "list sync" in exchange.run("L01", *words, status=2)
    before = exchange.asked("L01", "list", "own", status=1)
    synced = exchange.asked("L01", "list", "sync")
    assert isinstance(synced, dict)
    assert synced["sent"] == 1
    after = exchange.asked("L01", "list", "own", status=1)
    assert len(after) == len(before) + 1  # type: ignore[arg-type]


@pytest.mark.parametrize("command", ["sync", "own", "waiting"])
def test_a_folder_that_is_no_lender_of_the_exchange_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing, and what to do."""
    assert main(["list", command, "--folder", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "no file exchange.toml" in told
    assert "--folder" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--resident-id", "110105194912310021"), "check character"),
        (("--reason", "F999"), "F103 skip"),
        (("--evidence", "forged_document=nowhere.pdf"), "nowhere.pdf cannot be read"),
        (("--evidence", "nowhere.pdf"), "KIND=FILE"),
        (("--notice", "letter"), "CHANNEL:DATE"),
        (("--event-date", "5.1.2026"), "2026-01-31"),
        (("--confidence", "sure"), "adjudicated"),
        (("--operator", "  "), "no name"),
        (("--kind", "phone"), "pairs"),
    ],
)
def test_a_wrong_word_of_a_filing_says_what_is_expected(
    exchange: Parties, words: tuple[str, ...], told: str
) -> None:
    """And nothing is sent: the outbox stays as it is."""
    outbox = exchange.lender("L01") / "own" / "outbox.jsonl"
    before = outbox.read_bytes()
    case = ("--evidence", f"statement={exchange.folder}/case.txt")
    evidence = () if words[0] == "--evidence" else case
    who = () if words[0] == "--resident-id" else ("--resident-id", PEOPLE[20].resident_id)
    given = ("list", "file", "--operator", MAKER, *who, *TERMS, *evidence, *words)
    assert told in exchange.run("L01", *given, status=2)
    assert outbox.read_bytes() == before


def test_being_overdue_alone_cannot_be_listed(exchange: Parties) -> None:
    """The listing test is made here, before anything is sent."""
    evidence = f"overdue_record={exchange.folder / 'case.txt'}"
    who = ("--resident-id", PEOPLE[21].resident_id, "--operator", MAKER)
    told = exchange.run("L01", "list", "file", *who, *TERMS, "--evidence", evidence, status=2)
    assert "overdue alone" in told


def test_a_rotation_refiles_every_entry_and_loses_no_answer(
    exchange: Parties, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the new epoch, after all have re-filed and the old one is retired, the hit is still there;
    before it is consented to, nothing changes. Whoever stood for a grave entry stands for its new
    tokens once it has re-filed too, and says so; until then `list own` says that its word is
    missing. This test is the last: it changes the epoch.
    """
    exchange.listed("L03", PEOPLE[22])
    grave = exchange.listed("L01", PEOPLE[33], "--severity", "3")
    words = ("--evidence-file", exchange.folder / "case.txt", "--operator", CHECKER)
    who = ("--resident-id", PEOPLE[33].resident_id)
    exchange.run("L02", "list", "approve", grave, *words, *who)
    exchange.relay.rotate()
    opened = exchange.asked("L01", "list", "open-epoch", *TWO)
    assert isinstance(opened, dict)
    exchange.run("L02", "list", "consent", opened["events"][0], *TWO)
    for code in ("L01", "L02", "L03"):
        exchange.synced(code)
        assert "list refile" in exchange.run(code, "list", "own", status=1)
        told = exchange.run(code, "list", "refile", *TWO)
        assert ("another lender" in told or "other lenders" in told) == (code == "L02")
        word = "the second institution's word for its tokens of key epoch 2"
        (own,) = [e for e in live(exchange, "L01") if e["entry"] == grave]
        assert own["waits_for"] == (word if code == "L01" else "")
        assert own["corroborated_epochs"] == ([1] if code == "L01" else [1, 2])
        again = exchange.asked(code, "list", "refile", *TWO)
        assert isinstance(again, dict)
        assert (again["refused"], again["unknown"]) == ([], [])
    retired = exchange.asked("L01", "list", "retire-epoch", 1, *TWO)
    assert isinstance(retired, dict)
    assert retired["refused"] == []
    exchange.run("L02", "list", "consent", retired["events"][0], *TWO)
    exchange.synced("L01")
    assert check(exchange, "L01", 22, 1)["hit"] is True
    kept = exchange.lender("L01") / "own" / "tokens" / "epoch-1"
    assert kept.exists()  # the registry's word is not enough: the holders show it still
    monkeypatch.setattr(KeySets, "left", lambda self, epochs: frozenset(epochs))
    sync = exchange.asked("L01", "list", "sync")
    assert not kept.exists()
    assert isinstance(sync, dict)
    assert sync["epochs"] == [2]


def test_two_lenders_compare_what_they_were_shown(exchange: Parties, tmp_path: Path) -> None:
    """One list: said so, exit 0. Other versions: sync both. A split view, signed by the registry
    itself: exit 2 and the evidence is on the disk, named. What nobody signed is no checkpoint.
    """
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    for code in ("L01", "L02"):
        exchange.synced(code)
    told = exchange.run("L01", "list", "checkpoint", "--out", theirs)
    assert re.search(r"checkpoint of version \d+ of the list in ", told)
    printed = exchange.asked("L02", "list", "checkpoint")
    assert isinstance(printed, dict)
    assert printed["checkpoint"] == theirs.read_text().strip()
    told = exchange.run("L02", "list", "compare", theirs)
    assert told == f"the same list: version {printed['version']} there and here\n"
    found = exchange.asked("L02", "list", "compare", theirs)
    assert isinstance(found, dict)
    assert found["same_list"] is True

    held = read_text(Checkpoint, theirs.read_bytes().strip())
    private = read_actor(exchange.folder / "R1", "registry", NOW).identity.private
    for more, match in ((1, "contradicts"), (7, "sync both members")):
        far = replace(held, version=held.version + more, before=bytes(32)).signed(private)
        ours.write_bytes(text_of(far))
        told = exchange.run("L02", "list", "compare", ours, status=2)
        assert match in told
    theirs.write_bytes(text_of(replace(held, rows=held.rows + 1).signed(private)))
    before = {*(exchange.lender("L02") / "own/registry/evidence").glob("fork-*.json")}
    told = exchange.run("L02", "list", "compare", theirs, status=2)
    (path,) = {*(exchange.lender("L02") / "own/registry/evidence").glob("fork-*.json")} - before
    assert "contradicts" in told
    assert str(path) in told
    words = ("list", "compare", str(theirs), "--json", "--folder", str(exchange.lender("L02")))
    assert main([*words]) == 2
    assert exchange.capture is not None
    found = json.loads(exchange.capture.readouterr().out)
    assert found["same_list"] is False
    assert str(path) in found["remedy"]
    theirs.write_bytes(text_of(replace(held, rows=held.rows + 1)))
    told = exchange.run("L02", "list", "compare", theirs, status=2)
    assert "contradicts" not in told
    theirs.write_text("a,b\n")
    assert "is no checkpoint" in exchange.run("L02", "list", "compare", theirs, status=2)
