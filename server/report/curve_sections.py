"""How good the model is over all test rows: one section per curve, and the test out of time."""

from __future__ import annotations

from collections.abc import Mapping

from server.report import curve_charts
from server.report.content import OutOfTime, Points, Pooled, Report
from server.report.curve_charts import MODELS, interpolate, ordered
from server.report.parts import Picture, Section, Table, sample
from server.report.wording import count, measure, percent, points

_LEVELS = (0.05, 0.10, 0.20, 0.30, 0.50, 0.70, 0.90)


def learning_section(report: Report) -> Section | None:
    """AUC by round."""
    curve = report.curves.learning
    if not curve:
        return None
    last_round, last = curve[-1]
    before = interpolate(curve, 0.75 * last_round)
    sentence = (
        f"The shared model reaches an AUC of {measure(last, 4)} after round {last_round:.0f}; "
        f"the last quarter of the rounds changed it by {points(last - before)} points."
    )
    rows = tuple((f"{number:.0f}", measure(auc, 4)) for number, auc in sample(curve))
    picture = Picture(
        caption="AUC of the shared model after each round",
        svg=curve_charts.learning(curve, f"Learning curve. {sentence}"),
        table=Table("AUC by round", ("Round", "AUC"), rows),
    )
    return Section("learning", "Learning curve", sentence, pictures=(picture,), half=True)


def roc_section(report: Report) -> Section | None:
    """ROC of each model."""
    curves = report.curves.roc
    if not ordered(curves):
        return None
    sentence = "The nearer a curve comes to the upper left corner, the better." + _against_pooled(
        report.pooled
    )
    picture = Picture(
        caption="Bad applicants caught against good ones refused, all test rows",
        svg=curve_charts.roc(curves, f"ROC curves. {sentence}"),
        table=_levels("Bad caught when so many good are refused", "Good refused", curves),
    )
    return Section("roc", "ROC", sentence, pictures=(picture,), half=True)


def _against_pooled(pooled: Pooled) -> str:
    if pooled.auc_shared is None or pooled.auc_lightgbm is None:
        return ""
    gap = pooled.auc_shared - pooled.auc_lightgbm
    return (
        f" Without pooling any rows the shared model reaches {measure(pooled.auc_shared, 4)}: "
        f"{points(gap)} points against a LightGBM that has all rows in one place."
    )


def ks_section(report: Report) -> Section | None:
    """The widest gap between good and bad."""
    curves = report.curves
    if not curves.ks_good and not curves.ks_bad:
        return None
    sentence = "The further apart the two curves, the better the score tells good from bad."
    if curves.ks is not None and curves.ks_at is not None:
        sentence += f" They are furthest apart at {curves.ks_at:g}: KS {measure(curves.ks)}."
    grid = sample(curves.ks_good or curves.ks_bad)
    rows = tuple(
        (f"{x:.4g}", *(_height(line, x) for line in (curves.ks_good, curves.ks_bad)))
        for x, _ in grid
    )
    picture = Picture(
        caption="Cumulative share of good and bad applicants over the score",
        svg=curve_charts.ks(curves, f"KS chart. {sentence}"),
        table=Table("Cumulative shares by score", ("Score", "Good", "Bad"), rows),
    )
    return Section(
        "ks", "KS", sentence, pictures=(picture,), folded_tables=_cutoffs(report), half=True
    )


def _cutoffs(report: Report) -> tuple[Table, ...]:
    if not report.curves.cutoffs:
        return ()
    share = report.data.prevalence
    weighed = f", weighed to {percent(share)} bad" if share is not None else ""
    rows = tuple(
        (f"{one.score:g}", percent(one.approved), percent(one.bad_rate), percent(one.bad_declined))
        for one in report.curves.cutoffs
    )
    head = ("From score", "Approved", "Bad, of those approved", "Declined, of all bad")
    return (
        Table(f"What approving from a score on means (shared + personal{weighed})", head, rows),
    )


def gain_section(report: Report) -> Section | None:
    """Share of bad found among the riskiest."""
    curves = {name: line for name, line in report.curves.gain.items() if line}
    if not ordered(curves):
        return None
    best = ordered(curves)[0]
    sentence = (
        f"Looking at the riskiest 20% of applicants ({MODELS.get(best, best)} model) finds "
        f"{_height(curves[best], 0.2)} of all bad ones; by chance it would be 20%."
    )
    picture = Picture(
        caption="Bad applicants found against applicants looked at",
        svg=curve_charts.gain(curves, f"Cumulative gain. {sentence}"),
        table=_levels("Bad found among the riskiest", "Riskiest", curves),
    )
    return Section("gain", "Cumulative gain", sentence, pictures=(picture,), half=True)


def calibration_section(report: Report) -> Section | None:
    """Predicted against observed bad rate."""
    groups = report.curves.calibration
    if not groups:
        return None
    weights = [group.rows or 1 for group in groups]
    gaps = [abs(group.predicted - group.observed) for group in groups]
    mean = sum(w * gap for w, gap in zip(weights, gaps, strict=True)) / sum(weights)
    sentence = (
        "On the line, as many turn bad as were predicted. "
        f"The mean distance from it is {100 * mean:.1f} percentage points, "
        f"the largest {100 * max(gaps):.1f}."
    )
    rows = tuple((percent(g.predicted), percent(g.observed), count(g.rows)) for g in groups)
    picture = Picture(
        caption="Observed against predicted bad rate; larger marks hold more rows",
        svg=curve_charts.calibration(groups, f"Calibration. {sentence}"),
        table=Table("Calibration by group", ("Predicted", "Observed", "Rows"), rows),
    )
    return Section("calibration", "Calibration", sentence, pictures=(picture,), half=True)


def out_of_time_section(report: Report) -> Section | None:
    """Trained on the past, tested on what came later; absent when it was not run."""
    later = report.out_of_time
    if later is None:
        return None
    rows = (
        _compare("shared", report.pooled.auc_shared, later.auc_shared),
        _compare("shared + personal", report.pooled.auc_personal, later.auc_personal),
        _compare("pooled LightGBM*", report.pooled.auc_lightgbm, later.auc_lightgbm),
    )
    table = Table(
        "AUC at random and out of time",
        ("Model", "random split", "out of time", "change, points"),
        rows,
    )
    return Section(
        "out-of-time", "Out of time", _out_of_time_sentence(later), tables=(table,), half=True
    )


def _compare(name: str, now: float | None, later: float | None) -> tuple[str, ...]:
    change = None if now is None or later is None else later - now
    return name, measure(now, 4), measure(later, 4), points(change)


def _out_of_time_sentence(later: OutOfTime) -> str:
    return (
        f"Trained on {count(later.train_rows)} rows up to and including "
        f"{later.cutoff or 'the cutoff'} and "
        f"tested on {count(later.test_rows)} that came after: this is what a model meets in use, "
        "and it is usually worse than a random split. *Researcher's view only."
    )


def _levels(caption: str, first: str, curves: Mapping[str, Points]) -> Table:
    names = ordered(curves)
    rows = tuple(
        (percent(level, 0), *(_height(curves[name], level) for name in names)) for level in _LEVELS
    )
    return Table(caption, (first, *(MODELS.get(name, name) for name in names)), rows)


def _height(points_: Points, x: float) -> str:
    return percent(interpolate(points_, x) if points_ else None)
