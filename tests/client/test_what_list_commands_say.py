"""What `list` and `screen` say to a person: plain words, what is next, what is left undone."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from client.cli import main
from client.commands.names import entry_name, row_name
from client.commands.words import ago, answer_lines, counted
from client.exchange.desk import Desk
from client.exchange.index import ListIndex
from shared.blacklist.answer import Answer, Contributors, Recency, Strength
from shared.blacklist.reasons import ListClass, ReasonClass
from shared.blacklist.transitions import IllegalTransitionError, Move, Status
from shared.errors import OperatorError
from tests.exchange_parties import CHECKER, MAKER, PEOPLE, TERMS, TWO, Parties, open_epoch, parties


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    with parties(tmp_path_factory.mktemp("said")) as found:
        yield found


@pytest.fixture
def fresh(everybody: Parties, capsys: pytest.CaptureFixture[str]) -> Parties:
    everybody.capture = capsys
    return everybody


@pytest.fixture
def exchange(fresh: Parties) -> Parties:
    """With an epoch that is open; tests use people of their own."""
    if not (fresh.lender("L03") / "own" / "registry" / "checkpoint.json").exists():
        open_epoch(fresh)
    return fresh


def said(exchange: Parties, code: str, *words: object, status: int = 0) -> tuple[str, str]:
    """Standard output and standard error."""
    assert exchange.capture is not None
    got = main([*map(str, words), "--folder", str(exchange.lender(code))])
    printed = exchange.capture.readouterr()
    assert got == status, printed.out + printed.err
    return printed.out, printed.err


def test_what_waits_says_what_it_is_who_proposes_it_and_how_grave_it_is(fresh: Parties) -> None:
    """A proposal names its member, an entry nobody; severity and reason in words. This test is the
    first: it opens the epoch.
    """
    opened = fresh.asked("L01", "list", "open-epoch", *TWO)
    assert isinstance(opened, dict)
    (name,) = opened["events"]
    told, _ = said(fresh, "L02", "list", "waiting", status=1)
    assert told.splitlines() == [
        f"{name}  key epoch 1 shall answer, proposed by L01  (list consent)",
        "1 waits for a second institution",
    ]
    (row,) = fresh.asked("L02", "list", "waiting", status=1)  # type: ignore[misc]
    assert (row["kind"], row["member"], row["epoch"]) == ("open-epoch", "L01", 1)
    fresh.run("L02", "list", "consent", name, *TWO)
    for code in ("L01", "L02", "L03"):
        fresh.synced(code)
    grave = fresh.listed("L01", PEOPLE[0], "--severity", "3")
    told, _ = said(fresh, "L02", "list", "waiting", status=1)
    about = "entry, severity 3, F101 (false application), key epoch 1"
    assert told.splitlines()[0] == f"{grave}  {about}  (list approve)"
    (row,) = fresh.asked("L02", "list", "waiting", status=1)  # type: ignore[misc]
    assert (row["kind"], row["member"], row["severity"]) == ("entry", None, 3)
    assert "L01" not in told


def test_approving_says_that_a_second_institution_is_still_needed(exchange: Parties) -> None:
    """For severity 3; for any other that the next version has it (control)."""
    grave, light = (
        exchange.file("L02", PEOPLE[1], "--severity", "3"),
        exchange.file("L02", PEOPLE[2]),
    )
    words = ("list", "approve", grave, light, "--operator", CHECKER)
    told, _ = said(exchange, "L02", *words)
    lines = told.splitlines()
    assert lines[0] == "2 entries approved"
    for row, entry in zip(sorted(lines[1:3]), sorted([grave, light]), strict=True):
        assert row.startswith(f"{entry}  F101 of 2026-01-05, resident_id ")
        assert PEOPLE[1].resident_id not in row
    assert lines[3].startswith(f"entry {grave} does not answer yet (severity 3): a second ")
    (next_batch,) = lines[4:]
    assert next_batch.startswith("it answers with the next batch, which `list sync` fetches: daily")
    more = exchange.file("L02", PEOPLE[3], "--severity", "3")
    found = exchange.asked("L02", "list", "approve", more, "--operator", CHECKER)
    assert isinstance(found, dict)
    assert found["second_needed"] == [more]
    alone = exchange.file("L02", PEOPLE[4])
    told, _ = said(exchange, "L02", "list", "approve", alone, "--operator", CHECKER)
    assert "second" not in told
    assert "1 entry approved" in told


def test_filing_says_who_approves_and_how_the_result_comes_back(exchange: Parties) -> None:
    """`list approve`, then `list sync`."""
    evidence = ("--evidence", f"forged_document={exchange.folder / 'case.txt'}")
    words = ("list", "file", "--resident-id", PEOPLE[5].resident_id, "--operator", MAKER)
    told, _ = said(exchange, "L01", *words, *TERMS, *evidence)
    assert re.match(r"entry [0-9a-f]{32} filed\nnext: ", told)
    assert "list approve" in told
    assert "list sync" in told


def test_a_hit_is_told_in_words_with_the_row_to_dispute(exchange: Parties) -> None:
    """No codes, no names of fields, no False; the row's name is that of --json."""
    exchange.listed("L01", PEOPLE[6])
    exchange.synced("L03")
    words = ("list", "check", "--resident-id", PEOPLE[6].resident_id)
    told, _ = said(exchange, "L03", *words, status=1)
    assert re.match(r"a hit on version \d+ of the list, published today\n", told)
    assert "class          fraud confirmed" in told
    assert "dispute        not disputed" in told
    assert not re.search(r"False|True|_", told)
    found = exchange.asked("L03", *words, status=1)
    assert isinstance(found, dict)
    (row,) = found["rows"]
    month = TERMS[TERMS.index("--event-date") + 1][:7]
    assert f"row            {row['row']}  resident id, {_words(row)}, {month}\n" in told
    assert (row["event_month"], row["disputed"], row["kind"]) == (month, False, "resident_id")


def _words(row: dict[str, object]) -> str:
    return str(row["reason_class"]).replace("_", " ")


def test_an_old_copy_says_its_age_also_where_there_is_no_hit(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In words and as `days_old`; the screening of a book too; a fresh one says today (control)."""
    words = ("list", "check", "--resident-id", PEOPLE[7].resident_id)
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{PEOPLE[7].resident_id}\n")
    screen = ("screen", book, "--out", tmp_path / "hits.csv")
    assert "published today" in said(exchange, "L03", *words)[0]
    assert "published today" in said(exchange, "L03", *screen)[0]
    monkeypatch.setattr("client.exchange.desk.Desk.age", timedelta(days=5))
    told, noted = said(exchange, "L03", *words)
    assert told.startswith("no hit on version ")
    assert "published 5 days ago" in told
    assert "list sync" in noted
    found = exchange.asked("L03", *words)
    assert isinstance(found, dict)
    assert (found["hit"], found["days_old"]) == (False, 5)
    assert "published 5 days ago" in said(exchange, "L03", *screen)[0]


def test_one_of_a_thing_is_told_as_one(exchange: Parties, tmp_path: Path) -> None:
    """In the sentence of a screening and in others."""
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{PEOPLE[8].resident_id}\n")
    told, _ = said(exchange, "L03", "screen", book, "--out", tmp_path / "hits.csv")
    assert told.startswith("1 row, 1 identifier, version ")
    assert told.endswith("1 token asked for\n")
    exchange.file("L03", PEOPLE[8])
    assert "1 live entry\n" in said(exchange, "L03", "list", "own", status=1)[0]
    assert [counted(n, "entry", "entries") for n in (0, 1, 1200)] == [
        "0 entries",
        "1 entry",
        "1,200 entries",
    ]
    assert [ago(timedelta(days=n)) for n in (0, 1, 2)] == ["today", "yesterday", "2 days ago"]


def test_hits_are_not_written_into_a_folder_that_is_not_there(
    exchange: Parties, tmp_path: Path
) -> None:
    """It is said before anything leaves, and no folder is made; once it is there, it works."""
    book, out = tmp_path / "book.csv", tmp_path / "new" / "folder" / "hits.csv"
    book.write_text(f"resident_id\n{PEOPLE[9].resident_id}\n")
    outbox = exchange.lender("L03") / "own" / "outbox.jsonl"
    before = outbox.read_bytes()
    told = exchange.run("L03", "screen", book, "--out", out, status=2)
    assert "there is no such folder; nothing was looked up" in told
    assert "remedy: make it first" in told
    assert not (tmp_path / "new").exists()
    assert outbox.read_bytes() == before
    out.parent.mkdir(parents=True)
    exchange.run("L03", "screen", book, "--out", out)
    assert out.exists()


def test_a_key_epoch_nobody_has_a_key_of_is_told_wherever_it_was_not_looked_at(
    exchange: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `check` and `screen`, in words and as `skipped_epochs`, and the exit status says to look;
    where all were looked at nothing is said (control).
    """
    words = ("list", "check", "--resident-id", PEOPLE[10].resident_id)
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{PEOPLE[10].resident_id}\n")
    screen = ("screen", book, "--out", tmp_path / "hits.csv")
    warning = "epoch 7 is named by the registry, but no key holder has such a key"
    for command in (words, screen):
        assert warning not in said(exchange, "L03", *command)[1]
        found = exchange.asked("L03", *command)
        assert isinstance(found, dict)
        assert found["skipped_epochs"] == []
    monkeypatch.setattr(Desk, "usable_epochs", lambda self: ((1,), (7,)))
    for command in (words, screen):
        assert warning in said(exchange, "L03", *command, status=1)[1]
        found = exchange.asked("L03", *command, status=1)
        assert isinstance(found, dict)
        assert found["skipped_epochs"] == [7]


def cases(path: Path, *rows: tuple[str, ...]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def test_what_is_odd_in_a_file_of_subjects_is_told_and_filed_as_it_is(
    exchange: Parties, tmp_path: Path
) -> None:
    """Line, column, masked text, and the word that --json has."""
    (tmp_path / "a.txt").write_text("a")
    head = ("bank_card", "evidence")
    good, odd = "4111111111111111", "4111111111111112"
    proof = "forged_document=a.txt"
    path = cases(tmp_path / "cases.csv", head, (good, proof), (odd, proof))
    words = ("list", "file", "--subjects", path, "--operator", MAKER, *TERMS)
    told, noted = said(exchange, "L01", *words)
    assert "2 entries filed" in told
    (warning,) = [line for line in noted.splitlines() if line.startswith("warning")]
    assert warning.startswith("warning: line 3, bank_card 4•••2 (9–18 characters): its last digit ")
    assert warning.endswith("(luhn); filed as it is")
    assert odd not in told + noted
    path = cases(tmp_path / "more.csv", head, ("4222222222222223", proof))
    (row,) = exchange.asked("L01", "list", "file", "--subjects", path, "--operator", MAKER, *TERMS)  # type: ignore[misc]
    assert [one["warning"] for one in row["warnings"]] == ["luhn"]


def test_wrong_terms_in_a_file_are_told_at_once_and_nothing_is_filed(
    exchange: Parties, tmp_path: Path
) -> None:
    """Every line, not only the first."""
    (tmp_path / "a.txt").write_text("a")
    proof, who = "forged_document=a.txt", [one.resident_id for one in PEOPLE[11:14]]
    head = ("resident_id", "reason", "evidence")
    rows = [(who[0], "F999", proof), (who[1], "F101", proof), (who[2], "F101", "nowhere")]
    path = cases(tmp_path / "cases.csv", head, *rows)
    outbox = exchange.lender("L01") / "own" / "outbox.jsonl"
    before = outbox.read_bytes()
    words = ("list", "file", "--subjects", path, "--operator", MAKER, *TERMS)
    told = exchange.run("L01", *words, status=2)
    assert "cases.csv: 2 rows or cells are wrong" in told
    assert "line 2: " in told
    assert "line 4: " in told
    assert "nothing was filed" in told
    assert outbox.read_bytes() == before


def test_a_refusal_says_what_the_entry_is_now_in_plain_words(exchange: Parties) -> None:
    """The registry's code stands behind the sentence; what it says to do about it is told once,
    and stands in JSON beside the reason.
    """
    entry = exchange.listed("L02", PEOPLE[14])
    words = ("list", "withdraw", entry, "--cause", "mistake", *TWO)
    assert said(exchange, "L02", *words)[0] == "1 entry withdrawn\n"
    told, _ = said(exchange, "L02", *words, status=1)
    sentence = "this entry was withdrawn: it cannot be withdrawn (illegal_transition)"
    remedy = "fetch your entries anew and decide on their present status"
    assert told == f"refused by the registry: {sentence}\nwhat to do: {remedy}\n"
    found = exchange.asked("L02", *words, status=1)
    assert isinstance(found, dict)
    assert (len(found["refused"]), found["remedies"]) == (1, [remedy])


@pytest.mark.parametrize(("status", "move"), [*product(Status, Move)])
def test_every_forbidden_move_has_plain_words(status: Status, move: Move) -> None:
    """None shows a code of the program, and the status is in them."""
    told = str(IllegalTransitionError(status, move))
    assert "_" not in told
    assert told.startswith("this entry ")


def test_every_answer_has_plain_words() -> None:
    """Whatever its classes and bands are; what is rare is said only where it is so."""
    for hit_class, reason, recency, strength in product(ListClass, ReasonClass, Recency, Strength):
        few = Contributors.FEW
        answer = Answer(hit_class, reason, 2, few, recency, strength, True, False, False)
        lines = answer_lines(answer)
        assert "dispute        disputed" in lines
        assert not re.search(r"_|True|False", "\n".join(lines))
        assert "victim: verify more" not in "\n".join(lines)
    rare = Answer(
        *(ListClass.FRAUD_CONFIRMED, ReasonClass.FIRST_PARTY, 2, Contributors.FEW),
        *(Recency.OLDER, Strength.WEAK, False, True, True),
    )
    told = "\n".join(answer_lines(rare))
    assert "listed as a victim: verify more" in told
    assert "what the subject says" in told


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (row_name, "ab" * 16, "is the name of an entry"),
        (row_name, "ab", "64 letters and digits"),
        (row_name, "110105194912310021", "64 letters and digits"),
        (entry_name, "ab" * 32, "32 letters and digits"),
        (entry_name, "z" * 32, "32 letters and digits"),
    ],
)
def test_a_wrong_name_says_where_the_right_one_stands_and_is_not_repeated(
    read: object, text: str, told: str
) -> None:
    """It might be an identifier, put in the wrong place."""
    with pytest.raises(OperatorError) as error:
        read(text)  # type: ignore[operator]
    assert told in str(error.value)
    assert text not in str(error.value) or len(text) < 3
    assert row_name("ab" * 32) == bytes.fromhex("ab" * 32)
    assert entry_name("ab" * 16) == bytes.fromhex("ab" * 16)


def test_an_odd_identifier_given_by_itself_is_told_too(exchange: Parties) -> None:
    """Without a line; what is as usual is not mentioned (control)."""
    evidence = ("--evidence", f"forged_document={exchange.folder / 'case.txt'}")
    rest = ("--operator", MAKER, *TERMS, *evidence, "--json")
    command = ("list", "file", "--bank-card")
    out, noted = said(exchange, "L01", *command, "4333333333333338", *rest)
    assert "warning: bank_card 4•••8" in noted
    assert json.loads(out)[0]["warnings"][0]["warning"] == "luhn"
    _, noted = said(exchange, "L01", *command, "5555555555554444", *rest)
    assert "warning" not in noted


def test_rows_that_could_not_be_looked_up_are_counted_and_named(
    exchange: Parties, tmp_path: Path
) -> None:
    """An empty cell, a wrong one: lines and number, exit status 1; a whole book says nothing of it
    (control).
    """
    book, hits = tmp_path / "book.csv", tmp_path / "hits.csv"
    good = [PEOPLE[n].resident_id for n in (10, 11)]
    book.write_text("resident_id,customer_ref\n" + f"{good[0]},C1\n,C2\n{good[1]}1,C3\n,C4\n")
    _, noted = said(exchange, "L01", "screen", book, "--out", hits, status=1)
    assert "warning: 3 rows held no identifier that could be looked up: line 3, 4, 5" in noted
    found = exchange.asked("L01", "screen", book, "--out", hits, status=1)
    assert isinstance(found, dict)
    assert found["rows_not_looked_up"] == {"count": 3, "lines": [3, 4, 5]}
    book.write_text(f"resident_id\n{good[0]}\n")
    whole = exchange.asked("L01", "screen", book, "--out", hits)
    assert isinstance(whole, dict)
    assert whole["rows_not_looked_up"] == {"count": 0, "lines": []}


def test_own_entries_say_why_when_and_about_whom_and_a_subject_is_found(exchange: Parties) -> None:
    """Reason, date and masked identifiers; `list own` with an identifier shows its entries only."""
    first, second = (exchange.file("L03", PEOPLE[n]) for n in (12, 13))
    rows = exchange.asked("L03", "list", "own", status=1)
    assert isinstance(rows, list)
    assert {first, second} <= {row["entry"] for row in rows}
    words = ("list", "own", "--resident-id", PEOPLE[13].resident_id)
    (row,) = exchange.asked("L03", *words, status=1)  # type: ignore[misc]
    assert (row["entry"], row["reason"], row["event_date"]) == (second, "F101", "2026-01-05")
    (one,) = row["subject"]
    assert (one["kind"], one["text"][0]) == ("resident_id", PEOPLE[13].resident_id[0])
    told, _ = said(exchange, "L03", *words, status=1)
    assert f"{second}  F101 of 2026-01-05, resident_id {one['text']}" in told
    assert PEOPLE[13].resident_id not in told + str(row)


@pytest.mark.parametrize(
    ("reference", "what"),
    [
        (PEOPLE[14].resident_id, "holds the resident_id"),
        (f"app {PEOPLE[14].resident_id[:6]} {PEOPLE[14].resident_id[6:]}", "holds the resident_id"),
        ("11010519491231002X", "reads as an identifier (resident_id)"),
        ("4111 1111 1111 1111", "reads as an identifier (bank_card)"),
        ("138-0013-8000", "reads as an identifier (phone)"),
        ("li.ming@example.com", "reads as an identifier (email)"),
    ],
)
def test_a_reference_that_is_an_identifier_is_refused_and_not_repeated(
    exchange: Parties, reference: str, what: str
) -> None:
    """Every key holder would be told it; nothing leaves."""
    outbox = exchange.lender("L02") / "own" / "outbox.jsonl"
    before = outbox.read_bytes()
    words = ("list", "check", "--resident-id", PEOPLE[14].resident_id, "--reference", reference)
    _, told = said(exchange, "L02", *words, status=2)
    assert what in told
    assert reference not in told
    assert outbox.read_bytes() == before


@pytest.mark.parametrize("reference", ["A-2026-0117", "202601310001", "APP12345678"])
def test_a_number_of_an_application_is_taken_as_a_reference(
    exchange: Parties, reference: str
) -> None:
    """Also where it has digits only, or as many as a passport."""
    said(
        exchange, "L02", "list", "check", "--resident-id", PEOPLE[14].resident_id, "--reference",
        reference,
    )  # fmt: skip


def test_a_copy_that_is_not_the_one_seen_last_answers_nothing(
    exchange: Parties, tmp_path: Path
) -> None:
    """Removed, or an old one put back: refused, also for a book, and own entries are shown all the
    same; a sync mends it. Looked at by itself such a copy has no row of the subject (control).
    """
    folder, kept = exchange.lender("L03") / "own" / "list", tmp_path / "kept"
    shutil.copytree(folder, kept)
    exchange.listed("L01", PEOPLE[15])
    exchange.synced("L03")
    words = ("list", "check", "--resident-id", PEOPLE[15].resident_id)
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{PEOPLE[15].resident_id}\n")
    screen = ("screen", book, "--out", tmp_path / "hits.csv")
    said(exchange, "L03", *words, status=1)
    rows = len(ListIndex(folder))
    for old in (None, kept):
        shutil.rmtree(folder)
        if old is not None:
            shutil.copytree(old, folder)
        assert len(ListIndex(folder)) < rows
        for asked in (words, screen):
            _, told = said(exchange, "L03", *asked, status=2)
            assert re.search(r"holds version \d+ of the list, this lender has seen \d+", told)
            assert "lianfang-client list sync" in told
        exchange.run("L03", "list", "waiting", status=1)
        exchange.synced("L03")
        said(exchange, "L03", *words, status=1)
        said(exchange, "L03", *screen, status=1)


def test_a_damaged_copy_stops_lookups_only_and_a_sync_takes_it_whole(exchange: Parties) -> None:
    """Cut off: no answer, own entries and what waits are shown, the sync mends it."""
    exchange.listed("L01", PEOPLE[16])
    exchange.synced("L02")
    words = ("list", "check", "--resident-id", PEOPLE[16].resident_id)
    said(exchange, "L02", *words, status=1)
    for path in (exchange.lender("L02") / "own" / "list").glob("*.bin"):
        path.write_bytes(path.read_bytes()[:-100])
    _, told = said(exchange, "L02", *words, status=2)
    assert "lianfang-client list sync" in told
    for fine in ("own", "waiting"):
        assert main(["list", fine, "--folder", str(exchange.lender("L02"))]) in (0, 1)
    assert exchange.capture is not None
    exchange.capture.readouterr()
    exchange.synced("L02")
    said(exchange, "L02", *words, status=1)


def test_what_is_odd_about_a_subject_is_told_before_it_is_looked_up(exchange: Parties) -> None:
    """On standard error and with --json, masked; of an ordinary one nothing is (control)."""
    odd = "4111111111111112"
    told, noted = said(exchange, "L02", "list", "check", "--bank-card", odd)
    assert "its last digit is not the check digit it would have (luhn); looked up as it is" in noted
    assert odd not in told + noted
    found = exchange.asked("L02", "list", "check", "--bank-card", odd)
    assert isinstance(found, dict)
    assert [one["warning"] for one in found["warnings"]] == ["luhn"]
    _, noted = said(exchange, "L02", "list", "check", "--bank-card", "4111111111111111")
    assert "warning" not in noted


def test_a_sync_tells_whose_earlier_hit_is_another_now_and_ends_with_1(
    exchange: Parties, tmp_path: Path
) -> None:
    """The book's file, day, line and reference; once nothing changed any more, 0 (control)."""
    entry = exchange.listed("L01", PEOPLE[17])
    exchange.synced("L03")
    book = tmp_path / "march.csv"
    book.write_text(f"customer_ref,resident_id\nC7,{PEOPLE[17].resident_id}\n")
    said(exchange, "L03", "screen", book, "--out", tmp_path / "hits.csv", status=1)
    exchange.run("L01", "list", "withdraw", entry, "--cause", "mistake", *TWO)
    exchange.registry.registry.tick()
    told, _ = said(exchange, "L03", "list", "sync", status=1)
    assert re.search(r"an earlier hit is gone: march\.csv of \d{4}-\d\d-\d\d, line 2 C7\n", told)
    said(exchange, "L03", "list", "sync")


def test_a_single_lookup_is_told_by_its_reference_when_its_hit_changes(exchange: Parties) -> None:
    """Day and reference, which lie sealed; one without a reference is only counted (control)."""
    entries = [exchange.listed("L01", PEOPLE[n]) for n in (20, 21)]
    exchange.synced("L03")
    for number, more in ((20, ("--reference", "A-2026-0117")), (21, ())):
        words = ("list", "check", "--resident-id", PEOPLE[number].resident_id, *more)
        said(exchange, "L03", *words, status=1)
    kept = (exchange.lender("L03") / "own" / "filed" / "looked-up.db").read_bytes()
    assert b"A-2026-0117" not in kept
    exchange.run("L01", "list", "withdraw", *entries, "--cause", "mistake", *TWO)
    exchange.registry.registry.tick()
    told, _ = said(exchange, "L03", "list", "sync", status=1)
    assert re.search(r"an earlier hit is gone: looked up on \d{4}-\d\d-\d\d as A-2026-0117\n", told)
    assert "an earlier hit is gone: 1 identifier looked up alone" in told


def test_evidence_that_does_not_do_is_told_before_the_holders_are_asked(
    exchange: Parties,
) -> None:
    """F102 needs two kinds: the kinds are named, and nothing leaves; no line in the outbox."""
    outbox = exchange.lender("L01") / "own" / "outbox.jsonl"
    before = outbox.read_bytes()
    words = ("list", "file", "--resident-id", PEOPLE[18].resident_id, "--operator", MAKER)
    evidence = ("--evidence", f"forged_document={exchange.folder / 'case.txt'}")
    terms = ["F102" if word == "F101" else word for word in TERMS]
    _, told = said(exchange, "L01", *words, *terms, *evidence, status=2)
    assert "F102 needs 2 different kinds of evidence" in told
    assert "verification_failed" in told
    assert "given: forged_document" in told
    assert outbox.read_bytes() == before


def test_another_consortiums_name_is_told_with_where_it_stands(exchange: Parties) -> None:
    """The lender's own settings are the likely fault: the remedy names them."""
    folder = exchange.lender("L02")
    path, keys = folder / "exchange.toml", folder / "own" / "keys.json"
    right, pinned = path.read_text(), keys.read_bytes()
    try:
        keys.unlink()
        path.write_text(re.sub(r"context = .*", 'context = "Nobody"', right))
        words = ("list", "check", "--resident-id", PEOPLE[19].resident_id)
        _, told = said(exchange, "L02", *words, status=2)
    finally:
        path.write_text(right)
        keys.write_bytes(pinned)
    assert "a key set of another consortium" in told
    assert "compare context in exchange.toml" in told


def test_every_command_of_the_list_shows_its_own_examples_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`list -h` shows all of them."""
    for name in ("check", "own", "withdraw", "consent", "retire-epoch"):
        with pytest.raises(SystemExit):
            main(["list", name, "-h"])
        told = capsys.readouterr().out
        shown = re.findall(r"^  lianfang-client list (\S+)", told, re.MULTILINE)
        assert {*shown} == {name}
    with pytest.raises(SystemExit):
        main(["list", "-h"])
    told = capsys.readouterr().out
    assert len({*re.findall(r"^  lianfang-client list (\S+)", told, re.MULTILINE)}) == 15
