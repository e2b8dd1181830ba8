"""A whole book against this lender's own copy of the table: what a model or a person reads.

Invariants:
- A row is known by its line and the book's own reference; no identifier is written.
- Every row that the table may answer for has a row, also where nothing is known: −1 is a value of
  its own. Rows of another day are left out and named (`applications.py`); nobody is asked of them.
- A cell is empty where the row has no identifier of its kind: nobody was asked.
- A cell that is no identifier is reported and its row looked up by the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.borrowing.answers_file import Kept, write_answers
from client.borrowing.answers_read import TABLE_DAY
from client.borrowing.application_numbers import check_numbers
from client.borrowing.applications import (
    DAY,
    KEY,
    Applications,
    Why,
    applications_of,
    without_applications,
)
from client.borrowing.desk import Borrowing, Elsewhere
from client.borrowing.events_file import id_kind_of
from client.exchange.book import Book, book_of
from client.exchange.book_columns import columns_of
from client.exchange.cells import BadCell
from client.exchange.hits_file import check_out
from client.exchange.parties import Progress, no_progress
from client.table import RawTable, read_raw
from shared.borrowing.cells import CELL_NAMES
from shared.borrowing.columns import header_of
from shared.borrowing.terms import FRESH_DAYS, NO_RECORD, UNTOLD, IdKind
from shared.errors import OperatorError
from shared.tokens.identifiers import Canonical

MAIN = tuple(
    name
    for name in CELL_NAMES
    if name.endswith("_all") and name.startswith(("app_orgnum", "loan_orgnum", "open_orgnum"))
)
"""Distinct lenders of all classes: what is written when not every cell is asked for."""
SAID: Mapping[Why, str] = {
    Why.LATER: "from before the table's day: it knows what came after them",
    Why.EARLIER: f"from more than {FRESH_DAYS} days after the table's day",
    Why.NO_DAY: "without a day that can be read: write dates as 2026-11-23",
    Why.AHEAD: "of a day to come: mend their day, or wait for it",
}
"""Rows that are left out, in words, behind how many they are."""
_REMEDIES: Mapping[Why, str] = {
    Why.EARLIER: "fetch the latest: lianfang-client borrowing sync",
    Why.NO_DAY: "write dates as 2026-11-23, then screen them before the next `borrowing sync`",
    Why.AHEAD: "mend the days to come, or wait for them",
    Why.LATER: "screen applications on their day, after that day's `borrowing sync`, and keep the "
    "answers (--append): of an earlier day none can be made any more",
}
"""Where no row is left."""


@dataclass(frozen=True)
class Screened:
    """`rows`: that were answered; `known`: those that others told of; `look`: rows with a trigger;
    `withheld`: rows with such a value in what was written; `bad`: cells that are no identifiers;
    `left_out`: lines of rows that this table does not answer for, by reason; `kept`: what the
    file had and has, where it was added to; `day`: of the table, ISO.
    """

    rows: int
    known: int
    look: int
    withheld: int
    bad: tuple[BadCell, ...]
    left_out: Mapping[Why, tuple[int, ...]]
    kept: Kept
    day: str


@dataclass(frozen=True)
class Wanted:
    """What is to be written. `every_cell`: for a model, so each row's day must be known; `today`:
    every row is asked about as of today; `append`: add to the file.
    """

    every_cell: bool = False
    today: bool = False
    append: bool = False


def screen(
    borrowing: Borrowing,
    path: Path,
    out: Path,
    wanted: Wanted = Wanted(),
    *,
    columns: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Screened:
    """Look up every row of a book (CSV or Parquet) that the table may answer for, and write the
    answers to `out`. Raises OperatorError; nothing is written then.
    """
    check_out(out, path)
    today, named, raw = borrowing.today, columns or {}, read_raw(path)
    asked = applications_of(
        raw, named, today=today if wanted.today else None, needed=wanted.every_cell
    )
    check_numbers(asked.keys or (), path.name, today)
    book = book_of(raw, today=today, columns=without_applications(named))
    table = borrowing.table.head(today).day
    left = asked.left_out(table, today)
    if left and len(left) == len(book.lines):
        raise _none_left(path, left, table)
    rows = np.array([row for row in range(len(book.lines)) if row not in left], np.int64)
    found = borrowing.look_up(_people(book, rows), progress)
    names = CELL_NAMES if wanted.every_cell else MAIN
    frame = _frame(book, rows, asked, found).assign(**_cells(_kinds(raw, named), found, names))
    kept = write_answers(frame, out, book=path, append=wanted.append, today=today)
    lines = {why: [row for row in left if left[row] is why] for why in Why}
    return Screened(
        rows=len(found),
        known=sum(is_known(one) for one in found),
        look=sum(bool(one.triggered) for one in found),
        withheld=sum(is_withheld(one, names) for one in found),
        bad=book.bad,
        left_out={why: tuple(book.lines[at].tolist()) for why, at in lines.items() if at},
        kept=kept,
        day=table.isoformat(),
    )


def _none_left(path: Path, left: Mapping[int, Why], table: date) -> OperatorError:
    counts = ", ".join(
        f"{count:,} {SAID[why]}" for why, count in sorted(Counter(left.values()).items())
    )
    return OperatorError(
        f"{path.name}: the table here, of {table}, answers for no row: {counts}; nothing was "
        "looked up",
        remedy="; ".join(text for why, text in _REMEDIES.items() if why in left.values()),
    )


def _people(book: Book, rows: NDArray[np.int64]) -> list[tuple[Canonical, ...]]:
    ends = np.searchsorted(book.row, np.arange(len(book.lines) + 1))
    return [
        tuple(book.subjects[int(one)] for one in book.subject[ends[row] : ends[row + 1]])
        for row in rows
    ]


def is_known(found: Elsewhere) -> bool:
    """Whether anybody else told of this person."""
    answers = (one for one in found.answers.values() if one is not None)
    return any(band != NO_RECORD for one in answers for band in one.cells)


def is_withheld(found: Elsewhere, names: tuple[str, ...] = MAIN) -> bool:
    """Whether any of these cells is told as hidden: it would name a lender."""
    answers = (one for one in found.answers.values() if one is not None)
    return any(one.value(name) == UNTOLD for one in answers for name in names)


def _frame(
    book: Book, rows: NDArray[np.int64], asked: Applications, found: list[Elsewhere]
) -> pd.DataFrame:
    columns: dict[str, object] = {
        "line": book.lines[rows],
        "customer_ref": ["" if book.refs is None else book.refs[row] for row in rows],
    }
    if asked.keys is not None:
        columns[KEY] = [asked.keys[row] for row in rows]
    if asked.days is not None:
        columns[DAY] = [date.fromordinal(day).isoformat() for day in asked.days[rows].tolist()]
        columns[TABLE_DAY] = [one.day.isoformat() for one in found]
    columns["look"] = [bool(one.triggered) for one in found]
    columns["triggers"] = [" ".join(one.triggered) for one in found]
    return pd.DataFrame(columns)


def _kinds(raw: RawTable, columns: Mapping[str, str]) -> list[IdKind]:
    """Those that the book has columns of: each day's file has the same layout."""
    found, _ = columns_of(list(raw.frame.columns), without_applications(columns), raw.source)
    there = {id_kind_of(kind) for column in found for kind in column.kinds}
    return [kind for kind in IdKind if kind in there]


def _cells(
    kinds: list[IdKind], found: list[Elsewhere], names: tuple[str, ...]
) -> dict[str, pd.Series]:
    """A column of bands by header; empty where the row has no identifier of that kind."""
    columns = {}
    for kind in kinds:
        answers = [one.answers.get(kind) for one in found]
        asked = np.array([kind in one.answers for one in found])
        for name in names:
            bands = [NO_RECORD if one is None else one.value(name) for one in answers]
            columns[header_of(kind, name)] = pd.Series(bands, dtype="Int8").where(asked)
    return columns
