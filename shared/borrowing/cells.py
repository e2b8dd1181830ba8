"""What an answer holds: its cells, in order, and how each is banded.

app_orgnum_d7_all    distinct lenders applied to in the last 7 days
app_allnum_m3_micro  applications to microlenders in the last 90 days
loan_orgnum_m12_all  distinct lenders that opened a loan in the last 365 days
open_allnum_bank     loans open at banks
app_night_orgnum_m1 · app_weekend_orgnum_m1 · app_min_interval_m3 · app_max_interval_m3
app_nonbank_share_m6 · loan_amount_m12 (the largest new loan) · app_months (in a row, back from
the day asked about) · app_days_since · loan_days_since
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.terms import (
    AMOUNT_LABELS,
    APPLICATION_WINDOWS,
    CLASSES,
    LOAN_WINDOWS,
    NO_RECORD,
    UNTOLD,
)
from shared.errors import OperatorError

Scale = Literal["count", "days", "share", "amount"]
BAND_LABELS: dict[Scale, tuple[str, ...]] = {
    "count": ("0", "1", "2", "3–4", "5–7", "8+"),
    "days": ("≤ 7", "8–15", "16–30", "31–90", "91–180", "> 180"),
    "share": ("0 %", "≤ 25 %", "≤ 50 %", "≤ 75 %", "< 100 %", "100 %"),
    "amount": AMOUNT_LABELS,
}
_EDGES: dict[Scale, list[int]] = {  # the first value of bands 1 … 5
    "count": [1, 2, 3, 5, 8],
    "days": [8, 16, 31, 91, 181],
    "share": [1, 251, 501, 751, 1000],  # in thousandths, rounded up
    "amount": [1, 2, 3, 4, 5],
}
_LAST = 1000
"""From here on every scale is in its last band."""
_TABLES: dict[Scale, NDArray[np.int8]] = {  # the band of each value from UNTOLD to _LAST
    scale: np.concatenate(
        [
            np.array([UNTOLD, NO_RECORD]),
            np.searchsorted(edges, np.arange(_LAST + 1), side="right"),
        ]
    ).astype(np.int8)
    for scale, edges in _EDGES.items()
}


class Cell(NamedTuple):
    """One cell. `of`: a class of lenders, or "" where it is of all."""

    name: str
    scale: Scale
    of: str = ""


def _by_class(what: str, windows: tuple[str, ...]) -> list[Cell]:
    return [Cell(f"{what}_{w}_{of}", "count", of) for w in windows for of in CLASSES]


def _of_all(what: str, windows: tuple[str, ...], scale: Scale) -> list[Cell]:
    return [Cell(f"{what}_{w}", scale) for w in windows]


CELLS: tuple[Cell, ...] = (
    *_by_class("app_orgnum", APPLICATION_WINDOWS),
    *_by_class("app_allnum", APPLICATION_WINDOWS),
    *_by_class("loan_orgnum", LOAN_WINDOWS),
    *_by_class("loan_allnum", LOAN_WINDOWS),
    *(
        Cell(f"{what}_{of}", "count", of)
        for what in ("open_orgnum", "open_allnum")
        for of in CLASSES
    ),
    *_of_all("app_night_orgnum", APPLICATION_WINDOWS, "count"),
    *_of_all("app_weekend_orgnum", APPLICATION_WINDOWS, "count"),
    *_of_all("app_min_interval", APPLICATION_WINDOWS, "days"),
    *_of_all("app_max_interval", APPLICATION_WINDOWS, "days"),
    *_of_all("app_nonbank_share", APPLICATION_WINDOWS, "share"),
    *_of_all("loan_amount", LOAN_WINDOWS, "amount"),
    Cell("app_months", "count"),
    Cell("app_days_since", "days"),
    Cell("loan_days_since", "days"),
)
CELL_NAMES = tuple(cell.name for cell in CELLS)
PLACE = {name: place for place, name in enumerate(CELL_NAMES)}
SCALES: dict[Scale, NDArray[np.intp]] = {
    scale: np.array([at for at, cell in enumerate(CELLS) if cell.scale == scale])
    for scale in BAND_LABELS
}


def cell_named(name: str) -> Cell:
    """The cell of that name; OperatorError, with the next one to it, where there is none."""
    if name in PLACE:
        return CELLS[PLACE[name]]
    near = get_close_matches(name, CELL_NAMES, n=1)
    raise OperatorError(
        f"{name!r} is no cell of an answer about borrowing",
        remedy=f"did you mean {near[0]}?" if near else f"they are like {CELL_NAMES[0]}",
    )


def banded(tally: NDArray[np.int64]) -> NDArray[np.int8]:
    """Bands 0 … 5 of exact values (m, CELLS); what is no value (below 0) stays."""
    bands = np.empty((len(CELLS), len(tally)), dtype=np.int8)
    for scale, places in SCALES.items():
        values = np.minimum(tally.T[places], _LAST)
        bands[places] = _TABLES[scale][values - UNTOLD]
    return bands.T


def label(cell: Cell, band: int) -> str:
    """A band in words."""
    match band:
        case int() if band == NO_RECORD:
            return "no record"
        case int() if band == UNTOLD:
            return "withheld"
    return BAND_LABELS[cell.scale][band]
