"""What a lender should look at before the first round: suspected leakage, an odd bad rate.

These are warnings about the lender's own rows; nothing of them leaves the lender. A feature that
tells the outcome apart too well is more often a trace of the outcome than a discovery.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.schema import Column, Finding, Table

# The usual scorecard reading: a characteristic over 0.5 is to be checked for over-predicting.
SUSPECT_IV = 0.5
SUSPECT_AUC = 0.95
# With fewer rows of a class both measures are mostly noise.
FEWEST_OF_A_CLASS = 50
_LISTED = 10
_KNOWN_THEN = (
    "make sure that the value was known when the decision was taken; if it was (a year of crisis, "
    "say), nothing is wrong"
)
_FINE_BINS, _COARSE_BINS = 400, 20

Counts = NDArray[np.float64]


def suspicions(table: Table) -> tuple[Finding, ...]:
    """Warnings about a checked, labelled table; none for one without labels."""
    if table.bad is None:
        return ()
    return (*_odd_bad_rate(table), *_leaks(table))


def _odd_bad_rate(table: Table) -> Iterator[Finding]:
    assert table.bad is not None
    label, rate = table.schema.label, float(table.bad.mean())
    if not label.bad_rate_low <= rate <= label.bad_rate_high:
        what = f"bad rate {rate:.2%}, expected {label.bad_rate_low:.2%} … {label.bad_rate_high:.2%}"
        remedy = "compare your definition of bad, its window and the export with the label contract"
        yield Finding(label.column, what, remedy)


def _leaks(table: Table) -> Iterator[Finding]:
    """One warning for each column over the AUC, one for all that are over the information value."""
    bad = np.asarray(table.bad, dtype=bool)
    if min(bad.sum(), (~bad).sum()) < FEWEST_OF_A_CLASS:
        return
    strong: dict[str, float] = {}
    for column in table.schema.columns:
        counts = _counts(column, table.values[column.name], bad)
        auc, iv = _auc(counts, column), _information_value(counts, column)
        if auc > SUSPECT_AUC:
            what = f"suspiciously strong on its own (AUC {auc:.3f}, information value {iv:.2f})"
            yield Finding(column.name, what, _KNOWN_THEN)
        elif iv > SUSPECT_IV:
            strong[column.name] = iv
    if strong:
        ranked = sorted(strong.items(), key=lambda item: -item[1])
        listed = ", ".join(f"{name} {iv:.2f}" for name, iv in ranked[:_LISTED])
        more = f" and {len(ranked) - _LISTED} more" if len(ranked) > _LISTED else ""
        what = f"information value over {SUSPECT_IV}: {listed}{more}"
        yield Finding("(all)", what, _KNOWN_THEN)


def _counts(column: Column, values: NDArray[Any], bad: NDArray[np.bool_]) -> Counts:
    """Good and bad rows per bin, shape (2, bins); the last bin is "missing"."""
    if column.kind == "category":
        codes, bins = values.astype(np.int64), len(column.levels) + 2
        codes[codes < 0] = bins - 1
    else:
        known = values[~np.isnan(values)]
        edges = np.unique(_quantiles(known)) if len(known) else np.empty(0)
        bins = len(edges) + 2
        codes = np.searchsorted(edges, values, side="left")
        codes[np.isnan(values)] = bins - 1
    pairs = np.bincount(codes + bins * bad, minlength=2 * bins)
    return pairs.reshape(2, bins).astype(np.float64)


def _quantiles(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fine bin edges, from at most about 100,000 evenly spaced rows."""
    sample = known[:: max(1, len(known) // 100_000)]
    return np.quantile(sample, np.arange(1, _FINE_BINS) / _FINE_BINS, method="lower")


def _information_value(counts: Counts, column: Column) -> float:
    """Σ (g − b)·ln(g/b) over bins, less what pure noise gives on average.

    Noise: each non-empty bin beyond the first adds about 1/goods + 1/bads (the sum is a
    symmetrised Kullback-Leibler divergence; its expectation under equality is that of a χ²).
    """
    good, bad = _coarse(counts) if column.kind == "number" else counts
    filled = good + bad > 0
    good, bad = good[filled], bad[filled]
    goods, bads = good.sum(), bad.sum()
    g, b = (good + 0.5) / goods, (bad + 0.5) / bads
    noise = (len(good) - 1) * (1 / goods + 1 / bads)
    return max(0.0, float(((g - b) * np.log(g / b)).sum() - noise))


def _coarse(counts: Counts) -> Counts:
    """Neighbouring bins merged into about `_COARSE_BINS` of equal rows; "missing" stays apart."""
    known, missing = counts[:, :-1], counts[:, -1:]
    share = np.cumsum(known.sum(axis=0)) / max(known.sum(), 1)
    group = np.minimum((share * _COARSE_BINS).astype(int), _COARSE_BINS - 1)
    merged = np.zeros((2, _COARSE_BINS))
    for row, values in zip(merged, known, strict=True):
        np.add.at(row, group, values)
    return np.hstack([merged, missing])


def _auc(counts: Counts, column: Column) -> float:
    """AUC of a number column in its better direction, missing rows left out; 0 for a category."""
    good, bad = counts[:, :-1]
    if column.kind == "category" or not good.sum() or not bad.sum():
        return 0.0
    below = np.cumsum(good) - good
    area = float((bad * (below + good / 2)).sum() / (good.sum() * bad.sum()))
    return max(area, 1 - area)
