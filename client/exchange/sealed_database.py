"""A small SQLite file of this lender's own whose records are sealed under its secret.

Invariants:
- What is kept is on the disk when the call returns, all of it or none. Only its owner reads it, and
  what is forgotten is overwritten.
- A record opens only under its own name and with this lender's secret, which lies in another file.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from shared.errors import OperatorError

_NONCE = 12
Values = Sequence[object]


class SealedDatabase:
    """The file `path` with these tables, in this `form` (a number); `key`: 32 bytes; `older`: by an
    older form, the statements that make this one of it. Every method raises OperatorError when the
    disk does not do its part, or the file is of another form.
    """

    def __init__(
        self,
        path: Path,
        tables: Sequence[str],
        form: int,
        key: bytes,
        random: Callable[[int], bytes],
        older: Mapping[int, Sequence[str]] | None = None,
    ) -> None:
        self._path, self._random = path, random
        self._box = ChaCha20Poly1305(key)
        with self._told():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._database.execute("pragma secure_delete=on").fetchall()
            self._database.execute("pragma synchronous=full")
            renewing = self._renewing(form, older or {})
            self._database.execute("begin immediate")
            for statement in renewing:
                self._database.execute(statement)
            for table in tables:
                self._database.execute(f"create table if not exists {table}")
            self._database.execute(f"pragma user_version={form:d}")
            self._database.execute("commit")

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def rows(self, query: str, values: Values = ()) -> list[Any]:
        """What a query finds."""
        with self._told():
            return self._database.execute(query, values).fetchall()

    def change(self, *changes: tuple[str, Sequence[Values]]) -> None:
        """Statements, each with the values of every time it is run: all of them, or none."""
        with self._told():
            self._database.execute("begin immediate")
            try:
                for statement, values in changes:
                    self._database.executemany(statement, values)
            except BaseException:
                self._database.execute("rollback")
                raise
            self._database.execute("commit")

    def sealed(self, name: bytes, content: object) -> bytes:
        """Content (as JSON has it) that opens under this name only."""
        nonce = self._random(_NONCE)
        return nonce + self._box.encrypt(nonce, json.dumps(content).encode(), name)

    def opened(self, name: bytes, sealed: bytes) -> Any:
        """Inverse of `sealed`."""
        try:
            return json.loads(self._box.decrypt(sealed[:_NONCE], sealed[_NONCE:], name))
        except InvalidTag as error:
            raise OperatorError(
                f"{self._path}: a record does not open with this lender's secret",
                remedy="put file and secret back from the same backup",
            ) from error

    def _renewing(self, form: int, older: Mapping[int, Sequence[str]]) -> Sequence[str]:
        (found,) = self._database.execute("pragma user_version").fetchone()
        tables = self._database.execute("select count(*) from sqlite_master").fetchone()
        if not tables[0] or found == form:
            return ()
        if found not in older:
            self._database.close()
            raise OperatorError(
                f"{self._path} was written by another release",
                remedy="use that release, or withdraw its entries with it and move the file away",
            )
        return older[found]

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
