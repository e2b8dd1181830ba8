"""Protobuf's fields on the wire, looked at where they lie: nothing is copied, nothing is made.

Invariants:
- At most `most` fields are looked at, then it is an error: reading costs what it was allowed to.
- Anything that is no field, or does not end within its bytes, is an error.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_LONGEST = 10


class UnscannableError(Exception):
    """These bytes are not so many fields, or no fields."""


@dataclass(frozen=True)
class Field:
    """`begin`, `end`: of its value, in the bytes that were scanned."""

    number: int
    kind: int
    begin: int
    end: int


def fields(content: bytes, begin: int, end: int, most: int) -> Iterator[Field]:
    """The fields of the message in content[begin:end]; UnscannableError beyond `most` of them."""
    at = begin
    for _ in range(most):
        if at == end:
            return
        tag, at = _varint(content, at, end)
        kind, first = tag & 7, at
        if kind == VARINT:
            at = _varint(content, at, end)[1]
        elif kind == BYTES:
            length, first = _varint(content, at, end)
            at = first + length
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            raise UnscannableError("a field of no kind")
        if at > end or not tag >> 3:
            raise UnscannableError("a field that does not end, or has no number")
        yield Field(tag >> 3, kind, first, at)
    if at != end:
        raise UnscannableError("more fields than there may be")


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for place in range(min(_LONGEST, end - at)):
        byte = content[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise UnscannableError("a number that does not end")
