"""The parts in which Flower carries a message, judged before any of them is parsed.

Invariants:
- What a message is given is bounded: how many parts, bytes of all, bytes of each kind, entries of
  its records' lists, and its arrays as they are when put together (an array may name one chunk many
  times). Parsed, it takes a small multiple of `MOST_REPLY`.
- Both sides judge alike: a question at the lender, a reply at the coordinator.
- A part is `KIND children length\\0body`, as Flower writes it; only kinds that messages of ours
  have are taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from shared.wire.bounds import MOST_PARTS, MOST_REPLY, MOST_SMALL, MOST_STATEMENT
from shared.wire.failures import DESCRIPTION, TOO_LARGE, TOO_MANY_PARTS, UNREADABLE
from shared.wire.scan import BYTES, Field, UnscannableError, fields

CHUNK, ARRAY, RECORD = "ArrayChunk", "Array", "ConfigRecord"
_SMALL = frozenset({"Message", "RecordDict", "ArrayRecord", ARRAY})
MOST_RECORD = MOST_STATEMENT + MOST_SMALL
_MOST_ENTRIES, _MOST_PACKED = 50_000, 1 << 20
"""Of all lists of a record; bytes of a list's numbers."""
_VALUE, _LISTS = 2, range(21, 27)
"""Of flwr.proto: the number of `ConfigRecord.Item.value`, of the lists in `ConfigRecordValue`."""


class StrangePartsError(Exception):
    """A message that is not worth its memory. Its text is of `shared/wire/failures.py`."""


class Parts:
    """Those of one message that have come, by digest."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self._left = MOST_REPLY
        self._records = MOST_RECORD

    def take(self, digest: str, content: bytes) -> None:
        """One more; StrangePartsError when it does not belong to a message of ours."""
        self._left -= len(content)
        if self._left < 0:
            raise StrangePartsError(TOO_LARGE)
        if len(self.contents) >= MOST_PARTS:
            raise StrangePartsError(TOO_MANY_PARTS)
        kind, _, begin = head_of(content)
        if kind == RECORD:
            self._records -= len(content)
            if self._records < 0:
                raise StrangePartsError(TOO_LARGE)
            _check_lists(content, begin)
        elif kind in _SMALL and len(content) > MOST_SMALL:
            raise StrangePartsError(DESCRIPTION if kind == ARRAY else TOO_LARGE)
        elif kind not in _SMALL and kind != CHUNK:
            raise StrangePartsError(UNREADABLE)
        self.contents[digest] = content

    def check_grown(self) -> None:
        """StrangePartsError when its arrays, put together, have more than `MOST_REPLY` bytes."""
        grown = 0
        for content in self.contents.values():
            kind, children, begin = head_of(content)
            if kind == ARRAY:
                grown += _grown(content[begin:], children, self.contents)
                if grown > MOST_REPLY:
                    raise StrangePartsError(TOO_LARGE)


def check_count(number: int) -> None:
    """StrangePartsError when no message of ours has so many parts."""
    if number > MOST_PARTS:
        raise StrangePartsError(TOO_MANY_PARTS)


def head_of(content: bytes, start: int = 0) -> tuple[str, list[str], int]:
    """Kind and children of a part that begins at `start`, and where its body does."""
    divider = content.find(b"\0", start, start + MOST_SMALL)
    if divider < 0:
        raise StrangePartsError(UNREADABLE)
    try:
        kind, children, _ = content[start:divider].decode("ascii").split(" ")
    except ValueError as error:
        raise StrangePartsError(UNREADABLE) from error
    return kind, children.split(",") if children else [], divider + 1


def _grown(body: bytes, children: list[str], parts: Mapping[str, bytes]) -> int:
    try:
        named = json.loads(body)["arraychunk_ids"]
        return sum(len(parts[children[at]]) for at in named)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise StrangePartsError(UNREADABLE) from error


def _check_lists(content: bytes, begin: int) -> None:
    """That they have few entries: a text of two letters takes fifteen times its bytes once read."""
    left = _MOST_ENTRIES
    try:
        for item in fields(content, begin, len(content), left):
            for value in _within(content, item, left):
                left -= 1
                if value.number == _VALUE:
                    left -= _entries(content, value, left)
    except UnscannableError as error:
        raise StrangePartsError(UNREADABLE) from error


def _entries(content: bytes, value: Field, most: int) -> int:
    found = 0
    for one in _within(content, value, most):
        found += 1
        if one.number in _LISTS:
            for entry in _within(content, one, most - found):
                found += 1
                if entry.kind == BYTES and entry.end - entry.begin > _MOST_PACKED:
                    raise UnscannableError("a list that is too long")
    return found


def _within(content: bytes, field: Field, most: int) -> list[Field]:
    if field.kind != BYTES:
        raise UnscannableError("a message that is none")
    return list(fields(content, field.begin, field.end, max(most, 0)))
