"""`list check`: one subject looked up, in plain words; whatever could not be looked at is told."""

from __future__ import annotations

import io
import re
import sys
from datetime import date
from pathlib import Path

import pytest

from client.exchange.desk import Desk
from client.exchange.subjects import canonical_all
from shared.errors import OperatorError
from tests.client.lists.list_words import check, said
from tests.exchange_parties import PEOPLE, TERMS, Parties


def test_a_value_may_come_from_standard_input(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written as - it is read there, a line each, and is no part of the command."""
    who = exchange.someone()
    exchange.listed("L01", who)
    exchange.synced("L02")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{who.resident_id}\n{who.phone}\n"))
    exchange.run("L02", "list", "check", "--resident-id", "-", "--kind", "phone", "--value", "-",
                 status=1)  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert "standard input ended" in exchange.run("L02", "list", "check", "--phone", "-", status=2)


def test_an_address_without_a_home_still_has_its_building() -> None:
    """Two identifiers where there are two, one where there is one, none where it is no address."""
    home = [("address", "北京市朝阳区建国路88号1号楼2单元301室")]
    assert len(canonical_all(home, date(2031, 5, 6))) == 2
    assert len(canonical_all([("address", "北京市朝阳区建国路88号")], date(2031, 5, 6))) == 1
    with pytest.raises(OperatorError):
        canonical_all([("address", "-")], date(2031, 5, 6))


def test_one_key_holder_down_is_told_and_another_asked(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one address dead the answer is the same; with two it says which and that nothing was
    looked up.
    """
    other, who = exchange.people(2)
    path = exchange.lender("L03") / "exchange.toml"
    right = path.read_text()
    monkeypatch.setattr("client.exchange.holders._ROUNDS", 1)
    addresses = [f"127.0.0.1:{holder.port}" for holder in exchange.holders.values()]
    try:
        path.write_text(right.replace(addresses[0], "127.0.0.1:9"))
        assert check(exchange, "L03", who, 0)["hit"] is False
        path.write_text(
            right.replace(addresses[0], "127.0.0.1:9").replace(addresses[1], "127.0.0.1:9")
        )
        words = ("list", "check", "--resident-id", other.resident_id)
        told = exchange.run("L03", *words, status=2)
        assert "remedy" in told
        assert other.resident_id not in told
    finally:
        path.write_text(right)
    assert check(exchange, "L03", other, 0)["hit"] is False


def test_a_hit_is_told_in_words_with_the_row_to_dispute(exchange: Parties) -> None:
    """No codes, no names of fields, no False; the row's name is that of --json."""
    who = exchange.someone()
    exchange.listed("L01", who)
    exchange.synced("L03")
    words = ("list", "check", "--resident-id", who.resident_id)
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


def test_a_key_epoch_nobody_has_a_key_of_is_told_wherever_it_was_not_looked_at(
    exchange: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `check` and `screen`, in words and as `skipped_epochs`, and the exit status says to look;
    where all were looked at nothing is said (control).
    """
    who = exchange.someone()
    words = ("list", "check", "--resident-id", who.resident_id)
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{who.resident_id}\n")
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


@pytest.mark.parametrize(
    ("reference", "what"),
    [
        (PEOPLE[0].resident_id, "holds the resident_id"),
        (f"app {PEOPLE[0].resident_id[:6]} {PEOPLE[0].resident_id[6:]}", "holds the resident_id"),
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
    words = ("list", "check", "--resident-id", PEOPLE[0].resident_id, "--reference", reference)
    _, told = said(exchange, "L02", *words, status=2)
    assert what in told
    assert reference not in told
    assert outbox.read_bytes() == before


@pytest.mark.parametrize("reference", ["A-2026-0117", "202601310001", "APP12345678"])
def test_a_number_of_an_application_is_taken_as_a_reference(
    exchange: Parties, reference: str
) -> None:
    """Also where it has digits only, or as many as a passport."""
    who = exchange.someone()
    said(
        exchange, "L02", "list", "check", "--resident-id", who.resident_id, "--reference",
        reference,
    )  # fmt: skip


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


def test_another_consortiums_name_is_told_with_where_it_stands(exchange: Parties) -> None:
    """The lender's own settings are the likely fault: the remedy names them."""
    who = exchange.someone()
    folder = exchange.lender("L02")
    path, keys = folder / "exchange.toml", folder / "own" / "keys.json"
    right, pinned = path.read_text(), keys.read_bytes()
    try:
        keys.unlink()
        path.write_text(re.sub(r"context = .*", 'context = "Nobody"', right))
        words = ("list", "check", "--resident-id", who.resident_id)
        _, told = said(exchange, "L02", *words, status=2)
    finally:
        path.write_text(right)
        keys.write_bytes(pinned)
    assert "a key set of another consortium" in told
    assert "compare context in exchange.toml" in told
