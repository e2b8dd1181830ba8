"""Rows of bytes as values: compared whole, and numbered in their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.uint8]
Ints = NDArray[np.int64]
_BEGINNING = 8


def whole(rows: Rows) -> NDArray[np.void]:
    """(m,) of (m, width): each row as one value that compares by its bytes."""
    packed = np.ascontiguousarray(rows)
    return packed.view(f"V{packed.shape[1]}").reshape(-1)


def numbered(rows: Rows) -> tuple[Rows, Ints]:
    """(k, width): the different rows of (m, width), 8 bytes wide or more, ascending; and (m,) the
    number of each row among them.

    Sorted by their first 8 bytes, several times as fast as by all: tokens that begin alike are the
    same, but for tokens that somebody made up, and then all bytes count.
    """
    begin = np.ascontiguousarray(rows[:, :_BEGINNING]).view(">u8").reshape(-1).astype(np.uint64)
    _, first, number = np.unique(begin, return_index=True, return_inverse=True)
    found = rows[first]
    if (found[number] != rows).any():
        values, number = np.unique(whole(rows), return_inverse=True)
        found = values.view(np.uint8).reshape(-1, rows.shape[1])
    return found, number.astype(np.int64)
