"""Zeros that fill a message up, so that whoever sees its size sees one of few.

Invariants:
- The field is called `padding` and its number is below 16: its tag is one byte on the wire.
"""

from __future__ import annotations

from typing import Protocol


class Padded(Protocol):
    """A message with room for zeros."""

    padding: bytes

    def ByteSize(self) -> int:  # noqa: N802
        """Bytes on the wire."""


def fill(message: Padded, size: int) -> None:
    """Bring the message to `size` bytes, or to one less where protobuf has no way to write that
    many; one that is larger, or has no room left, stays.
    """
    room = size - message.ByteSize() - 1  # the field's tag
    if room > 0:
        message.padding = bytes(room - _width(room))


def fill_in_steps(message: Padded, step: int) -> None:
    """Bring the message to 1, 2, 4 … times `step` bytes."""
    size = step
    while size < message.ByteSize() + 8:
        size *= 2
    fill(message, size)
    if message.ByteSize() < size:
        message.padding = b""
        fill(message, 2 * size)


def _width(room: int) -> int:
    """Bytes of the length, as protobuf writes it, of a field that fills `room` with it."""
    return next(width for width in (1, 2, 3, 4) if room - width < 1 << 7 * width)
