"""Rows that take back earlier rows of the same lender: on pages like any other, of the same size.

    count page   the pair with every bit turned        edge page   the edge, with BACK as `listed`

Invariants:
- A row is compared within one lender's pages, and with earlier weeks' only: nobody takes back
  another's, and a row may be given again in a later week.
- What takes back is erased with what it took back. Where there is nothing to take back, it counts
  for nothing: a turned degree id is nobody's, and no graph has an edge with BACK.
- What is erased becomes a drawn row: a page keeps its size and its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.cases.case import Case
from shared.cases.case_tokens import Rows
from shared.cases.numbered import whole
from shared.cases.pages import (
    BACK,
    EDGE_BYTES,
    PAGE_ROWS,
    PAIR_BYTES,
    CountPage,
    EdgePage,
    drawn_edges,
    drawn_pairs,
)
from shared.tokens.group import RandomBytes

Mask = NDArray[np.bool_]
Page = TypeVar("Page", CountPage, EdgePage)


def turned(rows: Rows) -> Rows:
    """(n, w): degree ids or pair tags as they stand in a row that takes them back."""
    return rows ^ np.uint8(0xFF)


def taken_back(pages: Sequence[CountPage] | Sequence[EdgePage], week: int) -> list[Mask]:
    """(512,) of each of one lender's pages of a stage: rows that those of `week` take back, and the
    rows that do.
    """
    packed = [_rows(page) for page in pages]
    if not packed:
        return []
    rows = np.vstack(packed)
    latest = np.repeat([page.week == week for page in pages], PAGE_ROWS)
    if isinstance(pages[0], EdgePage):
        back = latest & (rows[:, -1] == BACK)
        names = whole(rows[:, :-1])
        gone = ~latest & np.isin(names, names[back])
    else:
        names, wanted = whole(rows), whole(turned(rows))
        gone = ~latest & np.isin(names, wanted[latest])
        back = latest & np.isin(wanted, names[gone])
    return np.split(gone | back, len(packed))


def without(page: Page, rows: Mask, case: Case, random: RandomBytes) -> Page:
    """The page with these of its rows drawn anew; its signature is of the page that came."""
    if isinstance(page, EdgePage):
        drawn = drawn_edges(case, page.week, int(rows.sum()), random)
    else:
        drawn = drawn_pairs(int(rows.sum()), random)
    kept = _rows(page).copy()
    kept[rows] = drawn
    return replace(page, rows=kept.tobytes())


def _rows(page: CountPage | EdgePage) -> Rows:
    width = EDGE_BYTES if isinstance(page, EdgePage) else PAIR_BYTES
    return np.frombuffer(page.rows, np.uint8).reshape(PAGE_ROWS, width)
