"""Subjects to be listed: identifiers given one by one, or a file with a subject a row.

Invariants:
- One cell that has no canonical form and nothing of the file is filed; all such cells are told at
  once, with line, column, masked text and remedy.
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

from client.exchange.filing_terms import ENTRIES
from shared.errors import OperatorError
from shared.tokens.identifiers import (
    COMPOSED,
    Canonical,
    IdentifierError,
    MissingIdentifierError,
    canonical,
)

if TYPE_CHECKING:
    from client.exchange.book import Book

_SHOWN = 20


@dataclass(frozen=True)
class Subject:
    """Whom an entry is about; `line` of the file, 0: none; `words`: terms of its own."""

    identifiers: tuple[Canonical, ...] = field(repr=False)
    line: int = 0
    words: Mapping[str, str] = field(default_factory=dict)


def canonical_all(identifiers: Sequence[tuple[str, str]], today: date) -> tuple[Canonical, ...]:
    """Different identifiers in canonical form, from kind and text; missing ones are left out.

    Raises IdentifierError; OperatorError when none is left.
    """
    found: dict[Canonical, None] = {}
    for kind, text in identifiers:
        for place, part in enumerate(COMPOSED.get(kind, (kind,))):
            try:
                one = canonical(part, text, today=today)
            except MissingIdentifierError:
                break
            except IdentifierError:
                if place == 0:  # an address without a home still has its building
                    raise
                break
            found[Canonical(one.kind, one.value)] = None
    if not found:
        raise OperatorError(
            "no identifier is given", remedy="e.g. --resident-id - (it is read from standard input)"
        )
    return tuple(found)


def read_subjects(path: Path, *, today: date, columns: Mapping[str, str]) -> list[Subject]:
    """The subjects of a CSV or Parquet file, in its order. OperatorError for any bad cell or a row
    without an identifier.
    """
    from client.exchange.book import read_book

    book = read_book(path, today=today, columns=columns)
    _refuse_bad(path, book)
    words = _words(path, columns)
    subjects = []
    ends = np.searchsorted(book.row, np.arange(len(book.lines) + 1))
    for row, line in enumerate(book.lines):
        held = book.subject[ends[row] : ends[row + 1]]
        if not held.size:
            raise OperatorError(
                f"{path.name}: line {line} holds no identifier", remedy="complete or remove the row"
            )
        identifiers = tuple(book.subjects[int(one)] for one in held)
        subjects.append(Subject(identifiers, int(line), words[row]))
    return subjects


def _refuse_bad(path: Path, book: Book) -> None:
    if not book.bad:
        return
    lines = [
        f"  line {one.line}, {one.column} {one.text}: {one.what}; {one.remedy}"
        for one in book.bad[:_SHOWN]
    ]
    if len(book.bad) > _SHOWN:
        lines.append(f"  … and {len(book.bad) - _SHOWN:,} more")
    raise OperatorError(
        "\n".join([f"{path.name}: {len(book.bad):,} cells are no identifiers", *lines]),
        remedy="mend them in the system they come from; nothing was filed",
    )


def _words(path: Path, columns: Mapping[str, str]) -> list[dict[str, str]]:
    """Of each row what its own columns say about the entry."""
    from client.exchange.book_columns import columns_of
    from client.table import read_raw

    frame = read_raw(path).frame
    headers = list(frame.columns)
    found, reference = columns_of(headers, columns, path.name)
    names = [str(header).strip().lower().replace("_", "-") for header in headers]
    chosen = [at for at, name in enumerate(names) if name in ENTRIES]
    known = {*chosen, reference, *(one.position for one in found)}
    unknown = [repr(header) for at, header in enumerate(headers) if at not in known]
    if unknown:
        raise OperatorError(
            f"{path.name}: nobody knows what to do with {', '.join(unknown)}",
            remedy="take such columns out, or name an identifier's with --column KIND=HEADER; "
            f"terms are {', '.join(ENTRIES)}",
        )
    return [
        {names[at]: str(row[at]).strip() for at in chosen if isinstance(row[at], str)}
        for row in frame.itertuples(index=False, name=None)
    ]
