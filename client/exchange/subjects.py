"""Subjects to be listed: identifiers given one by one, or a file with a subject a row.

Invariants:
- One cell that has no canonical form, or one row without an identifier, and nothing of the file is
  filed; all of them are told at once, with line, column, masked text and remedy.
- What is odd about an identifier is handed on with its subject, and it is filed as it is.
- Columns of a file whose header is an entry of the terms say it for their own row. A column that
  is neither that nor an identifier is refused, not ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from client.exchange.bad_rows import BadRow, refuse
from client.exchange.cells import WarnedCell, unmarked
from client.exchange.filing_terms import ENTRIES
from shared.errors import OperatorError
from shared.schema.finding import masked
from shared.tokens.identifiers import (
    COMPOSED,
    Canonical,
    IdentifierError,
    MissingIdentifierError,
    canonical,
)

if TYPE_CHECKING:
    from client.exchange.book import Book


@dataclass(frozen=True)
class Subject:
    """Whom an entry is about; `line` of the file, 0: none; `words`: terms of its own; `warnings`:
    what is odd about its identifiers, texts masked.
    """

    identifiers: tuple[Canonical, ...] = field(repr=False)
    line: int = 0
    words: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[WarnedCell, ...] = ()


def read_subject(identifiers: Sequence[tuple[str, str]], today: date) -> Subject:
    """The subject with these identifiers, kind and text each; missing ones are left out.

    Raises IdentifierError; OperatorError when none is left.
    """
    found: dict[Canonical, None] = {}
    odd: dict[WarnedCell, None] = {}
    for kind, text in identifiers:
        for place, part in enumerate(COMPOSED.get(kind, (kind,))):
            try:
                one = canonical(part, unmarked(text), today=today)
            except MissingIdentifierError:
                break
            except IdentifierError:
                if place == 0:  # an address without a home still has its building
                    raise
                break
            found[Canonical(one.kind, one.value)] = None
            for warning in one.warnings:
                odd[WarnedCell(0, kind, masked(one.value), warning)] = None
    if not found:
        raise OperatorError(
            "no identifier is given", remedy="e.g. --resident-id - (it is read from standard input)"
        )
    return Subject(tuple(found), warnings=tuple(odd))


def canonical_all(identifiers: Sequence[tuple[str, str]], today: date) -> tuple[Canonical, ...]:
    """The identifiers of `read_subject`."""
    return read_subject(identifiers, today).identifiers


def read_subjects(
    path: Path,
    *,
    today: date,
    columns: Mapping[str, str],
    entries: Sequence[str] = ENTRIES,
    nothing: str = "nothing was filed",
) -> list[Subject]:
    """The subjects of a CSV or Parquet file, in its order. OperatorError, which names all of them,
    for bad cells and rows without an identifier. `entries`: what columns beside them are read as
    `words`; `nothing`: what an error says was not done.
    """
    from client.exchange.book import read_book

    book = read_book(path, today=today, columns=columns)
    words = _words(path, columns, entries)
    ends = np.searchsorted(book.row, np.arange(len(book.lines) + 1))
    held = [
        tuple(book.subjects[int(one)] for one in book.subject[ends[row] : ends[row + 1]])
        for row in range(len(book.lines))
    ]
    _refuse_bad(path, book, held, nothing)
    odd: dict[int, list[WarnedCell]] = {}
    for cell in book.warned:
        odd.setdefault(cell.line, []).append(cell)
    return [
        Subject(identifiers, int(line), words[row], tuple(odd.get(int(line), ())))
        for row, (line, identifiers) in enumerate(zip(book.lines, held, strict=True))
    ]


def _refuse_bad(path: Path, book: Book, held: Sequence[Sequence[Canonical]], nothing: str) -> None:
    bad = [
        BadRow(one.line, f"{one.column} {one.text}: {one.what}; {one.remedy}") for one in book.bad
    ]
    told = {one.line for one in book.bad}
    bad += [
        BadRow(int(line), "it holds no identifier; complete or remove the row")
        for line, identifiers in zip(book.lines, held, strict=True)
        if not identifiers and int(line) not in told
    ]
    refuse(bad, path.name, f"mend them in the system they come from; {nothing}")


def _words(path: Path, columns: Mapping[str, str], entries: Sequence[str]) -> list[dict[str, str]]:
    """Of each row what its own columns say about the entry."""
    import pandas as pd

    from client.exchange.book_columns import columns_of
    from client.table import read_raw

    frame = read_raw(path).frame
    headers = list(frame.columns)
    found, reference = columns_of(headers, columns, path.name)
    names = [str(header).strip().lower().replace("_", "-") for header in headers]
    chosen = [at for at, name in enumerate(names) if name in entries]
    known = {*chosen, reference, *(one.position for one in found)}
    unknown = [repr(header) for at, header in enumerate(headers) if at not in known]
    if unknown:
        raise OperatorError(
            f"{path.name}: nobody knows what to do with {', '.join(unknown)}",
            remedy="take such columns out, or name an identifier's with --column KIND=HEADER; "
            f"terms are {', '.join(entries)}",
        )
    return [
        {names[at]: str(row[at]).strip() for at in chosen if not pd.isna(row[at])}
        for row in frame.itertuples(index=False, name=None)
    ]
