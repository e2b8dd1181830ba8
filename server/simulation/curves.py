"""The report's curves: learning, ROC, KS, gain, calibration, weight of evidence, drift.

Where the consortium itself could draw a curve (learning, KS, calibration, WOE) it is drawn from
released totals, not from the researcher's pooled rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.simulation.book import Book
from server.simulation.comparison import Comparison
from server.simulation.cutoffs import cutoffs
from server.simulation.gain import gain_curve, roc_points
from server.simulation.outcome import Outcome
from server.simulation.prevalence import weights
from shared.errors import InternalError
from shared.model.transform import Bins, NumberBins
from shared.schema import Column
from shared.statistics.calibration import pd_of_logit, reliability
from shared.statistics.ranking import auc, ks
from shared.statistics.scores import LOGIT_CENTRES, SCORE_BINS, SCORE_HIGH, SCORE_LOW
from shared.statistics.woe import WoeTable, category_woe, ordered_woe
from shared.training.evaluation import Evaluation
from shared.training.run import Run

_WOE_GROUPS = 12
_MINIMUM_CELL = 5

Floats = NDArray[np.float64]


def curves_of(
    book: Book, outcome: Outcome, comparison: Comparison, prevalence: float | None
) -> dict[str, Any]:
    """All curves of the report, JSON-ready; `prevalence` re-weights calibration and cut-offs."""
    if book.table.bad is None or outcome.run.evaluation is None:
        raise InternalError("curves are asked for of a run without labels or evaluation")
    bad = book.table.bad[outcome.test]
    scores = {
        "shared": outcome.shared,
        "personal": outcome.personal,
        "lightgbm": comparison.pooled,
        "local": comparison.local,
    }
    present = {name: score for name, score in scores.items() if score is not None}
    return {
        "learning": _learning(outcome.run.evaluation),
        "roc": {name: _pairs(roc_points(bad, score)) for name, score in present.items()},
        "ks": _ks_curve(outcome.run.evaluation),
        "cutoffs": cutoffs(outcome.run.evaluation, prevalence),
        "gain": _gain(bad, present),
        "calibration": _calibration(outcome.run.evaluation, prevalence),
    }


def _pairs(points: Floats | None) -> list[list[float]]:
    return [] if points is None else np.round(points, 6).tolist()


def _learning(evaluation: Evaluation) -> list[dict[str, float]]:
    measured = [(p.round, auc(*p.histogram).value) for p in evaluation.learning]
    return [{"round": r, "auc": value} for r, value in measured if not np.isnan(value)]


def _ks_curve(evaluation: Evaluation) -> dict[str, Any]:
    good, bad = evaluation.score
    shares = [np.cumsum(part) / max(1, part.sum()) for part in (good, bad)]
    separation = ks(good[::-1], bad[::-1])
    if np.isnan(separation.value):
        return {"score": [], "good": [], "bad": [], "ks": None, "at": None}
    at = int(np.argmax(shares[1] - shares[0]))
    points = np.arange(SCORE_LOW, SCORE_HIGH + 1)
    keep = np.unique(np.append(np.arange(0, SCORE_BINS, 3), at))
    return {
        "score": points[keep].tolist(),
        "good": np.round(shares[0][keep], 6).tolist(),
        "bad": np.round(shares[1][keep], 6).tolist(),
        "ks": separation.value,
        "at": int(points[at]),
    }


def _gain(bad: NDArray[np.int8], scores: dict[str, Floats]) -> dict[str, list[float]]:
    """Share of all bad rows among the riskiest share of rows, on one grid of 101 shares."""
    grid = np.linspace(0, 1, 101)
    out = {"population": np.round(grid, 4).tolist()}
    for name in ("shared", "personal", "lightgbm"):
        points = gain_curve(bad, scores[name]) if name in scores else None
        if points is not None:
            out[name] = np.round(np.interp(grid, *points.T), 6).tolist()
    return out


def _calibration(evaluation: Evaluation, prevalence: float | None) -> list[dict[str, float]]:
    """Predicted against observed bad rate in ten groups of test rows.

    With `prevalence` (rows were sampled by their outcome) good and bad rows are weighted so that
    this share is bad, and every logit moves by ln(weight of bad / weight of good): King and Zeng,
    Political Analysis 9, 2001, prior correction.
    """
    good, bad = evaluation.shared.astype(np.float64)
    of_good, of_bad = weights(good, bad, prevalence)
    good, bad = good * of_good, bad * of_bad
    pd = pd_of_logit(LOGIT_CENTRES + np.log(of_bad / of_good))
    table = reliability(good, bad, (good + bad) * pd)
    return [
        {"predicted": row.mean_pd, "observed": row.bad_rate, "rows": round(row.rows)}
        for row in table
    ]


def woe_charts(run: Run) -> list[dict[str, Any]]:
    """Weight of evidence per column, strongest first, with the minimum cell."""
    transform, bins = run.preparation.transform, run.preparation.bins
    if transform is None or bins is None:
        raise InternalError("WOE is asked for before the preparation is over")
    charts = [
        _woe_chart(column, columns, bins.counts[column.name])
        for column, columns in zip(run.agreement.schema.columns, transform.columns, strict=True)
    ]
    return sorted(charts, key=lambda chart: (-(chart["iv"] or 0.0), chart["feature"]))


def _woe_chart(column: Column, bins: Bins, counts: NDArray[np.int64]) -> dict[str, Any]:
    if isinstance(bins, NumberBins):
        ends = _group_ends(counts)
        merged = np.add.reduceat(counts, np.concatenate([[0], ends[:-1] + 1]), axis=1)
        table = ordered_woe(*merged, monotone=column.monotone, minimum=_MINIMUM_CELL)
        labels = [_range_label(bins, ends, codes) for codes in (b.codes for b in table.bins)]
    else:
        table = category_woe(*counts, minimum=_MINIMUM_CELL)
        labels = [_level_label(bins.labels(), b.codes) for b in table.bins]
    return {
        "feature": column.name,
        "unit": column.unit,
        "iv": None if np.isnan(table.iv) else table.iv,
        "bins": _bin_rows(table, labels),
    }


def _bin_rows(table: WoeTable, labels: list[str]) -> list[dict[str, Any]]:
    return [
        {"label": label, "good": int(b.good), "bad": int(b.bad), "woe": b.woe}
        for label, b in zip(labels, table.bins, strict=True)
    ]


def _group_ends(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Last codes of about twelve groups of equal weight; "missing" stays a group of its own."""
    rows = counts.sum(axis=0)
    known = rows[:-1]
    below = np.cumsum(known)
    group = np.minimum((below - known) * _WOE_GROUPS // max(1, below[-1]), _WOE_GROUPS - 1)
    ends = np.flatnonzero(np.append(group[1:] != group[:-1], True))
    return np.append(ends, len(known))


def _range_label(bins: NumberBins, ends: NDArray[np.int64], groups: tuple[int, ...]) -> str:
    missing = len(ends) - 1
    known = [g for g in groups if g != missing]
    if not known:
        return "missing"
    first, last = min(known), max(known)
    low = None if first == 0 else bins.edges[ends[first - 1]]
    high = bins.edges[ends[last]] if ends[last] < len(bins.edges) else None
    text = _between(low, high)
    return f"{text} or missing" if missing in groups else text


def _between(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "any value"
    if low is None:
        return f"≤ {high:g}"
    return f"> {low:g}" if high is None else f"{low:g} – {high:g}"


def _level_label(labels: list[str], codes: tuple[int, ...]) -> str:
    named = [labels[code] for code in codes]
    return ", ".join(named) if len(named) <= 3 else f"{named[0]} and {len(named) - 1} more"


def drift_table(outcome: Outcome) -> dict[str, Any]:
    """Population stability of each lender against the consortium, as each lender computed it."""
    lenders = sorted(outcome.results)
    names = ["score", *outcome.run.agreement.schema.names]
    return {
        "lenders": lenders,
        "rows": [
            {"name": name, "values": [outcome.results[code]["psi"][name] for code in lenders]}
            for name in names
        ],
    }
