"""A key holder's one file, `keyholder.sqlite`: its shares, ceremony, quotas and request ids.

Invariants:
- Durable, its owner's only, deleted for good: as every `DurableFile`. What others can read already
  is refused.
- Secrets are sealed under a key that follows from the holder's identity key, which lies in another
  file: a copy of the database alone opens nothing. What is deleted is overwritten by SQLite, which
  does not reach copies that a disk or a backup made.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from server.durable import DurableFile
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


class Store(DurableFile):
    """The open file. `private`: the holder's raw identity key, under which secrets are sealed."""

    _remedy = "free space or mend the disk; a damaged file is replaced by a renewal of shares"

    def __init__(self, folder: Path, private: bytes) -> None:
        self._key = STANDARD.derive(private, _DOMAIN, b"store")
        _check_private(folder / FILE)
        super().__init__(folder / FILE, _TABLES, VERSION, {_WITHOUT_DEALT: _DEALT})

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
                f"{self.path}: a secret does not open with this holder's identity key",
                remedy="put the identity key back that this file was written with",
            ) from error

    def hashed(self, text: str) -> bytes:
        """A keyed digest, 32 bytes, that nobody without the identity key can check a guess with."""
        return STANDARD.derive(self._key, _DOMAIN, b"reference|" + text.encode())

    def _key_of(self, salt: bytes) -> bytes:
        return STANDARD.derive(self._key, salt, b"seal")


def _check_private(path: Path) -> None:
    """OperatorError when others may have read what is there already."""
    try:
        mode = path.stat().st_mode
    except OSError:  # it is new, or `DurableFile` says why it cannot be used
        return
    if mode & 0o077:
        raise OperatorError(
            f"{path} can be read by others than its owner",
            remedy=f"chmod 600 {path}; if anybody may have copied it, renew the shares",
        )
