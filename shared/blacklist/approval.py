"""What another institution approves: the tokens of one entry under one key epoch, as it saw them.

    approved digest = SHA-256(domain ‖ rest ‖ SHA-256(domain ‖ text of what is shown))

Invariants:
- Whoever approves computes the digest from what it was shown: tags, sealed records, reason code,
  severity, epoch. Shown anything else, it signs what belongs to no entry.
- `rest` commits to all else that was filed, and tells nobody the contributor: the maker's mark in
  it is a secret hash.
- A filing and every re-filing have digests of their own: a word for one key epoch's tokens is none
  for those of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from shared.blacklist.entry_state import EntryState
from shared.blacklist.events import File, Refile, stripped
from shared.blacklist.row_names import row_names
from shared.secure_sum.encoding import text_of

_DOMAIN = b"lianfang/approval/v1/"


@dataclass(frozen=True)
class Shown:
    """What the second institution sees of an entry. `entry_id`: 16 bytes; `epoch`: of the tokens;
    `rows`: names of their rows, 32 bytes each, in the event's order.
    """

    entry_id: bytes
    reason_code: str
    severity: int
    epoch: int
    rows: tuple[bytes, ...]


def approved_digest(rest: bytes, shown: Shown) -> bytes:
    """32 bytes, which `Approve` carries. `rest`: 32 bytes, of `rest_of`."""
    return sha256(_DOMAIN + rest + sha256(_DOMAIN + text_of(shown)).digest()).digest()


def rest_of(event: File | Refile) -> bytes:
    """32 bytes that commit to all that was filed: of the entry of a File, of the whole (stripped)
    event of a Refile, signature included.
    """
    bare = stripped(event)
    return sha256(_DOMAIN + text_of(bare.entry if isinstance(bare, File) else bare)).digest()


def shown_of(event: File | Refile, reason_code: str, severity: int) -> Shown:
    """What the event shows of an entry with this reason code and severity."""
    entry_id = event.entry.entry_id if isinstance(event, File) else event.entry_id
    return Shown(entry_id, reason_code, severity, event.tokens[0].key_epoch, row_names(event))


def filing_digest(event: File) -> bytes:
    """What is approved of a filing, 32 bytes; the same for the stripped event."""
    entry = event.entry
    return approved_digest(rest_of(event), shown_of(event, entry.reason_code.value, entry.severity))


def refiling_digest(event: Refile, entry: EntryState) -> bytes:
    """What is approved of this entry's re-filing, 32 bytes; the same for the stripped event."""
    return approved_digest(rest_of(event), shown_of(event, entry.reason_code, entry.severity))
