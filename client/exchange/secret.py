"""A lender's one secret for the shared list, `own/filed/secret`, and what follows from it.

Invariants:
- 32 random bytes, drawn once, readable by its owner only, never sent. Lost, it cannot be made
  again: this lender's marks would be those of another lender and of other people.
- What is sent of it are keyed marks (HMAC-SHA-256, RFC 2104): of a person one that says nothing
  outside this lender; of a contributor one for each token (`shared.blacklist.record.mark_of`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import digest
from pathlib import Path

from client.files import keep_private, write_durably
from shared.errors import OperatorError

FILE = "secret"
_BYTES = 32


@dataclass(frozen=True)
class Secret:
    """What `read_secret` gives. `key`: 32 bytes."""

    key: bytes = field(repr=False)

    def operator(self, name: str) -> bytes:
        """A person's mark, 32 bytes. Case, spaces, forms of letters and what cannot be seen (format
        characters, Unicode's category Cf) make no other person of one.

        OperatorError for an empty name.
        """
        seen = "".join(one for one in name if unicodedata.category(one) != "Cf")
        folded = " ".join(unicodedata.normalize("NFKC", seen).casefold().split())
        if not folded:
            raise OperatorError(
                "the operator has no name", remedy="give the name or staff number of the person"
            )
        return self.derived(b"operator", folded.encode())

    def derived(self, what: bytes, content: bytes = b"") -> bytes:
        """32 bytes for a purpose of their own."""
        return digest(self.key, b"lianfang/own/v1/" + what + b"\0" + content, sha256)


def read_secret(folder: Path, random: Callable[[int], bytes]) -> Secret:
    """The secret in `folder`, drawn if there never was one. OperatorError when the disk does not do
    its part, or the file is gone while what it opens is there.
    """
    path = folder / FILE
    try:
        keep_private(folder)
        if not path.exists():
            if any(folder.glob("*.db")):
                raise OperatorError(
                    f"{path} is missing, and entries filed under it are there",
                    remedy="put it back from a backup; without it they cannot be re-filed",
                )
            write_durably(path, random(_BYTES))
        if path.stat().st_mode & 0o077:
            raise OperatorError(f"{path} can be read by others", remedy=f"chmod 600 {path}")
        key = path.read_bytes()
    except OSError as error:
        raise OperatorError(
            f"{path}: {error.strerror or type(error).__name__}",
            remedy="check space and rights of the folder",
        ) from error
    if len(key) != _BYTES:
        raise OperatorError(f"{path} is damaged", remedy="put it back from a backup")
    return Secret(key)
