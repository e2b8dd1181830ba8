"""Answers about each row's borrower as columns of every lender's table.

Invariants:
- A row's columns are the answer its own lender would have got on the day of the loan, in bands.
- "No record" is −1 in the table and the schema's code for "missing": a bin of its own, that a tree
  can tell from every number. A band of nought is another bin.
- The columns are those that a consortium can put into its schema (`shared/borrowing/columns.py`).
- All other columns, rows, their order and their labels stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from server.simulation.book import Book
from server.simulation.borrowing.history import History
from shared.borrowing.answer import Bands, answers
from shared.borrowing.cells import PLACE
from shared.borrowing.columns import OF_LOANS, PREFIX, column_of
from shared.borrowing.terms import NO_RECORD
from shared.errors import OperatorError


def bands_of(history: History) -> Bands:
    """The answer to each row's lender on the day of its loan, (rows, CELLS)."""
    return answers(history.events, history.subject, history.day, history.lender, history.classes)


def with_columns(book: Book, bands: Bands, cells: tuple[str, ...] = OF_LOANS) -> Book:
    """The book with a column for each of `cells`; OperatorError when it has such a column."""
    schema, table, frame = book.table.schema, book.table, book.frame.copy()
    if any(name.startswith(PREFIX) for name in schema.required):
        raise OperatorError(
            f"the table has a column whose name begins with {PREFIX!r}",
            remedy="rename it: --borrowing adds columns of such names",
        )
    values = dict(table.values)
    for cell in cells:
        column = bands[:, PLACE[cell]]
        values[PREFIX + cell] = np.where(column == NO_RECORD, np.nan, column.astype(np.float64))
        frame[PREFIX + cell] = _texts(column, book.position, len(frame))
    columns = (*schema.columns, *map(column_of, cells))
    schema = replace(schema, columns=columns)
    return replace(book, frame=frame, table=replace(table, schema=schema, values=values))


def _texts(column: NDArray[np.int8], position: NDArray[np.int64], rows: int) -> NDArray[np.object_]:
    """A lender's file holds numbers as texts; rows without a label are in the file, too."""
    texts = np.full(rows, str(NO_RECORD), dtype=object)
    texts[position] = [str(band) for band in column.tolist()]
    return texts
