"""Curves over all test rows: learning, ROC, KS, cumulative gain, calibration.

A model keeps its colour and its dashes in every chart, so the two can be told apart in grey too.
Curves are thinned to at most 200 points: what is left out is narrower than the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from server.report import svg
from server.report.content import Calibration, Curves, Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODELS: Mapping[str, str] = {
    "personal": "shared + personal",
    "shared": "shared",
    "lightgbm": "pooled LightGBM",
    "local": "each lender alone",
}
_STYLES: Mapping[str, tuple[str, str]] = {
    "personal": (svg.BLUE, "solid"),
    "shared": (svg.GREEN, "dashed"),
    "lightgbm": (svg.ORANGE, "dashdot"),
    "local": (svg.MUTED, "dotted"),
}
_OTHER = (svg.PURPLE, "solid")
_SIZE = (svg.NARROW, 300.0)
_MARGIN = (46.0, 8.0, 20.0, 38.0)
_MOST_POINTS = 200


def learning(points: Points, description: str) -> str:
    """AUC of the shared model after each round."""
    return svg.draw("learning", description, _SIZE, partial(_paint_learning, points))


def roc(curves: Mapping[str, Points], description: str) -> str:
    """Share of bad caught against share of good refused."""
    return svg.draw("roc", description, _SIZE, partial(_paint_roc, curves))


def ks(curves: Curves, description: str) -> str:
    """Cumulative shares of good and bad over the score, with the widest gap marked."""
    return svg.draw("ks", description, _SIZE, partial(_paint_ks, curves))


def gain(curves: Mapping[str, Points], description: str) -> str:
    """Share of bad found against share of applicants looked at, riskiest first."""
    return svg.draw("cumulative-gain", description, _SIZE, partial(_paint_gain, curves))


def calibration(groups: Sequence[Calibration], description: str) -> str:
    """Observed against predicted share of bad, a mark's area being its number of rows."""
    return svg.draw("calibration", description, _SIZE, partial(_paint_calibration, groups))


def ordered(curves: Mapping[str, Points]) -> list[str]:
    """The models that have a curve: known ones in their usual order, then any others."""
    known = [name for name in MODELS if curves.get(name)]
    return known + [name for name in curves if name not in MODELS and curves[name]]


def _paint_learning(points: Points, figure: Figure) -> None:
    axes = svg.panel(figure, _MARGIN)
    xs, ys = zip(*_thin(points), strict=True)
    axes.plot(xs, ys, color=svg.GREEN, marker="o" if len(xs) < 15 else None, markersize=4)
    axes.scatter(xs[-1], ys[-1], s=30, color=svg.GREEN, zorder=3)
    axes.annotate(
        f"{ys[-1]:.4f}", (xs[-1], ys[-1]), (0, -14), textcoords="offset points", ha="right"
    )
    axes.margins(y=0.12)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("round")
    axes.set_ylabel("AUC of the shared model")


def _paint_roc(curves: Mapping[str, Points], figure: Figure) -> None:
    axes = _unit_square(figure)
    axes.plot([0, 1], [0, 1], color=svg.MUTED, linewidth=1)
    _plot_models(axes, curves)
    axes.set_xlabel("good applicants refused (false-positive rate)")
    axes.set_ylabel("bad applicants caught")
    axes.legend(loc="lower right")


def _paint_gain(curves: Mapping[str, Points], figure: Figure) -> None:
    axes = _unit_square(figure)
    axes.plot([0, 1], [0, 1], color=svg.MUTED, linewidth=1)
    _plot_models(axes, curves)
    axes.set_xlabel("applicants looked at, riskiest first")
    axes.set_ylabel("bad applicants found")
    axes.legend(loc="lower right")


def _paint_ks(curves: Curves, figure: Figure) -> None:
    axes = svg.panel(figure, _MARGIN)
    for points, label, color, dashes in (
        (curves.ks_good, "good", svg.BLUE, "solid"),
        (curves.ks_bad, "bad", svg.RED, "dashed"),
    ):
        if points:
            axes.plot(*zip(*_thin(points), strict=True), color=color, ls=dashes, label=label)
    axes.set_ylim(0, 1.02)
    _mark_gap(axes, curves)
    axes.set_xlabel("score")
    axes.set_ylabel("cumulative share of applicants")
    axes.legend(loc="upper left")


def _mark_gap(axes: Axes, curves: Curves) -> None:
    if curves.ks_at is None or curves.ks is None or not curves.ks_good or not curves.ks_bad:
        return
    good, bad = (interpolate(line, curves.ks_at) for line in (curves.ks_good, curves.ks_bad))
    axes.vlines(curves.ks_at, good, bad, color=svg.INK, linewidth=1.5)
    low, high = axes.get_xlim()
    rightmost = curves.ks_at > (low + high) / 2
    axes.annotate(
        f"KS {curves.ks:.3f}",
        (curves.ks_at, (good + bad) / 2),
        (-6 if rightmost else 6, 0),
        textcoords="offset points",
        ha="right" if rightmost else "left",
        va="center",
        fontweight="bold",
        bbox={"facecolor": svg.PAPER, "edgecolor": "none", "pad": 1.5},
    )


def _paint_calibration(groups: Sequence[Calibration], figure: Figure) -> None:
    axes = svg.panel(figure, _MARGIN)
    top = max(max(group.predicted, group.observed) for group in groups)
    top = 100 * min(1.0, top * 1.08 or 1.0)
    most = max(group.rows or 0 for group in groups) or 1
    axes.plot([0, top], [0, top], color=svg.MUTED, linewidth=1)
    axes.scatter(
        [100 * group.predicted for group in groups],
        [100 * group.observed for group in groups],
        s=[18 + 60 * (group.rows or 0) / most for group in groups],
        color=svg.BLUE,
        zorder=3,
    )
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    axes.set_xlabel("predicted bad, %")
    axes.set_ylabel("observed bad, %")


def _unit_square(figure: Figure) -> Axes:
    axes = svg.panel(figure, _MARGIN)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_xticks(ticks, [f"{100 * tick:.0f}%" for tick in ticks])
    axes.set_yticks(ticks, [f"{100 * tick:.0f}%" for tick in ticks])
    return axes


def _plot_models(axes: Axes, curves: Mapping[str, Points]) -> None:
    for name in ordered(curves):
        color, dashes = _STYLES.get(name, _OTHER)
        label = MODELS.get(name, name)
        axes.plot(*zip(*_thin(curves[name]), strict=True), color=color, ls=dashes, label=label)


def _thin(points: Points) -> Points:
    if len(points) <= _MOST_POINTS:
        return points
    step = (len(points) - 1) / (_MOST_POINTS - 1)
    return tuple(points[round(i * step)] for i in range(_MOST_POINTS))


def interpolate(points: Points, x: float) -> float:
    """The curve's height at x, straight between its points (sorted by x)."""
    import numpy as np

    xs, ys = zip(*points, strict=True)
    return float(np.interp(x, xs, ys))
