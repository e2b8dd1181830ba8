"""Edges from subjects to attributes, as columns: what lenders contribute, without who did.

Indices stand for tokens: an account or a phone has one index whichever kind of edge names it, so
that a PAYEE edge to an account meets the BANK_CARD edge of its owner; money from subject to
subject is derived from exactly that. The same edge counts once however often it was contributed.

Amount bands double: band 1 is below 1,000 of the currency, band 2 is 1,000 to 2,000, and so on;
0 means that the edge has no amount. What keeps 80 % of its value stays in its band or falls by one.

Who contributed a row stands beside, in a column of its own (`provenance.py`): the same edge from
two lenders is two observations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.errors import PeerError
from shared.rings.kinds import Kind

BAND_BASE = 1000.0
LAST_BAND = 32
_MOST = 1 << 40

Ints = npt.NDArray[np.int64]


def amount_band(amounts: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """The doubling band of each amount: 1 below 1,000; 0 where there is none (zero or less)."""
    values = np.asarray(amounts, dtype=np.float64)
    safe = np.maximum(values, BAND_BASE / 2)
    bands = np.clip(np.floor(np.log2(safe / BAND_BASE)) + 2, 1, LAST_BAND)
    return np.where(values > 0, bands, 0).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Columns of equal length n: subject, attribute int64 ≥ 0; kind, band uint8; week int16.

    PeerError when lengths differ, an index is negative, or a kind, week or band is unknown.
    """

    subject: Ints
    attribute: Ints
    kind: npt.NDArray[np.uint8]
    week: npt.NDArray[np.int16]
    band: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        columns = {name: _whole(name, getattr(self, name)) for name in self.__slots__}
        if len({len(column) for column in columns.values()}) > 1:
            raise _bad("columns of different lengths")
        for name, (low, high, dtype) in _RANGES.items():
            column = columns[name]
            if len(column) and not (low <= column.min() and column.max() < high):
                raise _bad(f"a {name} outside {low}…{high - 1}")
            object.__setattr__(self, name, np.ascontiguousarray(column, dtype=dtype))

    def __len__(self) -> int:
        return len(self.subject)

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int, int, int]]) -> "Edges":
        """Rows of (subject, attribute, kind, week, band)."""
        table = np.array(rows, dtype=np.int64).reshape(len(rows), 5)
        return cls(*table.T)

    def take(self, which: npt.NDArray[Any]) -> "Edges":
        """The rows at these indices, or where this mask holds."""
        return Edges(*(getattr(self, name)[which] for name in self.__slots__))

    def then(self, later: "Edges") -> "Edges":
        """These rows followed by the others."""
        pairs = ((getattr(self, name), getattr(later, name)) for name in self.__slots__)
        return Edges(*(np.concatenate(pair) for pair in pairs))

    def distinct(self, sources: Ints | None = None) -> Ints:
        """Ascending index of the first row of each different edge; with `sources` (n,), of each
        edge of each lender.
        """
        columns = [getattr(self, name) for name in self.__slots__]
        columns += [] if sources is None else [sources]
        order = np.lexsort(columns[::-1])
        first = np.zeros(len(order), dtype=bool)
        first[:1] = True
        for column in (each[order] for each in columns):
            first[1:] |= column[1:] != column[:-1]
        return np.sort(order[first])  # lexsort is stable: equal rows keep their order


_RANGES: dict[str, tuple[int, int, type]] = {
    "subject": (0, _MOST, np.int64),
    "attribute": (0, _MOST, np.int64),
    "kind": (0, len(Kind), np.uint8),
    "week": (0, 1 << 15, np.int16),
    "band": (0, LAST_BAND + 1, np.uint8),
}


def source_column(values: npt.ArrayLike, edges: Edges) -> Ints:
    """Lender number of each row, (n,) ≥ 0; PeerError when it does not fit the edges."""
    column = _whole("source", values)
    if len(column) != len(edges) or (len(column) and not 0 <= column.min() <= column.max() < _MOST):
        raise _bad("sources that do not fit them")
    return np.ascontiguousarray(column, dtype=np.int64)


def _whole(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    column = np.asarray(values)
    if column.ndim != 1 or (column.size and column.dtype.kind not in "iu"):
        raise _bad(f"a {name} column that is no list of whole numbers")
    return column


def _bad(what: str) -> PeerError:
    return PeerError(
        f"edges of rings have {what}", remedy="contribute the columns that shared/rings describes"
    )
