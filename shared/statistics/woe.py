"""Weight of evidence and information value per bin, from good and bad counts.

Invariants:
- WOE = ln(share of goods / share of bads): positive means safer than average.
- No released bin holds fewer than MINIMUM_CELL good or bad rows; what is under the minimum is
  merged before anything is shown, never dropped: bins always add up to the totals, so nothing is
  learnt by subtraction.
- Missing stands apart from the values. Only when it is under the minimum it joins the largest bin.
- IV is never negative, nor is any bin's part of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log, nan

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError
from shared.statistics.grid import MINIMUM_CELL

IV_WEAK = 0.02
"""Below it a feature is dropped."""
IV_SUSPECT = 0.5
"""Above it a feature may know the outcome."""


@dataclass(frozen=True)
class WoeBin:
    """One released bin: the codes merged into it (ascending), counts, WOE and its part of IV.

    Bins of an ordered column hold consecutive codes, save for a missing code that joined.
    """

    codes: tuple[int, ...]
    good: int
    bad: int
    woe: float
    iv: float


@dataclass(frozen=True)
class WoeTable:
    """A feature's bins. `missing` is None where it joined another bin.

    `rare` is the bin of merged category levels (missing may have joined it), None where there is
    none. Both are also in `bins`, missing last. With fewer than the minimum of good or bad rows
    altogether, there are no bins and `iv` is NaN.
    """

    bins: tuple[WoeBin, ...]
    iv: float
    missing: WoeBin | None = None
    rare: WoeBin | None = None

    def by_code(self, size: int) -> NDArray[np.float64]:
        """WOE of every code 0 … size-1, shape (size,); NaN for a code that is in no bin."""
        out = np.full(size, nan)
        for one in self.bins:
            out[list(one.codes)] = one.woe
        return out


@dataclass(frozen=True)
class _Cell:
    codes: tuple[int, ...]
    good: int
    bad: int

    def join(self, other: _Cell) -> _Cell:
        codes = tuple(sorted(self.codes + other.codes))
        return _Cell(codes, self.good + other.good, self.bad + other.bad)

    @property
    def rows(self) -> int:
        return self.good + self.bad

    def short(self, minimum: int) -> bool:
        return min(self.good, self.bad) < minimum

    def safer_than(self, other: _Cell) -> bool:
        """Smoothed odds of good are higher, compared exactly in whole numbers."""
        return (2 * self.good + 1) * (2 * other.bad + 1) > (2 * other.good + 1) * (2 * self.bad + 1)


def ordered_woe(
    good: NDArray[np.int64],
    bad: NDArray[np.int64],
    *,
    monotone: int = 0,
    minimum: int = MINIMUM_CELL,
) -> WoeTable:
    """WOE of an ordered column; counts per code, shape (size,), the last code being missing.

    Bins under the minimum join their right neighbour (the last ones their left). `monotone` +1
    makes risk rise with the code, -1 fall: neighbours that break it are pooled
    (pool-adjacent-violators, Ayer et al. 1955) on the smoothed odds. Missing takes no part in it.
    Raises PeerError when counts are not non-negative integers of one shape.
    """
    cells = _cells(good, bad, minimum)
    values, missing = _settled(_neighbours_merged(cells[:-1], minimum), cells[-1], minimum)
    if monotone:
        values = _pooled(values, rising=monotone > 0)
    return _table(values, missing, None, minimum)


def category_woe(
    good: NDArray[np.int64], bad: NDArray[np.int64], *, minimum: int = MINIMUM_CELL
) -> WoeTable:
    """WOE of a category column; counts per code, shape (size,), the last code being missing.

    Levels under the minimum become one "rare" bin; while that is under the minimum too, it takes
    in the smallest level left. Levels without a row join it, or else the largest bin.
    Raises PeerError as `ordered_woe` does.
    """
    cells = _cells(good, bad, minimum)
    levels = [cell for cell in cells[:-1] if not cell.short(minimum)]
    levels.sort(key=lambda cell: (cell.rows, cell.codes))
    rare = _joined(cell for cell in cells[:-1] if cell.short(minimum))
    while rare is not None and rare.rows and rare.short(minimum) and levels:
        rare = rare.join(levels.pop(0))
    if rare is not None and not rare.rows and levels:
        # Levels nobody holds take the largest bin's WOE, the nearest to neutral.
        levels[-1], rare = levels[-1].join(rare), None
    every = [*levels, rare] if rare is not None else levels
    values, missing = _settled(sorted(every, key=lambda c: c.codes), cells[-1], minimum)
    return _table(values, missing, rare, minimum)


def _cells(good: NDArray[np.int64], bad: NDArray[np.int64], minimum: int) -> list[_Cell]:
    if minimum < 1:
        raise InternalError(f"the minimum cell is at least 1, got {minimum}")
    if good.shape != bad.shape or good.ndim != 1 or len(good) == 0:
        raise PeerError(f"expected two vectors of one length, got {good.shape} and {bad.shape}")
    for counts in (good, bad):
        if not np.can_cast(counts.dtype, np.int64, "safe") or (counts < 0).any():
            raise PeerError("good and bad counts must be non-negative integers")
    pairs = enumerate(zip(good.tolist(), bad.tolist(), strict=True))
    return [_Cell((code,), g, b) for code, (g, b) in pairs]


def _joined(cells: Iterable[_Cell]) -> _Cell | None:
    whole: _Cell | None = None
    for cell in cells:
        whole = cell if whole is None else whole.join(cell)
    return whole


def _neighbours_merged(cells: list[_Cell], minimum: int) -> list[_Cell]:
    merged: list[_Cell] = []
    for cell in cells:
        if merged and merged[-1].short(minimum):
            merged[-1] = merged[-1].join(cell)
        else:
            merged.append(cell)
    if len(merged) > 1 and merged[-1].short(minimum):
        last = merged.pop()
        merged[-1] = merged[-1].join(last)
    return merged


def _pooled(cells: list[_Cell], *, rising: bool) -> list[_Cell]:
    """Strictly monotone odds. Smoothed odds are not a mean, so each join rechecks its left."""
    stack: list[_Cell] = []
    for cell in cells:
        stack.append(cell)
        while len(stack) > 1 and not _in_order(stack[-2], stack[-1], rising):
            last = stack.pop()
            stack[-1] = stack[-1].join(last)
    return stack


def _in_order(left: _Cell, right: _Cell, rising: bool) -> bool:
    return left.safer_than(right) if rising else right.safer_than(left)


def _settled(values: list[_Cell], missing: _Cell, minimum: int) -> tuple[list[_Cell], _Cell | None]:
    """Missing apart; or inside the largest bin when either it or the only bin is too small."""
    alone = len(values) == 1 and values[0].short(minimum)
    if not values or not (alone or missing.short(minimum)):
        return values, missing
    largest = max(range(len(values)), key=lambda i: values[i].rows)
    values[largest] = values[largest].join(missing)
    return values, None


def _table(
    values: list[_Cell], missing: _Cell | None, rare: _Cell | None, minimum: int
) -> WoeTable:
    cells = [*values, missing] if missing is not None else values
    if any(cell.short(minimum) for cell in cells):
        return WoeTable((), nan)  # only when the whole table is under the minimum
    bins = _measured(cells)
    rare_codes = set(rare.codes) if rare is not None else None
    return WoeTable(
        bins=bins,
        iv=sum(one.iv for one in bins),
        missing=bins[-1] if missing is not None else None,
        rare=next((one for one in bins if rare_codes and rare_codes <= set(one.codes)), None),
    )


def _measured(cells: list[_Cell]) -> tuple[WoeBin, ...]:
    """Half a row is added to each count, so that shares are positive and sum to one."""
    all_good = sum(cell.good for cell in cells) + len(cells) / 2
    all_bad = sum(cell.bad for cell in cells) + len(cells) / 2
    bins = []
    for cell in cells:
        good_share, bad_share = (cell.good + 0.5) / all_good, (cell.bad + 0.5) / all_bad
        woe = log(good_share / bad_share)
        bins.append(WoeBin(cell.codes, cell.good, cell.bad, woe, (good_share - bad_share) * woe))
    return tuple(bins)
