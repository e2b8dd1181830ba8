"""libsodium's group, with additions and checks on eight points at a time where that pays.

Invariants:
- Multiplications, hashing and whatever else meets a secret scalar are `Sodium`'s.
- Code is compiled once a process has spent on libsodium's additions and checks what compiling
  costs: a single lookup never waits for it, and no work costs more than twice the least possible.
- It is used only after it has given libsodium's own bytes, and where it cannot be, libsodium is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.tokens.group import WIDTH, InvalidPointError, Points, points_of, scalars_of
from shared.tokens.sodium import Sodium, Spread, common_length, points_given

if TYPE_CHECKING:  # llvmlite may be missing, and importing it takes time
    from shared.tokens.lanes.kernel import Kernel

PAYS = 70_000
"""Square roots for which libsodium takes as long as compiling, 0.3 s. It takes three for an
addition (both sides are decoded, the sum encoded), one for a check.
"""
ROWS = 8
CHUNK = 128
"""Blocks of eight rows that one call works on: about 2 ms, long beside handing it to a thread."""

_BLOCK = ROWS * WIDTH


class Lanes:
    """`shared.tokens.group.Group`; each method as `Sodium` documents it."""

    def __init__(self, spread: Spread | None = None, pays: int = PAYS) -> None:
        """`pays`: square roots after which to compile."""
        self._sodium, self._spread = Sodium(spread), spread or map
        self._pays, self._spent = pays, 0
        self.from_uniform = self._sodium.from_uniform
        self.multiply = self._sodium.multiply
        self.multiply_base = self._sodium.multiply_base

    def add(self, left: Points, right: Points) -> Points:
        """(n or 1, 32) and (n or 1, 32)."""
        return self.add_all([left, right])

    def subtract(self, left: Points, right: Points) -> Points:
        """(n or 1, 32) and (n or 1, 32)."""
        columns = [points_given(left), points_given(right)]
        kernel = self._kernel(3 * common_length(columns))
        if kernel is None:
            return self._sodium.subtract(left, right)
        return self._sums(kernel, columns, minus=[False, True])

    def add_all(self, columns: Sequence[Points]) -> Points:
        """(n or 1, 32), one or more of them."""
        given = [points_given(column) for column in columns]
        kernel = self._kernel(3 * (len(given) - 1) * common_length(given))
        if kernel is None:
            return self._sodium.add_all(given)
        return self._sums(kernel, given, minus=[False] * len(given))

    def total(self, points: Points) -> Points:
        """(1, 32)."""
        rows = points_given(points)
        kernel = self._kernel(3 * len(rows))
        if kernel is None or len(rows) == 0:
            return self._sodium.total(rows)
        while len(rows) > ROWS:
            rows = self._folded(kernel, rows)
        singles = [rows[at : at + 1] for at in range(len(rows))]
        return self._sums(kernel, singles, minus=[False] * len(singles))

    def check(self, points: Points) -> None:
        """InvalidPointError unless all rows are canonical elements other than the identity."""
        rows = points_given(points)
        kernel = self._kernel(len(rows))
        if kernel is None:
            self._sodium.check(rows)
        else:
            self._folded(kernel, rows)
            if not rows.any(axis=1).all():  # the identity
                raise InvalidPointError

    def _kernel(self, roots: int) -> Kernel | None:
        """The compiled function, where there is one by now, or where `roots` more make it pay."""
        self._spent += roots
        ready = compiled.cache_info().currsize > 0
        return compiled() if ready or self._spent >= self._pays else None

    def _sums(self, kernel: Kernel, columns: list[Points], minus: list[bool]) -> Points:
        """Row by row. A single row is a block of its own that goes with every block."""
        count = common_length(columns)
        blocks = [
            np.repeat(column, ROWS, axis=0) if len(column) == 1 else _filled(column)
            for column in columns
        ]
        starts = _words([block.ctypes.data for block in blocks])
        steps = _words([0 if len(column) == 1 else _BLOCK for column in columns])
        signs = _words([int(sign) for sign in minus])
        result = np.empty((-(-count // ROWS) * ROWS, WIDTH), np.uint8)

        def valid(chunk: range) -> bool:
            first, out = starts + steps * np.uint64(chunk.start), _at(result, chunk.start)
            return kernel(first, steps, signs, out, len(chunk))

        self._run(valid, len(result) // ROWS)
        return result[:count]

    def _folded(self, kernel: Kernel, rows: Points) -> Points:
        """(8 k, 32): rows with the same total, one block for each chunk of blocks."""
        blocks = _filled(rows)
        count = len(blocks) // ROWS
        result = np.empty((-(-count // CHUNK) * ROWS, WIDTH), np.uint8)
        starts = np.arange(count, dtype=np.uint64) * np.uint64(_BLOCK) + np.uint64(_at(blocks, 0))
        nothing = np.zeros_like(starts)

        def valid(chunk: range) -> bool:
            part, out = slice(chunk.start, chunk.stop), _at(result, chunk.start // CHUNK)
            return kernel(starts[part], nothing[part], nothing[part], out, 1)

        self._run(valid, count)
        return result

    def _run(self, valid: Callable[[range], bool], blocks: int) -> None:
        """All chunks, also after one is found invalid; then InvalidPointError."""
        chunks = [range(at, min(at + CHUNK, blocks)) for at in range(0, blocks, CHUNK)]
        if not all(list(self._spread(valid, chunks))):
            raise InvalidPointError


def _filled(rows: Points) -> Points:
    """Up to whole blocks, with identities."""
    missing = -len(rows) % ROWS
    return np.concatenate([rows, np.zeros((missing, WIDTH), np.uint8)]) if missing else rows


def _words(numbers: list[int]) -> NDArray[np.uint64]:
    return np.array(numbers, np.uint64)


def _at(rows: Points, block: int) -> int:
    return rows.ctypes.data + block * _BLOCK


@cache
def compiled() -> Kernel | None:
    """The function for this process; None where the processor lacks the instructions, the system
    forbids new code or llvmlite is missing. A RuntimeWarning where it should work and does not.
    """
    try:
        from shared.tokens.lanes.kernel import Kernel, runs_here
    except ImportError:
        return None
    try:
        kernel = Kernel() if runs_here() else None
        why = "" if kernel is None or agrees(kernel) else "it gave wrong points"
    except (OSError, RuntimeError) as error:
        why = type(error).__name__
    if why:
        warnings.warn(
            f"additions of points are slower than they could be: LLVM's code was not used ({why}); "
            "pip install -U llvmlite, or uninstall it",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return kernel


def agrees(kernel: Kernel) -> bool:
    """Whether it adds, takes away, meets the identity and refuses as libsodium does."""
    sodium = Sodium()
    left, five = sodium.multiply_base(scalars_of(range(1, ROWS + 1))), scalars_of([5])
    right = np.repeat(sodium.multiply_base(five), ROWS, axis=0)
    pair, steps = _words([_at(left, 0), _at(right, 0)]), _words([0, 0])
    found = np.empty_like(left)
    for minus, expected in ((0, sodium.add(left, right)), (1, sodium.subtract(left, right))):
        done = kernel(pair, steps, _words([0, minus]), _at(found, 0), 1)
        if not done or found.tobytes() != expected.tobytes():
            return False
    right[ROWS - 1] = points_of([b"\xff" * WIDTH])
    return not kernel(pair, steps, steps, _at(found, 0), 1)
