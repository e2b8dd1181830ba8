"""One table spread over lenders, for data sets that have no lender of their own.

Invariants:
- Every row goes to exactly one lender; every lender gets at least one row, and at least
  `MIN_ROWS` under Dirichlet skew.
- The same arguments and seed give the same partition.

Kinds:
- `iid`: equal sizes, no skew.
- `dirichlet`: label skew; each class is dealt out with its own Dirichlet(alpha) shares (Hsu, Qi,
  Brown, arXiv 1909.06335; Li et al., arXiv 2102.02079). Small alpha, strong skew.
- `quantile`: feature and size skew; noisy contiguous ranges of one column, the first lender the
  smallest.
- `sizes`: size skew only; rows dealt at random in given shares or counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.errors import OperatorError

Kind = Literal["iid", "dirichlet", "quantile", "sizes"]
Owners = NDArray[np.int64]

MIN_ROWS = 20
_DRAWS = 50
_RANK_NOISE = 0.15  # in ranks scaled to 0 … 1, so that neighbouring lenders overlap


def partition(
    kind: Kind,
    rows: int,
    lenders: int,
    *,
    seed: int,
    label: ArrayLike | None = None,
    column_values: ArrayLike | None = None,
    sizes: Sequence[float] | None = None,
    alpha: float = 0.5,
) -> Owners:
    """The lender, 0 … lenders-1, of each row; int64, shape (rows,).

    `dirichlet` needs `label` (0/1, shape (rows,)) and takes `alpha` > 0; `quantile` needs
    `column_values` (float, NaN is put in the middle) and takes `sizes`; `sizes` needs `sizes`:
    shares that sum to 1, or whole counts that sum to `rows`, one per lender. Raises OperatorError
    when the request cannot be met.
    """
    if kind not in get_args(Kind):
        raise _impossible(f"kind {kind!r} is unknown", f"use one of {', '.join(get_args(Kind))}")
    if not 1 <= lenders <= rows:
        raise _impossible(f"{rows} rows for {lenders} lenders", "every lender needs a row")
    rng = np.random.default_rng(seed)
    if kind == "dirichlet":
        return _dirichlet(_given("label", label, rows, kind), lenders, alpha, rng)
    if kind == "quantile":
        values = _given("column_values", column_values, rows, kind)
        shares = np.arange(1.0, lenders + 1) if sizes is None else sizes
        return _cut(_noisy_order(values, rng), _counts(shares, rows, lenders, sizes is not None))
    if kind == "sizes":
        if sizes is None:
            raise _impossible("kind sizes without sizes", "give one share or count per lender")
        return _cut(rng.permutation(rows), _counts(sizes, rows, lenders, True))
    return _cut(rng.permutation(rows), _counts(np.ones(lenders), rows, lenders, False))


def _given(name: str, values: ArrayLike | None, rows: int, kind: str) -> NDArray[np.float64]:
    if values is None:
        raise _impossible(f"kind {kind} without {name}", f"pass {name}, one value per row")
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (rows,):
        raise _impossible(f"{name} has shape {array.shape} for {rows} rows", "one value per row")
    return array


def _dirichlet(label: NDArray[Any], lenders: int, alpha: float, rng: np.random.Generator) -> Owners:
    """Redrawn until every lender has `MIN_ROWS`; if `_DRAWS` draws fail, the last is repaired."""
    if not np.isin(label, (0, 1)).all():
        raise _impossible("label holds values other than 0 and 1", "drop rows without a label")
    if not (np.isfinite(alpha) and alpha > 0):
        raise _impossible(f"alpha is {alpha}", "alpha must be above 0; 0.1 is strong skew, 10 weak")
    if len(label) < MIN_ROWS * lenders:
        raise _impossible(
            f"{len(label)} rows for {lenders} lenders with at least {MIN_ROWS} rows each",
            "use fewer lenders or more rows",
        )
    for _ in range(_DRAWS):
        owners = _dirichlet_draw(label, lenders, alpha, rng)
        if np.bincount(owners, minlength=lenders).min() >= MIN_ROWS:
            return owners
    return _repaired(owners, lenders, rng)


def _dirichlet_draw(
    label: NDArray[Any], lenders: int, alpha: float, rng: np.random.Generator
) -> Owners:
    owners = np.empty(len(label), dtype=np.int64)
    for value in (0, 1):
        members = rng.permutation(np.flatnonzero(label == value))
        ends = np.cumsum(rng.dirichlet(np.full(lenders, alpha))) * len(members)
        owners[members] = np.searchsorted(ends[:-1], np.arange(len(members)), side="right")
    return owners


def _repaired(owners: Owners, lenders: int, rng: np.random.Generator) -> Owners:
    """Short lenders get random rows of whoever is largest at that moment, until `MIN_ROWS`.

    Rows move; none is copied. With at least MIN_ROWS rows per lender on average the largest
    lender always has more than `MIN_ROWS` while another is short.
    """
    owners = owners.copy()
    counts = np.bincount(owners, minlength=lenders)
    while counts.min() < MIN_ROWS:
        short, largest = int(counts.argmin()), int(counts.argmax())
        moved = min(MIN_ROWS - counts[short], counts[largest] - MIN_ROWS)
        owners[rng.choice(np.flatnonzero(owners == largest), moved, replace=False)] = short
        counts = np.bincount(owners, minlength=lenders)
    return owners


def _noisy_order(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    known = np.isfinite(values)
    if not known.any():
        raise _impossible("the column to cut on has no values", "choose another column")
    filled = np.where(known, values, np.median(values[known]))
    _, group, size = np.unique(filled, return_inverse=True, return_counts=True)
    rank = (np.cumsum(size) - size / 2)[group] / len(values)
    noisy = rank + _RANK_NOISE * rng.standard_normal(len(values))
    return np.argsort(noisy, kind="stable").astype(np.int64)


def _counts(sizes: ArrayLike, rows: int, lenders: int, strict: bool) -> NDArray[np.int64]:
    """Whole rows per lender by largest remainder, at least one each.

    `strict` is for sizes that a person wrote: they must be exact counts or shares of 1.
    """
    size = np.asarray(sizes, dtype=np.float64)
    if size.shape != (lenders,) or not np.isfinite(size).all() or (size <= 0).any():
        raise _impossible(
            f"sizes for {lenders} lenders are {size.tolist()}", "one size above 0 per lender"
        )
    if strict and size.sum() == rows and (size == np.round(size)).all():
        return size.astype(np.int64)
    if strict and abs(size.sum() - 1) > 1e-6:
        raise _impossible(
            f"sizes sum to {size.sum():g}", f"use shares that sum to 1 or counts that sum to {rows}"
        )
    spare = (rows - lenders) * size / size.sum()  # after one row each
    counts: NDArray[np.int64] = 1 + np.floor(spare).astype(np.int64)
    by_remainder = np.argsort(np.floor(spare) - spare, kind="stable")
    counts[by_remainder[: rows - counts.sum()]] += 1
    return counts


def _cut(order: NDArray[np.int64], counts: NDArray[np.int64]) -> Owners:
    owners = np.empty(len(order), dtype=np.int64)
    owners[order] = np.repeat(np.arange(len(counts)), counts)
    return owners


def _impossible(what: str, remedy: str) -> OperatorError:
    return OperatorError(f"partition: {what}", remedy=remedy)
