"""Horizontal bars: weight of evidence of one feature, bytes per stage, seconds per phase.

Labels stand left of the bars and are cut at a fixed number of characters (the tables hold them in
full). Numbers stand beside the bars, so that no reading depends on the axis or on colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from server.report import svg, wording
from server.report.content import Feature

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELLED = 24
_LINE = 17.0
_CHARACTERS = 18
_WOE_CHARACTERS = 24
_WOE_WIDTH = 300.0


def woe(name: str, feature: Feature, description: str) -> str:
    """One bar per bin, right of nought where good applicants are over-represented."""
    return svg.draw(name, description, woe_size(feature), partial(_paint_woe, feature))


def woe_size(feature: Feature) -> tuple[float, float]:
    """Few bins get a line each; many share the height of the labelled ones."""
    return _WOE_WIDTH, 38 + _LINE * min(max(len(feature.bins), 1), _LABELLED)


def amounts(name: str, bars: Sequence[tuple[str, float, str]], unit: str, description: str) -> str:
    """Bars of (label, amount, text written beside)."""
    size = (svg.NARROW, 40 + 24.0 * max(len(bars), 1))
    return svg.draw(name, description, size, partial(_paint_amounts, bars, unit))


def _paint_woe(feature: Feature, figure: Figure) -> None:
    labels = [wording.shorten(bin_.label, _WOE_CHARACTERS) for bin_ in feature.bins]
    axes = svg.panel(figure, (14 + 5.6 * max(map(wording.width, labels), default=0), 4, 6, 34))
    values = [bin_.woe or 0.0 for bin_ in feature.bins]
    lines = range(len(values))
    tones = [svg.BLUE if value >= 0 else svg.RED for value in values]
    axes.barh(lines, values, color=tones, height=0.72)
    axes.axvline(0, color=svg.INK, linewidth=1)
    every = -(-len(values) // _LABELLED)
    shown = list(lines)[::every]
    _downwards(axes, shown, labels[::every], len(values))
    reach = 1.15 * max(map(abs, values), default=0.0) or 1.0
    axes.set_xlim(-reach, reach)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("riskier  ←  WOE  →  safer")


def _paint_amounts(bars: Sequence[tuple[str, float, str]], unit: str, figure: Figure) -> None:
    axes = svg.panel(figure, (118, 4, 16, 34))
    amounts_ = [amount for _, amount, _ in bars]
    axes.barh(range(len(bars)), amounts_, color=svg.BLUE, height=0.62)
    labels = [wording.shorten(label, _CHARACTERS) for label, _, _ in bars]
    _downwards(axes, list(range(len(bars))), labels, len(bars))
    top = max(amounts_, default=0.0) or 1.0
    axes.set_xlim(0, 1.02 * top)
    for line, (_, amount, text) in enumerate(bars):
        inside = amount > 0.5 * top
        axes.annotate(
            text,
            (amount, line),
            (-5 if inside else 5, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="center",
            color=svg.PAPER if inside else svg.INK,
            fontsize=9,
        )
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(unit)


def _downwards(axes: Axes, ticks: list[int], labels: list[str], lines: int) -> None:
    axes.set_yticks(ticks, labels)
    axes.set_ylim(max(lines, 1) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
