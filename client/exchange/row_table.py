"""Rows of the list as arrays: sorted by tag, searched all at once, read one by one.

Invariants:
- Rows stand in the order of the first eight bytes of their tags.
- `row` verifies the check number of a sealed record before it hands the record out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from client.exchange.array_file import Column, DamagedFileError, column, write_arrays
from client.exchange.sorted_keys import Numbers, Pairs, find, prefixes_of
from client.files import write_all
from shared.blacklist.rows import Flag, Row
from shared.tokens.tags import SEALED_BYTES, TAG_BYTES

Tags = NDArray[np.uint8]  # (n, 32)
_CHUNK = 1 << 14
_SEALED = "sealed"
_COLUMNS = ("prefix", "tag", "epoch", "flags", "check")


@dataclass(frozen=True, eq=False)
class RowTable:
    """Columns of n rows: `prefix` uint64, `tag` (n, 32), `epoch` uint32, `flags` uint8, `check`
    uint32 (CRC-32 of the sealed record). `sealed` are parts whose rows `place` picks, so that two
    tables merge without copying the records in memory.
    """

    prefix: NDArray[np.uint64]
    tag: Tags
    epoch: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    check: NDArray[np.uint32]
    sealed: tuple[NDArray[np.uint8], ...]
    place: Numbers | None = None
    source: str = "memory"

    def __len__(self) -> int:
        return len(self.prefix)

    @classmethod
    def empty(cls) -> RowTable:
        """No rows."""
        return table_of([])

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], source: str) -> RowTable:
        """As `write` has written it; `source` is named in errors."""
        columns = (arrays[name] for name in _COLUMNS)
        prefix, tag, epoch, flags, check = columns
        return cls(prefix, tag, epoch, flags, check, (arrays[_SEALED],), source=source)

    def find(self, tags: Tags) -> Pairs:
        """Every row of each tag (m, 32)."""
        return find(self.prefix, self.tag, tags)

    def group(self, number: int) -> tuple[int, int]:
        """Where the rows begin and end whose tags begin with these 12 bits."""
        ends = np.array([number, number + 1], np.uint64) << np.uint64(52)
        first, end = np.searchsorted(self.prefix, ends)
        return int(first), len(self) if number == 4095 else int(end)

    def row(self, number: int) -> Row:
        """One row; DamagedFileError when its sealed record is not as it was written."""
        sealed = self._sealed(np.array([number])).tobytes()
        if crc32(sealed) != self.check[number]:
            raise DamagedFileError(
                f"{self.source}: a sealed record is damaged", remedy="remove it and sync again"
            )
        epoch, flags = int(self.epoch[number]), Flag(int(self.flags[number]))
        return Row(self.tag[number].tobytes(), sealed, epoch, flags)

    def without(self, numbers: Numbers) -> RowTable:
        """The other rows."""
        if not numbers.size:
            return self
        keep = np.ones(len(self), bool)
        keep[numbers] = False
        return self._taken(np.flatnonzero(keep))

    def merged(self, other: RowTable) -> RowTable:
        """The rows of both."""
        if not len(other):
            return self
        behind = sum(map(len, self.sealed))
        both = RowTable(
            np.concatenate([self.prefix, other.prefix]),
            np.concatenate([self.tag, other.tag]),
            np.concatenate([self.epoch, other.epoch]),
            np.concatenate([self.flags, other.flags]),
            np.concatenate([self.check, other.check]),
            self.sealed + other.sealed,
            np.concatenate([self._places(), other._places() + behind]),
        )
        return both._taken(np.argsort(both.prefix, kind="stable"))

    def write(self, path: Path, version: int, more: Mapping[str, Column] | None = None) -> str:
        """The table in a file; returns its digest. Raises OSError."""
        columns = {name: column(getattr(self, name)) for name in _COLUMNS}
        sealed = Column("|u1", (len(self), SEALED_BYTES), self._sealed_chunks())
        return write_arrays(
            path, version, {**columns, **(more or {}), _SEALED: sealed}, unchecked=[_SEALED]
        )

    def _taken(self, numbers: Numbers) -> RowTable:
        return RowTable(
            self.prefix[numbers],
            self.tag[numbers],
            self.epoch[numbers],
            self.flags[numbers],
            self.check[numbers],
            self.sealed,
            self._places()[numbers],
        )

    def _places(self) -> Numbers:
        return np.arange(len(self), dtype=np.int64) if self.place is None else self.place

    def _sealed(self, numbers: Numbers) -> NDArray[np.uint8]:
        places = numbers if self.place is None else self.place[numbers]
        if len(self.sealed) == 1:
            return self.sealed[0][places]
        out = np.empty((len(places), SEALED_BYTES), np.uint8)
        begin = 0
        for part in self.sealed:
            here = (places >= begin) & (places < begin + len(part))
            out[here] = part[places[here] - begin]
            begin += len(part)
        return out

    def _sealed_chunks(self) -> Iterator[NDArray[np.uint8]]:
        for start in range(0, len(self), _CHUNK):
            yield self._sealed(np.arange(start, min(start + _CHUNK, len(self))))


def table_of(rows: Iterable[Row]) -> RowTable:
    """Rows in any order, all in memory."""
    some = list(rows)
    sealed = np.frombuffer(b"".join(row.sealed for row in some), np.uint8)
    return _sorted([_columns(some)], sealed.reshape(-1, SEALED_BYTES))


def gathered(rows: Iterable[Row], scratch: Path) -> RowTable:
    """Rows in any order, as many as a disk holds: their sealed records go to the file `scratch`,
    which must stay as long as the table is used. Raises OSError.
    """
    columns = [_columns([])]
    scratch.unlink(missing_ok=True)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        source = iter(rows)
        while some := list(islice(source, _CHUNK)):
            columns.append(_columns(some))
            write_all(handle, b"".join(row.sealed for row in some))
    finally:
        os.close(handle)
    count = sum(len(tag) for tag, *_ in columns)
    none = np.zeros((0, SEALED_BYTES), np.uint8)
    sealed = np.memmap(scratch, np.uint8, "r", shape=(count, SEALED_BYTES)) if count else none
    return _sorted(columns, sealed)


_Columns = tuple[Tags, NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint32]]


def _columns(rows: list[Row]) -> _Columns:
    tags = np.frombuffer(b"".join(row.tag for row in rows), np.uint8).reshape(-1, TAG_BYTES)
    return (
        tags,
        np.array([row.epoch for row in rows], np.uint32),
        np.array([int(row.flags) for row in rows], np.uint8),
        np.array([crc32(row.sealed) for row in rows], np.uint32),
    )


def _sorted(columns: list[_Columns], sealed: NDArray[np.uint8]) -> RowTable:
    tag, epoch, flags, check = (np.concatenate(part) for part in zip(*columns, strict=True))
    prefix = prefixes_of(tag)
    table = RowTable(prefix, tag, epoch, flags, check, (sealed,))
    in_order = bool((prefix[1:] >= prefix[:-1]).all())
    return table if in_order else table._taken(np.argsort(prefix, kind="stable"))
