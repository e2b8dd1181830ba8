"""`list file`: whole or not at all, checked before anything leaves, sent once."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.client.lists.list_words import cases, live, said
from tests.exchange_parties import CHECKER, MAKER, TERMS, Parties


def test_a_subject_is_not_filed_twice_by_mistake(exchange: Parties) -> None:
    """The same subject and reason again is refused and the entry named; another reason is not."""
    who = exchange.someone()
    entry = exchange.file("L01", who)
    evidence = f"forged_document={exchange.folder / 'case.txt'}"
    words = ("list", "file", "--resident-id", who.resident_id, "--operator", MAKER)
    told = exchange.run("L01", *words, *TERMS, "--evidence", evidence, status=2)
    assert entry in told
    exchange.file("L01", who, "--reason", "F103")


def test_a_file_of_subjects_is_filed_whole_or_not_at_all(exchange: Parties, tmp_path: Path) -> None:
    """One wrong cell: line, column, masked value and remedy, and nothing is sent. Rows have terms
    of their own.
    """
    second, first = exchange.people(2)
    cases = tmp_path / "cases.csv"
    wrong = second.resident_id[:-1] + ("1" if second.resident_id[-1] != "1" else "2")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")

    def write(second: str, header: str = "身份证号") -> None:
        rows = [
            (header, "手机号", "reason", "evidence"),
            (first.resident_id, first.phone, "F103", "contact_record=a.txt"),
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
    write(second.resident_id, "number")
    assert "'number'" in exchange.run("L01", *words, status=2)
    before = live(exchange, "L01")
    write(second.resident_id)
    filed = exchange.asked("L01", *words)
    assert [row["refused"] for row in filed] == [None, None]
    assert len(live(exchange, "L01")) == len(before) + 2


def test_what_is_filed_while_the_registry_is_down_is_kept_and_sent_later(
    alone: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost and nothing filed twice."""
    who = alone.someone()
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    path = alone.lender("L01") / "exchange.toml"
    right = path.read_text()
    evidence = f"forged_document={alone.folder / 'case.txt'}"
    words = ("list", "file", "--resident-id", who.resident_id, "--operator", MAKER)
    words = (*words, *TERMS, "--evidence", evidence)
    try:
        path.write_text(right.replace(f":{alone.registry.port}", ":9"))
        told = alone.run("L01", *words, status=2)
        assert "is kept here and leaves with the next `list sync`" in told
        told = alone.run("L01", "list", "approve", "--operator", CHECKER, status=2)
        assert "nothing was kept" in told  # which of them wait is known to the registry
        for reading in ("own", "waiting", "sync"):
            told = alone.run("L01", "list", reading, status=2)
            assert "cannot be reached" in told
            assert "nothing was kept" not in told
        again = alone.run("L01", "list", "sync", status=2)
        assert "what is kept here leaves then" in again
    finally:
        path.write_text(right)
    assert "list sync" in alone.run("L01", *words, status=2)
    assert live(alone, "L01") == []
    synced = alone.asked("L01", "list", "sync")
    assert isinstance(synced, dict)
    assert synced["sent"] == 1
    assert len(live(alone, "L01")) == 1


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
    person = exchange.someone()
    outbox = exchange.lender("L01") / "own" / "outbox.jsonl"
    before = outbox.read_bytes()
    case = ("--evidence", f"statement={exchange.folder}/case.txt")
    evidence = () if words[0] == "--evidence" else case
    who = () if words[0] == "--resident-id" else ("--resident-id", person.resident_id)
    given = ("list", "file", "--operator", MAKER, *who, *TERMS, *evidence, *words)
    assert told in exchange.run("L01", *given, status=2)
    assert outbox.read_bytes() == before


def test_being_overdue_alone_cannot_be_listed(exchange: Parties) -> None:
    """The listing test is made here, before anything is sent."""
    evidence = f"overdue_record={exchange.folder / 'case.txt'}"
    who = ("--resident-id", exchange.someone().resident_id, "--operator", MAKER)
    told = exchange.run("L01", "list", "file", *who, *TERMS, "--evidence", evidence, status=2)
    assert "overdue alone" in told


def test_filing_says_who_approves_and_how_the_result_comes_back(exchange: Parties) -> None:
    """`list approve`, then `list sync`."""
    who = exchange.someone()
    evidence = ("--evidence", f"forged_document={exchange.folder / 'case.txt'}")
    words = ("list", "file", "--resident-id", who.resident_id, "--operator", MAKER)
    told, _ = said(exchange, "L01", *words, *TERMS, *evidence)
    assert re.match(r"entry [0-9a-f]{32} filed\nnext: ", told)
    assert "list approve" in told
    assert "list sync" in told


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
    proof, who = "forged_document=a.txt", [one.resident_id for one in exchange.people(3)]
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


def test_evidence_that_does_not_do_is_told_before_the_holders_are_asked(
    exchange: Parties,
) -> None:
    """F102 needs two kinds: the kinds are named, and nothing leaves; no line in the outbox."""
    who = exchange.someone()
    outbox = exchange.lender("L01") / "own" / "outbox.jsonl"
    before = outbox.read_bytes()
    words = ("list", "file", "--resident-id", who.resident_id, "--operator", MAKER)
    evidence = ("--evidence", f"forged_document={exchange.folder / 'case.txt'}")
    terms = ["F102" if word == "F101" else word for word in TERMS]
    _, told = said(exchange, "L01", *words, *terms, *evidence, status=2)
    assert "F102 needs 2 different kinds of evidence" in told
    assert "verification_failed" in told
    assert "given: forged_document" in told
    assert outbox.read_bytes() == before
