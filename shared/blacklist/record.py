"""The sealed record: what a lender that holds the subject's identifier may read.

Invariants:
- It names no contributor, no person and no entry: a dispute names the row (`row_names`), which
  nobody can claim falsely. `mark` tells two contributors of one token apart and is
  worth nothing beside any other token.
- It holds classes, months and bands only; its text fits the sealed size with room to spare.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from hmac import digest

from shared.blacklist.entry import ListingEntry, SubjectRole, SubjectToken, check_fields
from shared.blacklist.opaque import check_opaque
from shared.blacklist.reasons import REASONS, Confidence, ListClass, ReasonClass
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.tags import RECORD_BYTES


@dataclass(frozen=True)
class Record:
    """`event_end`: first of the month; `mark`: 32 bytes."""

    list_class: ListClass
    reason_class: ReasonClass
    severity: int
    confidence: Confidence
    event_end: date
    role: SubjectRole
    mark: bytes

    def __post_init__(self) -> None:
        check_fields(self)
        check_opaque("mark", self.mark)
        if self.severity not in (1, 2, 3) or self.event_end.day != 1:
            raise PeerError("a record has severity 1 to 3 and the first of a month")

    def text(self) -> bytes:
        """What is sealed."""
        return text_of(self)


def read_record(text: bytes) -> Record:
    """Inverse of `Record.text`; PeerError for anything else."""
    if len(text) > RECORD_BYTES:
        raise PeerError(f"a record has at most {RECORD_BYTES} bytes")
    return read_text(Record, text)


def record_of(entry: ListingEntry, token: SubjectToken, mark: bytes) -> Record:
    """The record of one token of an entry."""
    return Record(
        list_class=entry.list_class,
        reason_class=REASONS[entry.reason_code].reason_class,
        severity=entry.severity,
        confidence=entry.confidence,
        event_end=entry.event_end_date.replace(day=1),
        role=token.role,
        mark=mark,
    )


def mark_of(secret: bytes, token: bytes) -> bytes:
    """A contributor's mark on a token: HMAC-SHA256 (RFC 2104) under a secret of its own."""
    return digest(secret, b"lianfang/contributor-mark/v1\0" + token, sha256)
