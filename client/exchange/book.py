"""A lender's book as subjects to be screened: which identifiers stand in which rows.

Invariants:
- A cell is missing, or canonical, or reported with its line, column, masked text, reason and
  remedy; never repaired and never dropped silently.
- A subject that stands in many cells is one subject.
- Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.exchange.book_columns import BookColumn, columns_of
from client.exchange.cells import BadCell, WarnedCell, unmarked
from client.exchange.sorted_keys import Numbers
from client.table import RawTable, read_raw
from shared.errors import OperatorError
from shared.schema.finding import masked
from shared.schema.text import clean
from shared.tokens.identifiers import (
    Canonical,
    IdentifierError,
    MissingIdentifierError,
    canonical,
)

Progress = Callable[[int], Callable[[int], None]]
"""Called with how many texts there are to read; what it returns is told how many were read."""

_BLOCK = 4096
_EXACT = 2**53  # a float holds whole numbers exactly below this
MOST_WARNED = 100


@dataclass(frozen=True, eq=False)
class Book:
    """`lines` (rows,); `refs`: customer references by row, or None; row `row[i]` holds subject
    `subject[i]` of `subjects`. `warnings`: how many cells had each; `warned`: some of them, at most
    `MOST_WARNED` of each column, by line.
    """

    lines: Numbers
    refs: tuple[str, ...] | None
    row: Numbers
    subject: Numbers
    subjects: tuple[Canonical, ...] = field(repr=False)
    bad: tuple[BadCell, ...]
    warnings: Mapping[str, int]
    warned: tuple[WarnedCell, ...]


def no_progress(_: int) -> Callable[[int], None]:
    """For whoever does not want to know."""
    return lambda _: None


def digest_of(path: Path, columns: Mapping[str, str]) -> bytes:
    """32 bytes that stand for a file's content and how its columns are to be read."""
    try:
        with path.open("rb") as file:
            hashed = sha256()
            while block := file.read(1 << 20):
                hashed.update(block)
    except OSError as error:
        raise OperatorError(
            f"{path.name}: cannot be read ({error.strerror})", remedy="check path and rights"
        ) from error
    hashed.update(repr(sorted(columns.items())).encode())
    return hashed.digest()


def read_book(
    path: Path,
    *,
    today: date,
    columns: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Book:
    """Read a CSV or Parquet file. `columns`: kind of identifier → header, where the header is not
    one of those in common use. Raises OperatorError when the file is no table or has no identifier.
    """
    return book_of(read_raw(path), today=today, columns=columns, progress=progress)


def book_of(
    raw: RawTable,
    *,
    today: date,
    columns: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Book:
    """The same of a file that is read already."""
    found, ref = columns_of(list(raw.frame.columns), columns or {}, raw.source)
    reader = _Reader(raw, today)
    distinct = [_distinct(raw.frame.iloc[:, one.position]) for one in found]
    told = progress(sum(len(texts) for _, texts in distinct))
    for one, (codes, texts) in zip(found, distinct, strict=True):
        reader.column(one, codes, texts, told)
    refs = None if ref is None else tuple(map(_text, raw.frame.iloc[:, ref]))
    return reader.book(refs)


class _Reader:
    """Collects subjects, cells and findings column by column."""

    def __init__(self, raw: RawTable, today: date) -> None:
        self._lines, self._today = raw.lines, today
        self._numbers: dict[Canonical, int] = {}
        self._rows: list[Numbers] = [np.zeros(0, np.int64)]
        self._subjects: list[Numbers] = [np.zeros(0, np.int64)]
        self._bad: list[BadCell] = []
        self._warnings: dict[str, int] = {}
        self._warned: list[WarnedCell] = []

    def column(
        self, column: BookColumn, codes: Numbers, texts: Sequence[str], told: Callable[[int], None]
    ) -> None:
        """Read a column whose row i holds `texts[codes[i]]`, -1: nothing."""
        numbers = np.full((len(column.kinds), len(texts) + 1), -1, np.int64)
        wrong: dict[int, IdentifierError] = {}
        odd: dict[int, tuple[str, ...]] = {}
        for start in range(0, len(texts), _BLOCK):
            block = range(start, min(start + _BLOCK, len(texts)))
            for at in block:
                self._text(column, texts[at], at, numbers, wrong, odd)
            told(len(block))
        for of_kind in numbers:
            subject = of_kind[codes]  # code -1 picks the last, which is -1
            row = np.flatnonzero(subject >= 0)
            self._rows.append(row)
            self._subjects.append(subject[row])
        self._report(column, codes, wrong)
        self._warn(column, codes, texts, odd)

    def _text(
        self,
        column: BookColumn,
        text: str,
        at: int,
        numbers: Numbers,
        wrong: dict[int, IdentifierError],
        odd: dict[int, tuple[str, ...]],
    ) -> None:
        for place, kind in enumerate(column.kinds):
            try:
                found = canonical(kind, unmarked(text), today=self._today)
            except MissingIdentifierError:
                return
            except IdentifierError as error:
                if place == 0:  # an address without a home still has its building
                    wrong[at] = error
                return
            if found.warnings:
                odd[at] = found.warnings
            plain = Canonical(found.kind, found.value)
            numbers[place, at] = self._numbers.setdefault(plain, len(self._numbers))

    def _report(
        self, column: BookColumn, codes: Numbers, wrong: Mapping[int, IdentifierError]
    ) -> None:
        for row in np.flatnonzero(np.isin(codes, [*wrong])):
            error = wrong[int(codes[row])]
            line = int(self._lines[row])
            self._bad.append(
                BadCell(
                    line, column.header, error.masked, error.reason, error.problem, error.remedy
                )
            )

    def _warn(
        self,
        column: BookColumn,
        codes: Numbers,
        texts: Sequence[str],
        odd: Mapping[int, tuple[str, ...]],
    ) -> None:
        for warning in sorted({one for of in odd.values() for one in of}):
            rows = np.flatnonzero(np.isin(codes, [at for at, of in odd.items() if warning in of]))
            self._warnings[warning] = self._warnings.get(warning, 0) + len(rows)
            for row in rows[:MOST_WARNED]:
                line, text = int(self._lines[row]), masked(clean(texts[codes[row]]))
                self._warned.append(WarnedCell(line, column.header, text, warning))

    def book(self, refs: tuple[str, ...] | None) -> Book:
        row, subject = np.concatenate(self._rows), np.concatenate(self._subjects)
        width = max(1, len(self._numbers))
        pairs = np.unique(row * width + subject)
        return Book(
            self._lines,
            refs,
            pairs // width,
            pairs % width,
            tuple(self._numbers),
            tuple(sorted(self._bad)),
            self._warnings,
            tuple(sorted(self._warned)),
        )


def _distinct(cells: pd.Series) -> tuple[Numbers, list[str]]:
    codes, distinct = pd.factorize(cells)
    return codes.astype(np.int64), [*map(_text, distinct)]


def _text(cell: Any) -> str:
    """The text of a cell of any type. A float that cannot hold its digits shows its exponent."""
    if isinstance(cell, str):
        return cell
    if cell is None or cell is pd.NaT or cell is pd.NA or cell != cell:
        return ""
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell)) if -_EXACT < cell < _EXACT else f"{cell:.14E}"
    return clean(str(cell))


def refs_packed(refs: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts as one array of UTF-8 bytes and the end of each."""
    texts = [ref.encode() for ref in refs]
    return np.frombuffer(b"".join(texts), np.uint8), np.cumsum([*map(len, texts)], dtype=np.int64)
