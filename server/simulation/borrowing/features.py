"""Answers about each row's borrower as columns of every lender's table.

Invariants:
- A row's columns are the answer its own lender would have got on the day of the loan, in bands.
- "No record" is −1 in the table and the schema's code for "missing": a bin of its own, that a tree
  can tell from every number. A band of nought is another bin.
- All other columns, rows, their order and their labels stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from server.simulation.book import Book
from server.simulation.borrowing.history import History
from shared.borrowing.answer import Bands, answers
from shared.borrowing.cells import CELLS, PLACE
from shared.borrowing.terms import NO_RECORD, UNTOLD
from shared.errors import OperatorError
from shared.schema import Column

PREFIX = "multi_lender_"
OF_LOANS = (
    "loan_orgnum_m3_all",
    "loan_orgnum_m12_all",
    "open_orgnum_all",
    "loan_days_since",
)
"""Cells of an answer that become columns where only openings of loans are known."""


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
    columns = (*schema.columns, *(_column(cell) for cell in cells))
    schema = replace(schema, columns=columns)
    return replace(book, frame=frame, table=replace(table, schema=schema, values=values))


def _texts(column: NDArray[np.int8], position: NDArray[np.int64], rows: int) -> NDArray[np.object_]:
    """A lender's file holds numbers as texts; rows without a label are in the file, too."""
    texts = np.full(rows, str(NO_RECORD), dtype=object)
    texts[position] = [str(band) for band in column.tolist()]
    return texts


def _column(cell: str) -> Column:
    scale = CELLS[PLACE[cell]].scale
    return Column(
        PREFIX + cell,
        "number",
        unit="band",
        low=UNTOLD,
        high=5,
        missing=(str(NO_RECORD),),
        description=f"multi-lender borrowing, other lenders' part: {cell} (band of {scale})",
    )
