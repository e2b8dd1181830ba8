"""The head of a published table: the desk's signed word on what it answers at a version.

Invariants:
- It is a checkpoint (`shared.blacklist.checkpoint`), chained as those of the list are: a desk that
  shows two members different tables contradicts itself in signed statements.
- A table comes whole, so `changes` is `content`: the digest of all its rows, in order.
- It says of which day it is; an answer is as old as that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from shared.blacklist.checkpoint import Checkpoint, read_kind
from shared.blacklist.opaque import check_opaque
from shared.borrowing.rows import ROW_BYTES
from shared.errors import PeerError

SALT_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class TableHead(Checkpoint):
    """`day`: events before it are counted; `salt`: of this version's tags and keys, 32 bytes."""

    day: date
    salt: bytes

    signer = "desk"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_opaque("salt", self.salt)
        if self.changes != self.content:
            raise PeerError("a table comes whole")

    def check_rows(self, rows: bytes) -> None:
        """PeerError unless these are the rows this head is about."""
        if len(rows) != self.rows * ROW_BYTES or rows_digest(rows) != self.content:
            raise PeerError(
                f"the table of version {self.version} is not what was signed: nothing was changed",
                remedy="sync again; if it stays so, tell the desk's operator",
            )


def read_head(text: bytes, desk: str, authority: bytes) -> TableHead:
    """The head with this text, signed by `desk` under `authority` (DER) when it says it was made.
    PeerError otherwise.
    """
    return read_kind(TableHead, text, desk, authority)


def rows_digest(rows: bytes) -> bytes:
    """SHA-256 over all rows, 32 bytes."""
    return sha256(b"lianfang/borrowing/rows/v1\0" + rows).digest()
