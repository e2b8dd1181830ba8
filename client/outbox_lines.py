"""The text of an outbox: one JSON line a record, each with the digest of the line before.

Invariants:
- A record has exactly one line (keys in order, no spaces, empty fields left out), so a line that
  reads but was edited is found; and every line but the last is vouched for by the next.
- Reading never mends: it returns everything or raises, naming file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from shared.errors import OperatorError
from shared.secure_sum.history import Record, RecordKind

BEGINNING = "0" * 64
"""What the first line gives as digest of the line before."""
_KINDS = get_args(RecordKind)
_USUAL = {field.name: field.default for field in fields(Record)}


@dataclass(frozen=True)
class Entry:
    """One line. `number`: from 1; `at`: in UTC; `digest`: SHA-256, hex, of the line."""

    number: int
    at: datetime
    record: Record
    digest: str


def line_of(number: int, at: datetime, record: Record, before: str) -> bytes:
    """A record's line, without its end; `before`: digest of the line before."""
    told = {f.name: getattr(record, f.name) for f in fields(record)}
    kept = {name: value for name, value in told.items() if value != _USUAL[name]}
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds")
    document = {"number": number, "at": moment, "before": before} | kept
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def entry_of(number: int, at: datetime, record: Record, line: bytes) -> Entry:
    """What a line tells, with its digest."""
    return Entry(number, at, record, sha256(line).hexdigest())


def read_lines(source: Path, content: bytes, last: Entry | None = None) -> Iterator[Entry]:
    """The entries of whole lines that follow `last` (None: from the beginning of the file).

    Raises OperatorError at the first line that is not the one due or that the next does not follow.
    """
    number, before = (0, BEGINNING) if last is None else (last.number, last.digest)
    for line in content.split(b"\n")[:-1]:
        number += 1
        try:
            at, record, follows = _parsed(line)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise damaged(source, number, "is not a record") from None
        if line_of(number, at, record, before) != line:
            if number > 1 and line_of(number, at, record, follows) == line:  # but for its link
                raise damaged(source, number - 1, "was changed after the next one was written")
            raise damaged(source, number, "is not the one that was written there")
        yield (entry := entry_of(number, at, record, line))
        before = entry.digest


def damaged(source: Path, number: int, why: str) -> OperatorError:
    """What to tell the operator of a journal that does not hold together."""
    return OperatorError(
        f"{source}, line {number}: {why}; nothing leaves until this is settled",
        remedy="somebody or something changed this file: find out who. Do not mend it. To begin "
        "again, move it and the folder vault beside it away for good, and take part in new runs "
        "only: what was sent before is no longer known here",
    )


def _parsed(line: bytes) -> tuple[datetime, Record, str]:
    """Time, record, and the digest it gives of the line before."""
    document = json.loads(line)
    at = datetime.fromisoformat(document.pop("at"))
    del document["number"]  # compared with the line as a whole
    follows = str(document.pop("before"))
    if "lenders" in document:
        document["lenders"] = tuple(document["lenders"])
    record = Record(**document)
    if at.tzinfo is None or record.kind not in _KINDS or not _well_typed(record):
        raise ValueError("another form")
    return at, record, follows


def _well_typed(record: Record) -> bool:
    return all(_fits(f.name, getattr(record, f.name)) for f in fields(record)) and all(
        type(code) is str for code in record.lenders
    )


def _fits(name: str, value: Any) -> bool:
    if name == "lenders":
        return type(value) is tuple
    return type(value) is (int if name in ("size", "counter", "slot", "threshold") else str)
