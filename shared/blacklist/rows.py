"""What every member receives: rows, and the changes that lead from one version to the next.

    row     tag (32 bytes) · epoch (u32be) · flags (1 byte) · sealed record (512 bytes)
    change  operation (1 byte: 0 padding, 1 add, 2 drop all rows of this tag) · row
    page    64 changes, filled up with padding

Invariants:
- A row names no contributor, no entry and no kind of identifier. Rows of one version are sorted by
  tag, which is pseudo-random, so their order tells nothing about filing.
- A contributor has at most one row under a tag: the number of rows of a tag is that of its
  contributors, whatever the records claim.
- Every page has the same size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntFlag
from hashlib import sha256
from itertools import pairwise

from shared.blacklist.entry import MOST_EPOCH
from shared.blacklist.opaque import HASH
from shared.errors import PeerError
from shared.tokens.tags import SEALED_BYTES

PAGE_ROWS = 64
_ROW = struct.Struct(f">32sIB{SEALED_BYTES}s")
ROW_BYTES = _ROW.size
CHANGE_BYTES = 1 + ROW_BYTES
PAGE_BYTES = PAGE_ROWS * CHANGE_BYTES
_PAD, _ADD, _DROP = 0, 1, 2
_NOTHING = bytes(SEALED_BYTES)


class Flag(IntFlag):
    """What the registry itself vouches for about a row."""

    DISPUTED = 1
    CORROBORATED = 2
    """A second institution approved it: without this, severity 3 reads as 2."""
    ANNOTATED = 4
    """A dispute ended with an annotation."""


NO_FLAG = Flag(0)
_ALL = Flag.DISPUTED | Flag.CORROBORATED | Flag.ANNOTATED


@dataclass(frozen=True, order=True)
class Row:
    """One contributor's record about one token. `tag`: 32 bytes; `sealed`: 512."""

    tag: bytes
    sealed: bytes
    epoch: int
    flags: Flag = NO_FLAG

    def __post_init__(self) -> None:
        if len(self.tag) != HASH or len(self.sealed) != SEALED_BYTES:
            raise PeerError("a row's tag has 32 bytes and its sealed record 512")
        if not 1 <= self.epoch <= MOST_EPOCH or self.flags not in _ALL:
            raise PeerError("a row's epoch or flags are out of range")

    def packed(self) -> bytes:
        """549 bytes."""
        return _ROW.pack(self.tag, self.epoch, self.flags, self.sealed)


@dataclass(frozen=True)
class Changes:
    """From one version to the next: every row of a tag in `dropped` goes, then `added` come. Both
    sorted by tag.
    """

    added: tuple[Row, ...] = ()
    dropped: tuple[bytes, ...] = ()

    @property
    def tags(self) -> frozenset[bytes]:
        """Of all rows that go or come."""
        return frozenset(self.dropped) | {row.tag for row in self.added}

    def packed(self) -> Iterator[bytes]:
        """550 bytes each: what goes before what comes."""
        for tag in self.dropped:
            yield bytes([_DROP]) + _ROW.pack(tag, 0, 0, _NOTHING)
        for row in self.added:
            yield bytes([_ADD]) + row.packed()

    def digest(self) -> bytes:
        """SHA-256 over all of it, padding left out: it is in the checkpoint of the new version."""
        hashed = sha256(b"lianfang/changes/v1\0")
        for one in self.packed():
            hashed.update(one)
        return hashed.digest()


def changes_of(dropped: Iterable[bytes], added: Iterable[Row]) -> Changes:
    """Changes in their one order."""
    return Changes(tuple(sorted(added)), tuple(sorted(dropped)))


def pages_of(packed: Iterable[bytes]) -> Iterator[bytes]:
    """Pages of one size; none when there is nothing."""
    page = bytearray()
    for one in packed:
        page += one
        if len(page) == PAGE_BYTES:
            yield bytes(page)
            page.clear()
    if page:
        yield bytes(page) + bytes(PAGE_BYTES - len(page))


def read_pages(pages: Iterable[bytes]) -> Changes:
    """Inverse of `pages_of`; PeerError for another size, order or operation."""
    added: list[Row] = []
    dropped: list[bytes] = []
    for page in pages:
        take_page(page, added, dropped)
    if any(later <= one for one, later in pairwise(dropped)):
        raise PeerError("what is dropped is not in order")
    if any(later <= one for one, later in pairwise(added)):
        raise PeerError("rows are not in order")
    return Changes(tuple(added), tuple(dropped))


def take_page(page: bytes, added: list[Row], dropped: list[bytes]) -> None:
    """Add a page's changes to the lists; PeerError for another size or operation."""
    if len(page) != PAGE_BYTES:
        raise PeerError(f"a page of {PAGE_BYTES} bytes is expected, came {len(page)}")
    for start in range(0, PAGE_BYTES, CHANGE_BYTES):
        operation = page[start]
        tag, epoch, flags, sealed = _ROW.unpack_from(page, start + 1)
        if operation == _ADD:
            added.append(Row(tag, sealed, epoch, _flags(flags)))
        elif operation == _DROP and not added and (epoch, flags, sealed) == (0, 0, _NOTHING):
            dropped.append(tag)
        elif operation != _PAD or any(page[start:]):
            raise PeerError("a page holds what is neither a row nor padding")
        else:
            return


def _flags(value: int) -> Flag:
    if value & ~int(_ALL):
        raise PeerError("a row's flags are not known here")
    return Flag(value)
