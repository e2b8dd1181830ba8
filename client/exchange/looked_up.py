"""Under which reference of its own this lender had a hit on a subject it looked up by itself.

    own/filed/looked-up.db   one sealed record a tag: the reference and the day of its last hit

Invariants:
- Only hits are kept, and only where a reference was given; a tag is known by a keyed hash of it.
- What is older than any row stays on the list is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from hashlib import sha256
from hmac import digest
from pathlib import Path

from client.exchange.sealed_database import SealedDatabase
from client.exchange.secret import Secret

FILE = "looked-up.db"
_KEPT = timedelta(days=6 * 366)
_FORM = 1
_TABLES = ("looked_up (mark blob primary key, day text not null, sealed blob not null)",)


class LookedUp:
    """The records in `folder`, opened when there is something to keep or to read. Methods raise
    OperatorError when the disk does not do its part.
    """

    def __init__(self, folder: Path, secret: Secret, random: Callable[[int], bytes]) -> None:
        self._path, self._random = folder / FILE, random
        self._key, self._hash_key = secret.derived(b"looked-up"), secret.derived(b"looked-up/tag")
        self._open: SealedDatabase | None = None

    def close(self) -> None:
        """Let the file go."""
        if self._open is not None:
            self._open.close()

    def keep(self, tags: Iterable[bytes], reference: str, today: date) -> None:
        """The reference of these tags (32 bytes each), in place of an earlier one."""
        marks = [self._mark(tag) for tag in tags]
        database, day = self._database(), today.isoformat()
        rows = [(mark, day, database.sealed(mark, [reference, day])) for mark in marks]
        database.change(
            ("insert or replace into looked_up values (?, ?, ?)", rows),
            ("delete from looked_up where day < ?", [((today - _KEPT).isoformat(),)]),
        )

    def reference(self, tag: bytes) -> tuple[str, str] | None:
        """Reference and ISO day of the last hit on a tag; None: none was given."""
        if not self._path.exists():
            return None
        mark, database = self._mark(tag), self._database()
        found = database.rows("select sealed from looked_up where mark = ?", (mark,))
        if not found:
            return None
        reference, day = database.opened(mark, found[0][0])
        return str(reference), str(day)

    def _database(self) -> SealedDatabase:
        if self._open is None:
            self._open = SealedDatabase(self._path, _TABLES, _FORM, self._key, self._random)
        return self._open

    def _mark(self, tag: bytes) -> bytes:
        return digest(self._hash_key, tag, sha256)
