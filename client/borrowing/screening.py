"""A whole book against this lender's own copy of the table: what a model or a person reads.

Invariants:
- A row is known by its line and the book's own reference; no identifier is written.
- Every row of the book has a row, also where nothing is known: −1 is a value of its own.
- A cell that is no identifier is reported and its row looked up by the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from client.borrowing.desk import Borrowing, Elsewhere
from client.exchange.book import Book, read_book
from client.exchange.cells import BadCell
from client.exchange.hits_file import check_out, write_frame
from client.exchange.parties import Progress, no_progress
from shared.borrowing.cells import CELL_NAMES
from shared.borrowing.terms import NO_RECORD, UNTOLD, IdKind

MAIN = tuple(
    name
    for name in CELL_NAMES
    if name.endswith("_all") and name.startswith(("app_orgnum", "loan_orgnum", "open_orgnum"))
)
"""Distinct lenders of all classes: what is written when not every cell is asked for."""


@dataclass(frozen=True)
class Screened:
    """`known`: rows that others told of; `look`: rows with a trigger; `withheld`: rows with
    such a value in what was written; `bad`: cells that are no identifiers; `day`: of the table,
    ISO.
    """

    rows: int
    known: int
    look: int
    withheld: int
    bad: tuple[BadCell, ...]
    day: str


def screen(
    borrowing: Borrowing,
    path: Path,
    out: Path,
    *,
    every_cell: bool = False,
    columns: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Screened:
    """Look up every row of a book (CSV or Parquet) and write the answers to `out`. Raises
    OperatorError; nothing is written then.
    """
    check_out(out, path)
    book = read_book(path, today=borrowing.today, columns=columns or {})
    ends = np.searchsorted(book.row, np.arange(len(book.lines) + 1))
    people = [
        tuple(book.subjects[int(one)] for one in book.subject[ends[row] : ends[row + 1]])
        for row in range(len(book.lines))
    ]
    found = borrowing.look_up(people, progress)
    names = CELL_NAMES if every_cell else MAIN
    write_frame(_frame(book, found, names), out, book=path)
    return Screened(
        rows=len(found),
        known=sum(is_known(one) for one in found),
        look=sum(bool(one.triggered) for one in found),
        withheld=sum(is_withheld(one, names) for one in found),
        bad=book.bad,
        day=found[0].day.isoformat() if found else "",
    )


def is_known(found: Elsewhere) -> bool:
    """Whether anybody else told of this person."""
    answers = (one for one in found.answers.values() if one is not None)
    return any(band != NO_RECORD for one in answers for band in one.cells)


def is_withheld(found: Elsewhere, names: tuple[str, ...] = MAIN) -> bool:
    """Whether any of these cells is told as hidden: it would name a lender."""
    answers = (one for one in found.answers.values() if one is not None)
    return any(one.value(name) == UNTOLD for one in answers for name in names)


def _frame(book: Book, found: list[Elsewhere], names: tuple[str, ...]) -> pd.DataFrame:
    kinds = [kind for kind in IdKind if any(kind in one.answers for one in found)]
    columns: dict[str, object] = {
        "line": book.lines,
        "customer_ref": ["" for _ in found] if book.refs is None else list(book.refs),
        "look": [bool(one.triggered) for one in found],
        "triggers": [" ".join(one.triggered) for one in found],
    }
    for kind in kinds:
        answers = [one.answers.get(kind) for one in found]
        for name in names:
            bands = [NO_RECORD if one is None else one.value(name) for one in answers]
            columns[f"{kind.name.lower()}_{name}"] = np.array(bands, np.int8)
    return pd.DataFrame(columns)
