"""How much is said: messages, and the bytes in them."""

from __future__ import annotations

from dataclasses import dataclass

from flwr.app import ArrayRecord, ConfigRecord, RecordDict


@dataclass(frozen=True)
class Traffic:
    """Messages and bytes of all lenders together: up is what they sent."""

    messages: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


NO_TRAFFIC = Traffic()


def content_bytes(content: RecordDict) -> int:
    """Bytes of the arrays and statements in a message: what its size is made of."""
    size = 0
    for record in content.values():
        if isinstance(record, ArrayRecord):
            size += sum(len(array.data) for array in record.values())
        elif isinstance(record, ConfigRecord):
            size += sum(_bytes_in(value) for value in record.values())
    return size


def _bytes_in(value: object) -> int:
    if isinstance(value, list):
        return sum(len(item) for item in value if isinstance(item, bytes))
    return len(value) if isinstance(value, bytes) else 0
