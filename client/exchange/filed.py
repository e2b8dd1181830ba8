"""What this lender filed, with the identifiers: it alone knows whom its entries are about.

    own/filed/filed.db   one sealed record an entry: its text, and the identifiers of its tokens

Invariants:
- A record is on the disk before its entry is sent. Without it an entry cannot be moved to another
  key epoch, only withdrawn.
- A record is forgotten when its entry is over. Identifiers are sealed under this lender's secret,
  which lies in another file, and are never sent, logged or shown.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from client.exchange.secret import Secret
from shared.blacklist.entry import ListingEntry
from shared.errors import OperatorError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.identifiers import Canonical

FILE = "filed.db"
_NONCE = 12
_UNSENT = timedelta(days=60)
_TABLE = """create table if not exists filed (
    entry_id blob primary key, subject blob not null, listed_at text not null,
    answered integer not null default 0, sealed blob not null)"""


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
        self._path, self._secret, self._random = folder / FILE, secret, random
        self._box = ChaCha20Poly1305(secret.derived(b"filed"))
        with self._told():
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._database = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            self._database.execute("pragma secure_delete=on").fetchall()
            self._database.execute("pragma synchronous=full")
            self._database.execute(_TABLE)

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def keep(self, records: Sequence[FiledEntry]) -> None:
        """All of them, durably, or none."""
        rows = [
            (
                one.entry.entry_id,
                self.subject(one.entry.reason_code, one.identifiers),
                one.entry.listed_at.isoformat(),
                self._sealed(one),
            )
            for one in records
        ]
        with self._told():
            self._database.execute("begin immediate")
            try:
                self._database.executemany(
                    "insert into filed (entry_id, subject, listed_at, sealed) values (?, ?, ?, ?)",
                    rows,
                )
            except BaseException:
                self._database.execute("rollback")
                raise
            self._database.execute("commit")

    def entry(self, entry_id: bytes) -> FiledEntry | None:
        """The record of an entry; None: this lender does not know it (any more)."""
        with self._told():
            row = self._database.execute(
                "select sealed from filed where entry_id = ?", (entry_id,)
            ).fetchone()
        return None if row is None else self._opened(entry_id, row[0])

    def same(self, reason: str, identifiers: Sequence[Canonical]) -> bytes | None:
        """The name of an entry about the same identifiers for the same reason, if there is one."""
        with self._told():
            row = self._database.execute(
                "select entry_id from filed where subject = ?", (self.subject(reason, identifiers),)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def answered(self, entry_id: bytes, *, taken: bool) -> None:
        """The registry has answered: what it did not take is forgotten."""
        change = "update filed set answered = 1" if taken else "delete from filed"
        with self._told():
            self._database.execute(f"{change} where entry_id = ?", (entry_id,))

    def prune(self, live: Sequence[bytes], today: date) -> int:
        """Forget entries that were taken and are not live any more, and those never answered that
        the registry would not take any more; how many.
        """
        alive, old = {*live}, (today - _UNSENT).isoformat()
        with self._told():
            rows = self._database.execute(
                "select entry_id, answered, listed_at from filed"
            ).fetchall()
            over = [
                (name,)
                for name, answered, listed in rows
                if name not in alive and (answered or listed < old)
            ]
            self._database.executemany("delete from filed where entry_id = ?", over)
            known = {name for name, _, _ in rows} & alive
            self._database.executemany(
                "update filed set answered = 1 where entry_id = ?", [(name,) for name in known]
            )
        return len(over)

    def subject(self, reason: str, identifiers: Sequence[Canonical]) -> bytes:
        """A keyed digest of whom and what an entry is about, 32 bytes."""
        texts = sorted(f"{one.kind}|{one.value}" for one in identifiers)
        return self._secret.derived(b"subject", json.dumps([reason, *texts]).encode())

    def _sealed(self, record: FiledEntry) -> bytes:
        content = json.dumps(
            {
                "entry": text_of(record.entry).decode(),
                "identifiers": [[one.kind, one.value] for one in record.identifiers],
            }
        )
        nonce = self._random(_NONCE)
        return nonce + self._box.encrypt(nonce, content.encode(), record.entry.entry_id)

    def _opened(self, entry_id: bytes, sealed: bytes) -> FiledEntry:
        try:
            content = json.loads(self._box.decrypt(sealed[:_NONCE], sealed[_NONCE:], entry_id))
        except InvalidTag as error:
            raise OperatorError(
                f"{self._path}: a record does not open with this lender's secret",
                remedy="put file and secret back from the same backup",
            ) from error
        entry = read_text(ListingEntry, content["entry"].encode())
        return FiledEntry(entry, tuple(Canonical(*one) for one in content["identifiers"]))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            kind = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise OperatorError(
                f"{self._path}: entries cannot be kept ({kind}); nothing was sent",
                remedy="free space or mend the disk; without the record no entry can be re-filed",
            ) from error
