"""What a lender keeps of entries it stands for: sealed, and no longer than they are listed."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from client.exchange.filed import FILE as FILED
from client.exchange.seconded import FILE, Seconded, SecondedEntry
from client.exchange.secret import read_secret
from shared.errors import OperatorError
from shared.tokens.identifiers import Canonical
from tests.client.exchange.test_filed import opened as filed
from tests.exchange_parties import PEOPLE

TODAY = date(2031, 5, 6)
TAGS = (b"a" * 32, b"b" * 32)
RECORD = SecondedEntry(
    entry_id=b"e" * 16,
    reason_code="F101",
    severity=3,
    identifiers=(Canonical("resident_id", PEOPLE[0].resident_id),),
    evidence=b"h" * 32,
    approved={1: TAGS[:1]},
    seen=TODAY,
)


def opened(folder: Path) -> Seconded:
    return Seconded(folder, read_secret(folder, secrets.token_bytes), secrets.token_bytes)


def test_a_record_is_there_after_a_restart_sealed(tmp_path: Path) -> None:
    """As it was last kept; no identifier lies in the file (what is beside it is found: control)."""
    kept = opened(tmp_path)
    kept.keep(RECORD)
    later = replace(RECORD, approved={1: TAGS[:1], 2: TAGS[1:]})
    kept.keep(later)
    kept.close()
    again = opened(tmp_path)
    assert again.entries() == [later]
    assert again.entry(b"x" * 16) is None
    again.forget(RECORD.entry_id)
    assert again.entries() == []
    again.close()
    plain = PEOPLE[0].resident_id.encode()
    assert plain not in (tmp_path / FILE).read_bytes()
    (tmp_path / "control").write_bytes(b"x" + plain)
    assert plain in (tmp_path / "control").read_bytes()
    assert PEOPLE[0].resident_id not in repr(RECORD)


def test_it_is_forgotten_some_time_after_it_was_last_listed(tmp_path: Path) -> None:
    """Two months after a tag of it was seen on the list, under whichever key; until then it stays,
    as a dispute may put it back.
    """
    kept = opened(tmp_path)
    kept.keep(replace(RECORD, approved={1: TAGS[:1], 2: TAGS[1:]}))
    listed = {TAGS[1]}

    def is_listed(tags: object) -> bool:
        return not listed.isdisjoint(tags)  # type: ignore[arg-type]

    assert kept.prune(is_listed, TODAY + timedelta(days=100)) == 0
    listed.clear()
    assert kept.prune(is_listed, TODAY + timedelta(days=160)) == 0
    assert kept.prune(is_listed, TODAY + timedelta(days=161)) == 1
    assert kept.entries() == []
    kept.close()


def test_a_file_of_another_release_is_refused(tmp_path: Path) -> None:
    """Named, with what to do; one made here is read (control)."""
    filed(tmp_path).close()
    filed(tmp_path).close()
    database = sqlite3.connect(tmp_path / FILED)
    database.execute("pragma user_version=0")
    database.close()
    with pytest.raises(OperatorError, match="another release"):
        filed(tmp_path)
