"""A key holder's one file, `keyholder.sqlite`: its shares, ceremony, quotas and request ids.

Invariants:
- Readable by its owner only, whatever the umask; SQLite's own side files get the same mode.
- A transaction that was left without error is on disk (`synchronous = FULL`); one that was not has
  left nothing. A damaged file is found when it is opened and is never served from.
- Secrets are sealed under a key that follows from the holder's identity key, which lies in another
  file: a copy of the database alone opens nothing. What is deleted is overwritten by SQLite
  (`secure_delete`), which does not reach copies that a disk or a backup made.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import OperatorError, PeerError
from shared.secure_sum.suite import STANDARD

FILE = "keyholder.sqlite"
VERSION = 3
_WITHOUT_DEALT = 2
_SALT = 32
_DOMAIN = b"lianfang/keyholder/v1/"
_DEALT = """
CREATE TABLE dealt (epoch INTEGER PRIMARY KEY, generation INTEGER NOT NULL) STRICT;
"""
_TABLES = f"""
CREATE TABLE shares (
    name BLOB PRIMARY KEY, epoch INTEGER NOT NULL, generation INTEGER NOT NULL,
    place INTEGER NOT NULL, state TEXT NOT NULL, keys BLOB NOT NULL, secret BLOB,
    signed BLOB, since TEXT
) STRICT;
CREATE TABLE signed (epoch INTEGER PRIMARY KEY, generation INTEGER NOT NULL) STRICT;
CREATE TABLE ceremony (
    one INTEGER PRIMARY KEY CHECK (one = 1), progress BLOB NOT NULL, seed BLOB
) STRICT;
CREATE TABLE quotas (
    member TEXT NOT NULL, hour INTEGER NOT NULL, purpose TEXT NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (member, hour, purpose)
) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
    member TEXT NOT NULL, id BLOB NOT NULL, digest BLOB NOT NULL, purpose TEXT NOT NULL,
    reference BLOB NOT NULL, day TEXT NOT NULL, hour INTEGER NOT NULL, points INTEGER NOT NULL,
    answers INTEGER NOT NULL, proven INTEGER NOT NULL,
    PRIMARY KEY (member, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_hour ON requests (hour);
CREATE TABLE passed (
    one INTEGER PRIMARY KEY CHECK (one = 1), wall INTEGER NOT NULL, own INTEGER NOT NULL
) STRICT;
{_DEALT}"""


class Store:
    """The open file. `private`: the holder's raw identity key, under which secrets are sealed."""

    def __init__(self, folder: Path, private: bytes) -> None:
        self._path = folder / FILE
        self._key = STANDARD.derive(private, _DOMAIN, b"store")
        self._guard = threading.RLock()
        try:
            _make_private(self._path)
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=10
            )
            self._set_up()
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Let the file go."""
        with self._guard:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done within is durable together when it is left, or nothing of it is.

        OperatorError when the disk does not take it.
        """
        with self._guard:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    self._roll_back()
                    raise
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def fold_log(self) -> None:
        """Write the log back and empty it, so that what was deleted is not left there."""
        with self._guard:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def seal(self, secret: bytes, name: bytes) -> bytes:
        """A secret as it lies in the file, bound to its name. Each has a drawn key of its own."""
        salt = secrets.token_bytes(_SALT)
        return salt + STANDARD.seal(self._key_of(salt), secret, name)

    def unseal(self, sealed: bytes, name: bytes) -> bytes:
        """Inverse of `seal`; OperatorError under another identity key."""
        try:
            return STANDARD.unseal(self._key_of(sealed[:_SALT]), sealed[_SALT:], name)
        except PeerError as error:
            raise OperatorError(
                f"{self._path}: a secret does not open with this holder's identity key",
                remedy="put the identity key back that this file was written with",
            ) from error

    def hashed(self, text: str) -> bytes:
        """A keyed digest, 32 bytes, that nobody without the identity key can check a guess with."""
        return STANDARD.derive(self._key, _DOMAIN, b"reference|" + text.encode())

    def _key_of(self, salt: bytes) -> bytes:
        return STANDARD.derive(self._key, salt, b"seal")

    def _set_up(self) -> None:
        run = self._connection.execute
        if run("PRAGMA quick_check").fetchall() != [("ok",)]:
            raise sqlite3.DatabaseError("the file is damaged")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            run(f"PRAGMA {pragma}").fetchall()
        (version,) = run("PRAGMA user_version").fetchone()
        if version == 0:
            self._make(_TABLES)
        elif version == _WITHOUT_DEALT:
            self._make(_DEALT)
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, this program's is {VERSION}")

    def _make(self, tables: str) -> None:
        script = f"BEGIN IMMEDIATE;{tables}PRAGMA user_version = {VERSION};COMMIT;"
        self._connection.executescript(script)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _unusable(self, error: Exception) -> OperatorError:
        return OperatorError(
            f"{self._path}: {error}; nothing was answered",
            remedy="free space or mend the disk; a damaged file is replaced by a renewal of shares",
        )


def _make_private(path: Path) -> None:
    """SQLite gives its side files the mode of the file itself."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(handle).st_mode & 0o077:
            raise OperatorError(
                f"{path} can be read by others than its owner",
                remedy=f"chmod 600 {path}; if anybody may have copied it, renew the shares",
            )
    finally:
        os.close(handle)
