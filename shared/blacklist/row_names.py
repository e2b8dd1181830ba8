"""What a row is called: the commitment to its tag and its sealed record, which its filing signs.

    row name = SHA-256(domain ‖ tag ‖ sealed record)

Invariants:
- Who holds a row can name it; nobody but its contributor chose anything in the name. A dispute
  names a row, so it meets the entry that filed this row and no other.
- A sealed record holds 12 random bytes, so no tag can be tried against a name: in an erased event
  names stand where the tags stood.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

from shared.blacklist.entry import SubjectToken

_DOMAIN = b"lianfang/blacklist/v1/"


def row_name(tag: bytes, sealed: bytes) -> bytes:
    """The name, 32 bytes, of the row with this tag (32 bytes) and sealed record (512 bytes)."""
    return sha256(_DOMAIN + tag + sealed).digest()


class Filing(Protocol):
    """An event that files rows: `File`, `Refile`."""

    @property
    def tokens(self) -> tuple[SubjectToken, ...]:
        """Of the rows, or their names."""

    @property
    def sealed(self) -> tuple[bytes, ...]:
        """Their sealed records; none once the event is stripped."""


def row_names(event: Filing) -> tuple[bytes, ...]:
    """The names of the rows an event files, in its order, 32 bytes each; of a stripped event too,
    whose tokens are the names.
    """
    tags = tuple(token.token for token in event.tokens)
    if not event.sealed:
        return tags
    return tuple(row_name(tag, one) for tag, one in zip(tags, event.sealed, strict=True))
