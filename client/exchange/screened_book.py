"""What is kept of a book that was read once: which token stands in which row.

Invariants:
- No identifier is in it: tokens by their number in the cache, lines, customer references, masked
  findings. It is written encrypted, into the epoch's own cache.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.exchange.book import Book, refs_packed
from client.exchange.cache import TokenCache
from client.exchange.cells import BadCell, WarnedCell
from client.exchange.sealed_arrays import SealedArrays
from client.exchange.sorted_keys import Numbers


@dataclass(frozen=True, eq=False)
class KeptBook:
    """`file`, `day`: the book's name and the ISO day it was read, empty where nobody kept them.
    Subject s has the token `token[s]` and the kind `kinds[kind[s]]`; row `row[i]` holds subject
    `subject[i]`.
    """

    file: str
    day: str
    rows: int
    bad: tuple[BadCell, ...]
    warnings: Mapping[str, int]
    warned: tuple[WarnedCell, ...]
    kinds: tuple[str, ...]
    kind: NDArray[np.uint8]
    token: Numbers
    _file: SealedArrays

    def kind_of(self, subject: int) -> str:
        """The kind of a subject's identifier."""
        return self.kinds[int(self.kind[subject])]

    def cells(self) -> tuple[Numbers, Numbers]:
        """Rows and subjects of all cells, sorted by row."""
        return self._file.read("row").astype(np.int64), self._file.read("subject").astype(np.int64)

    def lines(self, rows: Numbers) -> Numbers:
        """The lines on which some rows begin."""
        return self._file.rows("line", rows).astype(np.int64)

    def refs(self, rows: Numbers) -> list[str]:
        """The customer references of some rows, empty where the book has none."""
        if "ref" not in self._file:
            return [""] * len(rows)
        blob, ends = self._file.read("ref").tobytes(), self._file.read("ref_end")
        starts = np.concatenate([[0], ends])
        return [blob[starts[row] : ends[row]].decode() for row in rows]


def keep(
    cache: TokenCache, name: bytes, book: Book, token: Numbers, *, file: str, day: date
) -> None:
    """Keep a book whose subject s has the token `token[s]`; `file`: its name. OperatorError."""
    kinds = sorted({subject.kind for subject in book.subjects})
    place = {kind: at for at, kind in enumerate(kinds)}
    about = {
        "file": file,
        "day": day.isoformat(),
        "rows": len(book.lines),
        "bad": book.bad,
        "warnings": book.warnings,
        "warned": book.warned,
        "kinds": kinds,
    }
    arrays: dict[str, NDArray[Any]] = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "kind": np.array([place[subject.kind] for subject in book.subjects], np.uint8),
        "token": token,
        "row": book.row.astype(np.uint32),
        "subject": book.subject.astype(np.uint32),
        "line": book.lines.astype(np.uint32),
    }
    if book.refs is not None:
        arrays["ref"], arrays["ref_end"] = refs_packed(book.refs)
    cache.keep_book(name, arrays)


def kept(cache: TokenCache, name: bytes) -> KeptBook | None:
    """A book as it was kept; None: it was not. Raises DamagedFileError."""
    file = cache.book(name)
    return None if file is None else _opened(file)


def all_kept(cache: TokenCache) -> Iterator[KeptBook]:
    """Every book as it was kept. Raises DamagedFileError."""
    yield from map(_opened, cache.books())


def _opened(file: SealedArrays) -> KeptBook:
    about = json.loads(file.read("about").tobytes())
    return KeptBook(
        about.get("file", ""),
        about.get("day", ""),
        about["rows"],
        tuple(BadCell(*cell) for cell in about["bad"]),
        about["warnings"],
        tuple(WarnedCell(*cell) for cell in about["warned"]),
        tuple(about["kinds"]),
        file.read("kind"),
        file.read("token"),
        file,
    )
