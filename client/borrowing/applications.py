"""The rows of a book as applications: on which day each was made, and under which number.

    applied_at        申请日期, 进件时间: a date, in any form that a table's dates have
    application_id    申请编号, 申请号, 进件编号: the lender's own number, to join answers by

Invariants:
- A row is answered for by a table of its application's day, or of up to FRESH_DAYS before. A later
  table knows what came after the application, so of the outcome: such a row is left out and named.
- A row without a day that can be read is left out, too. Nothing takes the place of an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.borrowing.application_numbers import is_of_identifiers
from client.exchange.book_columns import columns_of
from client.table import RawTable
from shared.borrowing.terms import FRESH_DAYS
from shared.errors import OperatorError
from shared.schema.cells import cell_text
from shared.schema.headers import ALIASES, folded
from shared.schema.text import date_of

DAY, KEY = "applied_at", "application_id"
_HEADERS: Mapping[str, tuple[str, ...]] = {
    DAY: (DAY, *ALIASES[DAY]),
    KEY: (KEY, "申请编号", "申请号", "进件编号"),
}
_UNREAD = 0
_AHEAD = 1  # it is tomorrow already east of Greenwich; the desk counts days in UTC


class Why(StrEnum):
    """Why a row is left out."""

    LATER = "later_table"
    EARLIER = "earlier_table"
    NO_DAY = "no_day"
    AHEAD = "day_to_come"


@dataclass(frozen=True, eq=False)
class Applications:
    """Of each row its day (an ordinal, 0: none that can be read) and its number; None: the file has
    no such column.
    """

    days: NDArray[np.int64] | None
    keys: tuple[str, ...] | None

    def left_out(self, table: date, today: date) -> dict[int, Why]:
        """Rows that a table of that day does not answer for."""
        found: dict[int, Why] = {}
        for row, day in enumerate([] if self.days is None else self.days.tolist()):
            if day == _UNREAD:
                found[row] = Why.NO_DAY
            elif day > today.toordinal() + _AHEAD:
                found[row] = Why.AHEAD
            elif day < table.toordinal():
                found[row] = Why.LATER
            elif day > table.toordinal() + FRESH_DAYS:
                found[row] = Why.EARLIER
        return found


def applications_of(
    raw: RawTable, columns: Mapping[str, str], *, today: date | None, needed: bool
) -> Applications:
    """What the file says. `columns`: kind → header, as of a book; `today`: all rows are of this
    day; `needed`: for a model, where a day must be there and must be the row's own. OperatorError.
    """
    day, key = (_position(raw, kind, columns) for kind in (DAY, KEY))
    keys = None if key is None else tuple(map(cell_text, raw.frame.iloc[:, key]))
    if today is not None and needed and day is not None:
        raise OperatorError(
            f"{raw.source} says in {raw.frame.columns[day]!r} on which day each row was applied",
            remedy="leave --today out: that column counts",
        )
    if today is not None:
        days = np.full(len(raw.frame), today.toordinal(), np.int64)
        return Applications(days if needed else None, keys)
    if day is not None:
        return Applications(_days(raw.frame.iloc[:, day]), keys)
    if needed:
        raise OperatorError(
            f"{raw.source}: no column says on which day each row was applied; a table of today "
            "would tell a model of past rows what happened after them",
            remedy=f"add a column {DAY} (a date), or name yours: --column {DAY}=HEADER; if all "
            "rows are applications of today, say so: --today",
        )
    return Applications(None, keys)


def without_applications(columns: Mapping[str, str]) -> dict[str, str]:
    """What is left to be read as identifiers."""
    return {kind: header for kind, header in columns.items() if kind not in _HEADERS}


def _position(raw: RawTable, kind: str, columns: Mapping[str, str]) -> int | None:
    named = columns.get(kind)
    headers = list(map(str, raw.frame.columns))
    wanted = {folded(one) for one in (_HEADERS[kind] if named is None else (named,))}
    places = [at for at, header in enumerate(headers) if folded(header) in wanted]
    if len(places) > 1 or (named is not None and not places):
        what = "no column" if not places else "more than one column is"
        raise OperatorError(
            f"{raw.source}: {what} {named or kind!r}; there are {', '.join(map(repr, headers))}",
            remedy=f"name a header of the file exactly: --column {kind}=HEADER",
        )
    identifiers, _ = columns_of(headers, without_applications(columns), raw.source)
    chosen = {one.position for one in identifiers}
    if places and (places[0] in chosen or is_of_identifiers(headers[places[0]])):
        raise OperatorError(
            f"{raw.source}: column {headers[places[0]]!r} holds identifiers, no {kind}",
            remedy=f"name another: --column {kind}=HEADER; no identifier is written",
        )
    return places[0] if places else None


def _days(cells: pd.Series) -> NDArray[np.int64]:
    numbers, distinct = pd.factorize(cells)
    days = [_day(cell_text(cell)) for cell in distinct]
    return np.array([*days, _UNREAD], np.int64)[numbers]  # -1, absent, is the last


def _day(text: str) -> int:
    try:
        return date_of(text).toordinal()
    except ValueError:
        return _UNREAD
