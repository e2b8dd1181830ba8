"""Charts of the fraud list: for each lender one thin bar per number, the number beside it.

The bars of a lender stand in the order of the legend, so no reading depends on colour. Numbers are
counts of applicants: the axis has whole numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from server.report import svg, wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TONES = (svg.BLUE, svg.ORANGE, svg.GREEN)
_WIDTH, _BAR, _GAP, _TOP, _BOTTOM, _CHARACTERS = 300.0, 12.0, 8.0, 26.0, 34.0, 10
Row = tuple[str, tuple[int | None, ...]]


def counts(name: str, series: Sequence[str], rows: Sequence[Row], description: str) -> str:
    """`rows` are (label, one number for each of the at most three `series`)."""
    height = _TOP + _BOTTOM + _pitch(series) * max(len(rows), 1)
    return svg.draw(name, description, (_WIDTH, height), partial(_paint, series, rows))


def _pitch(series: Sequence[str]) -> float:
    return _BAR * len(series) + _GAP


def _paint(series: Sequence[str], rows: Sequence[Row], figure: Figure) -> None:
    from matplotlib.ticker import MaxNLocator

    labels = [wording.shorten(code, _CHARACTERS) for code, _ in rows]
    left = 14 + 5.6 * max(map(wording.width, labels), default=0)
    axes = svg.panel(figure, (left, _TOP, 34, _BOTTOM))
    thick = _BAR / _pitch(series)
    for place, (label, tone) in enumerate(zip(series, _TONES, strict=False)):
        shift = (place - (len(series) - 1) / 2) * thick
        lines = [line + shift for line in range(len(rows))]
        values = [numbers[place] or 0 for _, numbers in rows]
        axes.barh(lines, values, color=tone, height=0.86 * thick, label=label)
        for line, (_, numbers) in zip(lines, rows, strict=True):
            _beside(axes, numbers[place], line)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    most = max((number or 0 for _, numbers in rows for number in numbers), default=0)
    axes.set_xlim(0, max(most, 1))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("applicants")
    _legend(axes, len(series))


def _beside(axes: Axes, number: int | None, line: float) -> None:
    axes.annotate(
        wording.count(number),
        (number or 0, line),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        borderaxespad=0.4,
        borderpad=0,
        handlelength=1,
        handletextpad=0.4,
        columnspacing=1.4,
        fontsize=9,
    )
