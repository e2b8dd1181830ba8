"""What a lender keeps of its own entries: all it needs to move them, sealed, and no longer."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from client.exchange.filed import FILE, Filed, FiledEntry
from client.exchange.filing import Writer
from client.exchange.filing_terms import read_terms
from client.exchange.secret import FILE as SECRET
from client.exchange.secret import read_secret
from client.exchange.subjects import Subject, canonical_all
from shared.errors import OperatorError
from shared.tokens.tags import tags_of
from tests.exchange_parties import PEOPLE
from tests.identities import NOW, authority_of, identity_under

TODAY = date(2031, 5, 6)
IDENTITY = identity_under(authority_of(now=NOW), "L01", now=NOW)
WORDS = {
    "reason": "F101",
    "confidence": "confirmed",
    "event-date": "2031-04-01",
    "product": "consumer",
    "outcome": "refused",
    "notice": "letter:2031-04-20",
}


def record_of(folder: Path, number: int) -> FiledEntry:
    import numpy as np

    (folder / "case.txt").write_text("a case")
    terms = read_terms(WORDS, ["statement=case.txt"], folder)
    person = PEOPLE[number]
    held = canonical_all([("resident_id", person.resident_id), ("phone", person.phone)], TODAY)
    writer = Writer(IDENTITY, "R1", read_secret(folder, secrets.token_bytes), secrets.token_bytes)
    outputs = np.frombuffer(secrets.token_bytes(64 * len(held)), np.uint8).reshape(-1, 64)
    entry = writer.entry(
        Subject(held), terms, tags_of(outputs, 1),
        epoch=1, maker=writer.secret.operator("Li Na"), today=TODAY, supersedes=None,
    )  # fmt: skip
    return FiledEntry(entry, held)


def opened(folder: Path) -> Filed:
    return Filed(folder, read_secret(folder, secrets.token_bytes), secrets.token_bytes)


def test_a_record_is_there_after_a_restart_and_found_by_its_subject(tmp_path: Path) -> None:
    """Entry and identifiers in order; by reason and identifiers in any order."""
    record = record_of(tmp_path, 0)
    filed = opened(tmp_path)
    filed.keep([record])
    filed.close()
    again = opened(tmp_path)
    assert again.entry(record.entry.entry_id) == record
    name = record.entry.entry_id
    assert again.same("F101", record.identifiers[::-1]) == name
    assert again.same("F103", record.identifiers) is None
    again.close()


def test_no_identifier_lies_in_the_file_in_clear(tmp_path: Path) -> None:
    """Positive control: what is written beside it in clear is found by the same search."""
    record = record_of(tmp_path, 0)
    filed = opened(tmp_path)
    filed.keep([record])
    filed.close()
    plain = PEOPLE[0].resident_id.encode()
    assert plain not in (tmp_path / FILE).read_bytes()
    (tmp_path / "control").write_bytes(b"x" + plain)
    assert plain in (tmp_path / "control").read_bytes()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert PEOPLE[0].resident_id not in repr(record)


def test_what_is_over_is_forgotten_and_what_is_not_answered_is_kept(tmp_path: Path) -> None:
    """Refused: at once. Taken and not live any more: forgotten after 60 days. Never answered: kept
    until the registry would not take it any more.
    """
    taken, refused, unsent = (record_of(tmp_path, number) for number in (0, 1, 2))
    filed = opened(tmp_path)
    filed.keep([taken, refused, unsent])
    filed.answered(taken.entry.entry_id, taken=True)
    filed.answered(refused.entry.entry_id, taken=False)
    assert filed.entry(refused.entry.entry_id) is None
    assert filed.prune([taken.entry.entry_id], TODAY) == 0
    assert filed.prune([], TODAY + timedelta(days=60)) == 0
    assert filed.prune([], TODAY + timedelta(days=61)) == 2
    assert filed.entry(taken.entry.entry_id) is None
    assert filed.entry(unsent.entry.entry_id) is None
    filed.close()


def test_one_wrong_answer_of_the_registry_forgets_nothing(tmp_path: Path) -> None:
    """An empty list of own entries, for whatever reason: records stay, and the next right answer
    starts their 60 days anew. After 60 days of such answers they are forgotten (control).
    """
    record = record_of(tmp_path, 0)
    name = record.entry.entry_id
    filed = opened(tmp_path)
    filed.keep([record])
    filed.answered(name, taken=True)
    for days, live in ((0, []), (50, []), (55, [name]), (110, [])):
        assert filed.prune(live, TODAY + timedelta(days=days)) == 0
        assert filed.entry(name) == record
    assert filed.prune([], TODAY + timedelta(days=116)) == 1
    assert filed.entry(name) is None
    filed.close()


def test_an_entry_that_is_over_does_not_keep_its_subject_from_being_filed(tmp_path: Path) -> None:
    """While it is live it does; also again, if it was not over."""
    record = record_of(tmp_path, 0)
    name = record.entry.entry_id
    filed = opened(tmp_path)
    filed.keep([record])
    filed.answered(name, taken=True)
    for live, found in (([name], name), ([], None), ([name], name)):
        filed.prune(live, TODAY)
        assert filed.same("F101", record.identifiers) == found
    filed.close()


def test_a_file_of_the_form_before_is_taken_over(tmp_path: Path) -> None:
    """Its records stay and open; one of an unknown form is refused (control)."""
    record = record_of(tmp_path, 0)
    name = record.entry.entry_id
    filed = opened(tmp_path)
    filed.keep([record])
    filed.answered(name, taken=True)
    filed.close()

    def change(*statements: str) -> None:
        with closing(sqlite3.connect(tmp_path / FILE)) as database:
            for statement in statements:
                database.execute(statement)

    drop = "alter table filed drop column "
    change(drop + "seen", drop + "live", "pragma user_version = 2")
    again = opened(tmp_path)
    assert again.prune([], TODAY + timedelta(days=1000)) == 0
    assert again.entry(name) == record
    again.close()
    change("pragma user_version = 1")
    with pytest.raises(OperatorError, match="another release"):
        opened(tmp_path)


def test_another_secret_opens_nothing_and_a_missing_one_is_not_made_anew(tmp_path: Path) -> None:
    """A lender that lost its secret is told, instead of becoming somebody else silently."""
    record = record_of(tmp_path, 0)
    filed = opened(tmp_path)
    filed.keep([record])
    filed.close()
    (tmp_path / SECRET).unlink()
    with pytest.raises(OperatorError, match="backup"):
        read_secret(tmp_path, secrets.token_bytes)
    (tmp_path / SECRET).write_bytes(secrets.token_bytes(32))
    (tmp_path / SECRET).chmod(0o600)
    other = opened(tmp_path)
    with pytest.raises(OperatorError, match="does not open"):
        other.entry(record.entry.entry_id)
    other.close()


def test_spellings_of_one_name_are_one_person_and_others_are_not(tmp_path: Path) -> None:
    """And the same name at another lender is another mark."""
    secret = read_secret(tmp_path, secrets.token_bytes)
    assert secret.operator("Li Na") == secret.operator(" ＬＩ  na ")
    assert secret.operator("Li Na") == secret.operator("\u2060Li\u200b N\u00ada")
    with pytest.raises(OperatorError, match="no name"):
        secret.operator("\u200b")
    assert secret.operator("Li Na") != secret.operator("Lina")
    elsewhere = read_secret(tmp_path / "other", secrets.token_bytes)
    assert elsewhere.operator("Li Na") != secret.operator("Li Na")
    assert secret.key.hex() not in repr(secret)
