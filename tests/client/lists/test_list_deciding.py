"""`list approve`, `dispute`, `withdraw`: another person decides, and everybody sees the outcome."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.cli import main
from tests.client.lists.list_words import check, said
from tests.exchange_parties import CHECKER, MAKER, TWO, Parties


def test_an_entry_answers_after_another_person_approved_and_never_says_decline(
    exchange: Parties,
) -> None:
    """Filed: no hit, and it says what it waits for. Approved: a hit elsewhere, to be reviewed."""
    who, other = exchange.people(2)
    entry = exchange.file("L01", who)
    exchange.synced("L02")
    assert check(exchange, "L02", who, 0)["hit"] is False
    (own,) = [e for e in exchange.asked("L01", "list", "own", status=1) if e["entry"] == entry]
    assert own["waits_for"] == "this lender's checker (list approve)"
    exchange.run("L01", "list", "approve", entry, "--operator", CHECKER)
    exchange.synced("L02")
    found = check(exchange, "L02", who, 1)
    (row,) = found["rows"]  # which says nothing about the entry's name
    assert (len(row["row"]), entry in row["row"]) == (64, False)
    assert found["answer"]["hit_class"] == "fraud_confirmed"
    assert found["answer"]["action_hint"] == "review"
    assert check(exchange, "L02", other, 0)["hit"] is False


def test_whoever_filed_cannot_approve_under_whatever_spelling(alone: Parties) -> None:
    """The same person is refused here, before anything leaves; another one is not."""
    who = alone.someone()
    entry = alone.file("L01", who)
    for name in (MAKER, "  li  NA ", "Ｌｉ Ｎａ"):
        told = alone.run("L01", "list", "approve", entry, "--operator", name, status=2)
        assert "filed by this very person" in told
        assert "another person" in told
    told = alone.run("L01", "list", "approve", "--operator", MAKER, status=2)
    assert "entries wait for a checker (1), but this operator filed them" in told
    alone.run("L01", "list", "approve", entry, "--operator", CHECKER)


def test_severity_three_waits_for_a_second_institution_that_knows_the_subject(
    exchange: Parties, tmp_path: Path
) -> None:
    """A second lender approves on evidence of its own, about a subject it can name itself."""
    who, other = exchange.people(2)
    entry = exchange.listed("L01", who, "--severity", "3")
    exchange.synced("L02")
    assert check(exchange, "L02", who, 0)["hit"] is False
    waiting = exchange.asked("L02", "list", "waiting", status=1)
    assert entry in [one["name"] for one in waiting if one["kind"] == "entry"]
    ours = tmp_path / "ours.txt"
    ours.write_text("our own case")
    words = ("list", "approve", entry, "--operator", CHECKER, "--evidence-file", ours)
    told = exchange.run("L02", *words, "--resident-id", other.resident_id, status=2)
    assert "not only about the subject given" in told
    exchange.run("L02", *words, "--resident-id", who.resident_id)
    exchange.synced("L02")
    assert check(exchange, "L02", who, 1)["answer"]["severity"] == 3


def test_a_dispute_flags_the_answer_and_a_correction_ends_it(
    exchange: Parties, tmp_path: Path
) -> None:
    """Disputed by one lender, seen as such by all, resolved by the contributor, gone."""
    who = exchange.someone()
    entry = exchange.listed("L01", who)
    exchange.synced("L03")
    letter = tmp_path / "letter.txt"
    letter.write_text("it was not me")
    row = check(exchange, "L03", who, 1)["rows"][0]["row"]
    words = ("--grounds", "wrong_person", "--evidence-file", letter)
    told = exchange.run("L03", "list", "dispute", entry, *words, *TWO, status=2)
    assert "`list check` shows its name as `row`" in told
    exchange.run("L03", "list", "dispute", row, *words, *TWO)
    exchange.synced("L02")
    assert check(exchange, "L02", who, 1)["answer"]["disputed"] is True
    rows = exchange.asked("L01", "list", "own", status=1)
    (waits,) = [row["waits_for"] for row in rows if row["entry"] == entry]
    assert waits.startswith("the outcome of a dispute by ")
    words = ("list", "resolve", entry, "--outcome", "corrected", "--statement", letter)
    exchange.run("L01", *words, *TWO)
    exchange.synced("L02")
    assert check(exchange, "L02", who, 0)["hit"] is False


def test_what_is_withdrawn_answers_no_more_and_may_be_filed_anew(exchange: Parties) -> None:
    """Nobody gets a hit after a withdrawal, and the lender may file the subject anew."""
    who = exchange.someone()
    entry = exchange.listed("L02", who)
    told = exchange.run(
        "L02", "list", "withdraw", entry, "--cause", "mistake",
        "--operator", MAKER, "--checker", MAKER, status=2,
    )  # fmt: skip
    assert "same person" in told
    assert exchange.run("L02", "list", "withdraw", entry, "--cause", "mistake", *TWO) == (
        "1 entry withdrawn\n"
    )
    exchange.synced("L03")
    assert check(exchange, "L03", who, 0)["hit"] is False
    exchange.file("L02", who)


def test_everything_that_left_is_in_the_outbox_in_plain_words(
    exchange: Parties, capsys: pytest.CaptureFixture[str]
) -> None:
    """To whom, for what, how much; and no identifier or operator."""
    who = exchange.someone()
    exchange.listed("L02", who)
    assert main(["outbox", str(exchange.lender("L02")), "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    told = [(one["kind"], one["stage"], one["purpose"]) for one in lines[-6:]]
    points = "filing: 8 blinded points, looking random to the holder"
    assert ("points", points) in {(kind, purpose) for kind, _, purpose in told}
    assert ("events", "to R1", "signed events for the list: 1 filing") in told
    assert ("events", "to R1", "signed events for the list: 1 approval") in told
    assert {one["size"] for one in lines if one["kind"] == "events"} <= {16384, 16385, 16386}
    text = (exchange.lender("L02") / "own" / "outbox.jsonl").read_text()
    assert who.resident_id not in text
    assert MAKER not in text
    assert main(["outbox", str(exchange.lender("L02"))]) == 0
    page = capsys.readouterr().out
    assert "blinded points" in page
    assert "signed events" in page
    assert "the chain of" in page


def test_what_waits_says_what_it_is_who_proposes_it_and_how_grave_it_is(fresh: Parties) -> None:
    """A proposal names its member, an entry nobody; severity and reason in words."""
    who = fresh.someone()
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
    grave = fresh.listed("L01", who, "--severity", "3")
    told, _ = said(fresh, "L02", "list", "waiting", status=1)
    about = "entry, severity 3, F101 (false application), key epoch 1"
    assert told.splitlines()[0] == f"{grave}  {about}  (list approve)"
    (row,) = fresh.asked("L02", "list", "waiting", status=1)  # type: ignore[misc]
    assert (row["kind"], row["member"], row["severity"]) == ("entry", None, 3)
    assert "L01" not in told


def test_approving_says_that_a_second_institution_is_still_needed(exchange: Parties) -> None:
    """For severity 3; for any other that the next version has it (control)."""
    one, two, three, four = exchange.people(4)
    grave, light = (
        exchange.file("L02", one, "--severity", "3"),
        exchange.file("L02", two),
    )
    words = ("list", "approve", grave, light, "--operator", CHECKER)
    told, _ = said(exchange, "L02", *words)
    lines = told.splitlines()
    assert lines[0] == "2 entries approved"
    for row, entry in zip(sorted(lines[1:3]), sorted([grave, light]), strict=True):
        assert row.startswith(f"{entry}  F101 of 2026-01-05, resident_id ")
        assert one.resident_id not in row
    assert lines[3].startswith(f"entry {grave} does not answer yet (severity 3): a second ")
    (next_batch,) = lines[4:]
    assert next_batch.startswith("it answers with the next batch, which `list sync` fetches: daily")
    more = exchange.file("L02", three, "--severity", "3")
    found = exchange.asked("L02", "list", "approve", more, "--operator", CHECKER)
    assert isinstance(found, dict)
    assert found["second_needed"] == [more]
    last = exchange.file("L02", four)
    told, _ = said(exchange, "L02", "list", "approve", last, "--operator", CHECKER)
    assert "second" not in told
    assert "1 entry approved" in told


def test_a_refusal_says_what_the_entry_is_now_in_plain_words(exchange: Parties) -> None:
    """The registry's code stands behind the sentence; what it says to do about it is told once,
    and stands in JSON beside the reason.
    """
    who = exchange.someone()
    entry = exchange.listed("L02", who)
    words = ("list", "withdraw", entry, "--cause", "mistake", *TWO)
    assert said(exchange, "L02", *words)[0] == "1 entry withdrawn\n"
    told, _ = said(exchange, "L02", *words, status=1)
    sentence = "this entry was withdrawn: it cannot be withdrawn (illegal_transition)"
    remedy = "fetch your entries anew and decide on their present status"
    assert told == f"refused by the registry: {sentence}\nwhat to do: {remedy}\n"
    found = exchange.asked("L02", *words, status=1)
    assert isinstance(found, dict)
    assert (len(found["refused"]), found["remedies"]) == (1, [remedy])


def test_own_entries_say_why_when_and_about_whom_and_a_subject_is_found(exchange: Parties) -> None:
    """Reason, date and masked identifiers; `list own` with an identifier shows its entries only."""
    other, who = exchange.people(2)
    first, second = (exchange.file("L03", one) for one in (other, who))
    rows = exchange.asked("L03", "list", "own", status=1)
    assert isinstance(rows, list)
    assert {first, second} <= {row["entry"] for row in rows}
    words = ("list", "own", "--resident-id", who.resident_id)
    (row,) = exchange.asked("L03", *words, status=1)  # type: ignore[misc]
    assert (row["entry"], row["reason"], row["event_date"]) == (second, "F101", "2026-01-05")
    (one,) = row["subject"]
    assert (one["kind"], one["text"][0]) == ("resident_id", who.resident_id[0])
    told, _ = said(exchange, "L03", *words, status=1)
    assert f"{second}  F101 of 2026-01-05, resident_id {one['text']}" in told
    assert who.resident_id not in told + str(row)
