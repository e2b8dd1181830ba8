"""Names of entries and rows as a person types them, and today's date."""

from __future__ import annotations

from datetime import UTC, date, datetime

from shared.errors import OperatorError
from shared.schema.finding import masked

_ENTRY_BYTES, _ROW_BYTES = 16, 32


def entry_name(text: str) -> bytes:
    """16 bytes from hex; OperatorError."""
    name = _bytes(text)
    if name is None or len(name) != _ENTRY_BYTES:
        raise OperatorError(
            f"{masked(text)} is not the name of an entry",
            remedy="it has 32 letters and digits: see `list own` or `list waiting`",
        )
    return name


def row_name(text: str) -> bytes:
    """32 bytes from hex; OperatorError."""
    name = _bytes(text)
    if name is not None and len(name) == _ENTRY_BYTES:
        raise OperatorError(
            f"{masked(text)} is the name of an entry: what is disputed is a row of the list",
            remedy="`list check` shows its name as `row`: 64 letters and digits",
        )
    if name is None or len(name) != _ROW_BYTES:
        raise OperatorError(
            f"{masked(text)} is not the name of a row",
            remedy="it has 64 letters and digits: `list check` shows it as `row`",
        )
    return name


def _bytes(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def today() -> date:
    """By this machine's clock, UTC."""
    return datetime.now(UTC).date()
