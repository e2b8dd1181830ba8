"""Which of a book's loans are of one borrower, and when each was made: a file beside the table.

    loan_id,borrower,day        the table's row key, a number, a date; loans of borrowers that
    43,1,2004-11-17             have only one need not be there

Invariants:
- Every loan there is one opening at its lender, with nothing of how it went on: when a loan ended
  is not known where its end is part of the outcome.
- A row that is not in the file has no other loan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from server.simulation.book import Book
from shared.borrowing.events import Events
from shared.borrowing.terms import IdKind, Kind, LenderClass
from shared.errors import OperatorError

Ints = NDArray[np.int64]
NOBODY_ELSE = -1
_COLUMNS = ("borrower", "day")


@dataclass(frozen=True, eq=False)
class History:
    """`events` of all lenders, as they would contribute them; of each row of the book (rows,): its
    `subject` (NOBODY_ELSE where it has no other loan), `day` (ordinal, 0 where there is no subject)
    and `lender` (a place in `codes`). `classes`: of each lender.
    """

    codes: tuple[str, ...]
    classes: NDArray[np.uint8]
    events: Events
    subject: Ints
    day: Ints
    lender: Ints


def read_history(path: Path, book: Book) -> History:
    """The history of a book's rows; OperatorError naming what is wrong with the file."""
    key = book.table.schema.row_key
    frame = _read(path, key)
    place = pd.Index(book.table.row_key.astype(str)).get_indexer(frame[key].to_numpy())
    here = place >= 0  # of other rows, with --lenders
    row, told = place[here], frame[here]
    days = np.array([_day(path, text) for text in told["day"]], dtype=np.int64)
    codes = tuple(book.codes)
    lender = np.searchsorted(codes, book.lender.astype(str)).astype(np.int64)
    subject = np.full(book.table.rows, NOBODY_ELSE)
    subject[row] = pd.factorize(told["borrower"])[0]
    day = np.zeros(book.table.rows, dtype=np.int64)
    day[row] = days
    events = _openings(row, subject, day, lender)
    return History(codes, _classes(codes), events, subject, day, lender)


def _openings(row: Ints, subject: Ints, day: Ints, lender: Ints) -> Events:
    """One opening for each row; the row's number is the lender's own number of its loan."""
    nothing = np.zeros(len(row), dtype=np.int64)
    return Events(
        subject=subject[row],
        kind=nothing + int(Kind.OPENED),
        day=day[row],
        lender=lender[row],
        id_kind=nothing + int(IdKind.ID),
        bits=nothing,
        band=nothing,
        reference=row.astype(np.int64),
    )


def _classes(codes: tuple[str, ...]) -> NDArray[np.uint8]:
    """A study does not say what its lenders are; classes are not used as features."""
    return np.full(len(codes), int(LenderClass.BANK), dtype=np.uint8)


def _read(path: Path, key: str) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError, EOFError) as error:
        raise _wrong(path, "cannot be read as CSV") from error
    missing = [name for name in (key, *_COLUMNS) if name not in frame.columns]
    if missing:
        raise _wrong(path, f"has no column {', '.join(map(repr, missing))}")
    if frame[key].duplicated().any():
        raise _wrong(path, f"names a {key!r} twice")
    return frame


def _day(path: Path, text: str) -> int:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError as error:
        raise _wrong(path, "holds a day that is no date like 2004-11-17") from error


def _wrong(path: Path, what: str) -> OperatorError:
    return OperatorError(
        f"{path.name}: the file of borrowers {what}",
        remedy="give it the table's row key and the columns 'borrower' and 'day', one line a loan",
    )
