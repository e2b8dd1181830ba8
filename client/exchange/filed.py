"""What this lender filed, with the identifiers: it alone knows whom its entries are about.

    own/filed/filed.db   one sealed record an entry: its text, and the identifiers of its tokens

Invariants:
- A record is on the disk before its entry is sent. Without it an entry cannot be moved to another
  key epoch, only withdrawn.
- A record is forgotten 60 days after its entry was last seen live: one wrong answer of the registry
  costs nothing. An entry that is not live does not keep its subject from being filed anew.
- Identifiers are sealed under this lender's secret,
  which lies in another file, and are never sent, logged or shown.
- Two filings for one reason are about one subject when they share an identifier of a strong kind,
  or all of their identifiers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from client.exchange.sealed_database import SealedDatabase
from client.exchange.secret import Secret
from shared.blacklist.entry import ListingEntry
from shared.blacklist.retention import is_strong
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.identifiers import Canonical

FILE = "filed.db"
_SHARED = frozenset({"bank_card", "account"})
"""Kinds that stay with one holder and that several people may use: mules of one account."""
_GONE = timedelta(days=60)
_FORM = 3
_OLDER = {
    2: (
        "alter table filed add column seen text",
        "alter table filed add column live integer not null default 1",
    )
}
_TABLES = (
    "filed (entry_id blob primary key, listed_at text not null, "
    "answered integer not null default 0, sealed blob not null, "
    "seen text, live integer not null default 1)",
    "subjects (mark blob not null, entry_id blob not null, primary key (mark, entry_id))",
)


@dataclass(frozen=True)
class FiledEntry:
    """An entry and the identifiers of its tokens, in their order."""

    entry: ListingEntry
    identifiers: tuple[Canonical, ...] = field(repr=False)


class Filed:
    """The records in `folder`. Every method raises OperatorError when the disk does not do its
    part.
    """

    def __init__(self, folder: Path, secret: Secret, random: Callable[[int], bytes]) -> None:
        self._secret = secret
        key = secret.derived(b"filed")
        self._database = SealedDatabase(folder / FILE, _TABLES, _FORM, key, random, _OLDER)

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def keep(self, records: Sequence[FiledEntry]) -> None:
        """All of them, durably, or none."""
        rows, subjects = [], []
        for one in records:
            entry = one.entry
            rows.append((entry.entry_id, entry.listed_at.isoformat(), self._sealed(one)))
            marks = self.marks(entry.reason_code, one.identifiers)
            subjects += [(mark, entry.entry_id) for mark in marks]
        self._database.change(
            ("insert into filed (entry_id, listed_at, sealed) values (?, ?, ?)", rows),
            ("insert into subjects values (?, ?)", subjects),
        )

    def entry(self, entry_id: bytes) -> FiledEntry | None:
        """The record of an entry; None: this lender does not know it (any more)."""
        rows = self._database.rows("select sealed from filed where entry_id = ?", (entry_id,))
        return self._opened(entry_id, rows[0][0]) if rows else None

    def same(self, reason: str, identifiers: Sequence[Canonical]) -> bytes | None:
        """The name of an entry about the same subject for the same reason, if there is one that is
        not over.
        """
        query = (
            "select entry_id from subjects join filed using (entry_id) where mark = ? and live = 1"
        )
        for mark in sorted(self.marks(reason, identifiers)):
            rows = self._database.rows(query, (mark,))
            if rows:
                return bytes(rows[0][0])
        return None

    def answered(self, entry_id: bytes, *, taken: bool) -> None:
        """The registry has answered: what it did not take is forgotten."""
        if taken:
            statement = "update filed set answered = 1 where entry_id = ?"
            self._database.change((statement, [(entry_id,)]))
        else:
            self._forget([entry_id])

    def prune(self, live: Sequence[bytes], today: date) -> int:
        """Forget entries that were taken and were not live for 60 days, and those never answered
        that the registry would not take any more; how many. `live`: names, as the registry says.
        """
        alive, day = {*live}, today.isoformat()
        old = (today - _GONE).isoformat()
        rows = self._database.rows("select entry_id, answered, listed_at, seen from filed")
        over, seen, missed = [], [], []
        for name, answered, listed, last in rows:
            if name in alive:
                seen.append((day, name))
            elif (last or day if answered else listed) < old:
                over.append(name)
            elif answered:
                missed.append((last or day, name))
        self._database.change(
            ("update filed set answered = 1, live = 1, seen = ? where entry_id = ?", seen),
            ("update filed set live = 0, seen = ? where entry_id = ?", missed),
        )
        self._forget(over)
        return len(over)

    def marks(self, reason: str, identifiers: Sequence[Canonical]) -> frozenset[bytes]:
        """Keyed digests of 32 bytes: two filings that share one are about the same subject, for the
        same reason.
        """
        texts = sorted(f"{one.kind}|{one.value}" for one in identifiers)
        strong = [
            f"{one.kind}|{one.value}"
            for one in identifiers
            if is_strong(one.kind) and one.kind not in _SHARED
        ]
        wholes = [[reason, *texts], *([reason, "", text] for text in strong)]
        return frozenset(
            self._secret.derived(b"subject", json.dumps(whole).encode()) for whole in wholes
        )

    def _forget(self, entries: Sequence[bytes]) -> None:
        names = [(name,) for name in entries]
        self._database.change(
            ("delete from filed where entry_id = ?", names),
            ("delete from subjects where entry_id = ?", names),
        )

    def _sealed(self, record: FiledEntry) -> bytes:
        content = {
            "entry": text_of(record.entry).decode(),
            "identifiers": [[one.kind, one.value] for one in record.identifiers],
        }
        return self._database.sealed(record.entry.entry_id, content)

    def _opened(self, entry_id: bytes, sealed: bytes) -> FiledEntry:
        content = self._database.opened(entry_id, sealed)
        entry = read_text(ListingEntry, content["entry"].encode())
        return FiledEntry(entry, tuple(Canonical(*one) for one in content["identifiers"]))
