"""The group by libsodium, one call for each element, on as many threads as `spread` runs.

Invariants:
- Secrets meet libsodium's constant-time code only; this module looks at shapes and return codes.
- A batch is done as a whole or not at all.
- ctypes lets go of the interpreter during a call, so chunks on two threads use two cores.

An addition costs three square roots (libsodium decodes both sides and encodes the result): about a
fifth of a multiplication, which is why the protocol counts its additions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.tokens.group import WIDE, WIDTH, InvalidPointError, Points, Scalars
from shared.tokens.libsodium import libsodium

Spread = Callable[[Callable[[range], bool], Sequence[range]], Iterable[bool]]
"""Runs the function on every chunk, on whatever threads: `ThreadPoolExecutor(2).map` is one."""
_NOTHING = np.array([0xFF] * 31 + [0x7F], np.uint8)
"""Bytes that are no element: RFC 9496 §4.3.1, not canonical."""
CHUNK = 256
"""Elements of a chunk: 4 to 20 ms, long beside handing it to a thread."""

_Column = NDArray[np.uint8]


class Sodium:
    """`shared.tokens.group.Group` by libsodium."""

    def __init__(self, spread: Spread | None = None) -> None:
        library = libsodium()
        self._spread: Spread = spread or map
        self._from_hash = library.crypto_core_ristretto255_from_hash
        self._add = library.crypto_core_ristretto255_add
        self._subtract = library.crypto_core_ristretto255_sub
        self._valid = library.crypto_core_ristretto255_is_valid_point
        self._multiply = library.crypto_scalarmult_ristretto255
        self._base = library.crypto_scalarmult_ristretto255_base

    def from_uniform(self, uniform: NDArray[np.uint8]) -> Points:
        """(n, 64) -> (n, 32)."""
        return self._each(self._from_hash, _rows(uniform, WIDE, InternalError("not (n, 64) bytes")))

    def multiply(self, points: Points, scalars: Scalars) -> Points:
        """(n or 1, 32) by (n or 1, 32)."""
        # libsodium takes the scalar first
        return self._each(self._multiply, _scalars(scalars), points_given(points))

    def multiply_base(self, scalars: Scalars) -> Points:
        """(n, 32) -> (n, 32)."""
        return self._each(self._base, _scalars(scalars))

    def add(self, left: Points, right: Points) -> Points:
        """(n or 1, 32) and (n or 1, 32)."""
        return self._each(self._add, points_given(left), points_given(right))

    def subtract(self, left: Points, right: Points) -> Points:
        """(n or 1, 32) and (n or 1, 32)."""
        return self._each(self._subtract, points_given(left), points_given(right))

    def add_all(self, columns: Sequence[Points]) -> Points:
        """(n or 1, 32), one or more of them."""
        common_length(columns)
        first, *others = columns
        return reduce(self.add, others, first) if others else self._decoded(first)

    def total(self, points: Points) -> Points:
        """(1, 32): halves are added until one row is left, so that every step is one batch."""
        rows = points_given(points)
        if len(rows) == 0:
            raise InternalError("a sum of no points was asked")
        if len(rows) == 1:
            return self._decoded(rows)
        while len(rows) > 1:
            half, odd = len(rows) // 2, rows[len(rows) // 2 * 2 :]
            rows = np.concatenate([self.add(rows[:half], rows[half : 2 * half]), odd])
        return rows

    def check(self, points: Points) -> None:
        """InvalidPointError unless all rows are canonical elements other than the identity."""
        # libsodium takes the identity for valid; its encoding is the only one of all zeros
        if not self._decoded(points).any(axis=1).all():
            raise InvalidPointError

    def _decoded(self, points: Points) -> Points:
        """The same, as rows that decode; the identity does."""
        rows = points_given(points)
        start = rows.ctypes.data
        # every row is looked at, so that the time does not tell which one is bad
        if not all(list(map(self._valid, range(start, start + rows.size, WIDTH)))):
            raise InvalidPointError
        return rows

    def _each(self, function: Callable[..., int], *columns: _Column) -> Points:
        """function(result, *inputs) for every row; InvalidPointError if any call says so."""
        count = common_length(columns)
        result = np.empty((count, WIDTH), np.uint8)

        def failed(chunk: range) -> bool:
            addresses = [_addresses(column, chunk) for column in columns]
            return any(map(function, _addresses(result, chunk, written=True), *addresses))

        chunks = [range(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK)]
        if any(list(self._spread(failed, chunks))):
            raise InvalidPointError
        return result


def _addresses(column: _Column, chunk: range, *, written: bool = False) -> Iterator[int] | range:
    start, width = column.ctypes.data, column.shape[1]
    if len(column) == 1 and not written:
        return repeat(start, len(chunk))
    return range(start + chunk.start * width, start + chunk.stop * width, width)


def common_length(columns: Sequence[_Column]) -> int:
    """Rows of a result: each column has as many, or one. InternalError where that is not so."""
    if not columns:
        raise InternalError("a sum of no points was asked")
    count = max((len(column) for column in columns if len(column) != 1), default=1)
    if any(len(column) not in (1, count) for column in columns):
        raise InternalError("columns of different lengths were given to the group")
    return count


def points_given(points: Points) -> Points:
    """(n, 32), C-contiguous, not yet checked to be elements; InvalidPointError on other shapes.

    libsodium 1.0.18 overlooks the 256th bit, a second encoding of every element, of the identity
    too. A row with that bit is put to it as bytes that encode nothing, so it is refused where and
    when any other is.
    """
    rows = _rows(points, WIDTH, InvalidPointError())
    second = rows[:, -1] >= 0x80
    if second.any():
        rows = rows.copy()
        rows[second] = _NOTHING
    return rows


def _scalars(scalars: Scalars) -> _Column:
    return _rows(scalars, WIDTH, InternalError("scalars are (n, 32) bytes"))


def _rows(array: _Column, width: int, error: Exception) -> _Column:
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != width:
        raise error
    return np.ascontiguousarray(array)
