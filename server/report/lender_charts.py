"""Charts with one line per lender: what each gains, whom it would approve instead, over seeds.

Lenders keep the order they come in (largest first). Each chart has one line of fixed height per
lender, so three and fifty lenders are equally legible. Direction is shown by the marks' shape and
by signed text, never by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from server.report import svg, wording
from server.report.content import Lender, SwapSet, SweepLender

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE = 22
_TOP = 26
_BOTTOM = 34
_PHONE = 330
_NOT_MEASURED = "no AUC: one class in its test rows"


@dataclass(frozen=True)
class _Marks:
    """Positions (line numbers) with the two values and the difference to be written beside."""

    lines: list[int]
    before: list[float]
    after: list[float]


@dataclass(frozen=True)
class _Span:
    """A line's value in points with the interval around it."""

    line: int
    middle: float
    low: float
    high: float


def gain_wide(lenders: Sequence[Lender], description: str) -> str:
    """AUC alone → with the consortium, and beside it the gain with its interval."""
    size = (svg.WIDE, _height(len(lenders)))
    return svg.draw("gain-wide", description, size, partial(_paint_gain_wide, lenders))


def gain_narrow(lenders: Sequence[Lender], description: str) -> str:
    """The same for a phone: one panel, the gain written beside it."""
    size = (_PHONE, _height(len(lenders)))
    return svg.draw("gain-narrow", description, size, partial(_paint_gain_narrow, lenders))


def swap_sets(lenders: Sequence[tuple[str, SwapSet]], description: str) -> str:
    """Bad rate of those swapped out → of those swapped in, at the same approval rate."""
    size = (svg.NARROW, _height(len(lenders)))
    return svg.draw("swap-sets", description, size, partial(_paint_swaps, lenders))


def sweep_gains(lenders: Sequence[SweepLender], description: str) -> str:
    """Mean gain over seeds with one standard deviation each way."""
    size = (svg.NARROW, _height(len(lenders)))
    return svg.draw("sweep-gains", description, size, partial(_paint_sweep, lenders))


def _height(lines: int) -> float:
    return _TOP + _BOTTOM + _LINE * max(lines, 1)


def _paint_gain_wide(lenders: Sequence[Lender], figure: Figure) -> None:
    left = svg.panel(figure, (100, _TOP, 380, _BOTTOM))
    right = svg.panel(figure, (510, _TOP, 126, _BOTTOM))
    _lines(left, len(lenders))
    _lines(right, len(lenders))
    for line, lender in enumerate(lenders):
        _label(left, line, wording.shorten(lender.code, 6), -98, bold=True)
        _label(left, line, f"{wording.count(lender.rows)} rows", -8, right=True)
        _label(right, line, wording.points(lender.gain), 42, bold=True, right=True)
        _label(right, line, _bracket(lender), 50)
    marks = _auc_marks(lenders)
    _dumbbells(left, marks)
    _shared_ticks(left, lenders, marks)
    _absent(left, lenders)
    spans = _spans(lenders)
    _draw_spans(right, spans, 2.5 * max((abs(x.middle) for x in spans), default=1.0) + 0.5)
    left.set_xlabel("AUC on the lender's own test rows")
    right.set_xlabel("gain in points of AUC")
    _legend(left, "alone", "with the consortium", shared=True)


def _paint_gain_narrow(lenders: Sequence[Lender], figure: Figure) -> None:
    axes = svg.panel(figure, (76, _TOP, 114, _BOTTOM))
    _lines(axes, len(lenders))
    for line, lender in enumerate(lenders):
        _label(axes, line, wording.shorten(lender.code, 6), -74, bold=True)
        _label(axes, line, wording.count(lender.rows), -6, right=True)
        _label(axes, line, wording.points(lender.gain), 32, bold=True, right=True)
        _label(axes, line, _bracket(lender), 36)
    _dumbbells(axes, _auc_marks(lenders))
    axes.set_xlabel("AUC on own test rows")
    _legend(axes, "alone", "with the consortium", shared=False)


def _paint_swaps(lenders: Sequence[tuple[str, SwapSet]], figure: Figure) -> None:
    axes = svg.panel(figure, (60, _TOP, 92, _BOTTOM))
    _lines(axes, len(lenders))
    marks = _Marks([], [], [])
    for line, (code, swap) in enumerate(lenders):
        _label(axes, line, wording.shorten(code, 8), -58, bold=True)
        exchanged = f"{wording.count(swap.swapped_in)} in, {wording.count(swap.swapped_out)} out"
        _label(axes, line, exchanged, 8)
        if swap.bad_rate_out is not None and swap.bad_rate_in is not None:
            marks.lines.append(line)
            marks.before.append(100 * swap.bad_rate_out)
            marks.after.append(100 * swap.bad_rate_in)
    _dumbbells(axes, marks, less_is_better=True)
    axes.set_xlabel("bad rate of the swapped applicants, %")
    _legend(axes, "swapped out", "swapped in", shared=False)


def _paint_sweep(lenders: Sequence[SweepLender], figure: Figure) -> None:
    axes = svg.panel(figure, (60, 14, 96, _BOTTOM))
    _lines(axes, len(lenders))
    spans = []
    for line, lender in enumerate(lenders):
        _label(axes, line, wording.shorten(lender.code, 8), -58, bold=True)
        spread = "" if lender.gain_sd is None else f" ± {100 * lender.gain_sd:.1f}"
        _label(axes, line, wording.points(lender.gain) + spread, 8)
        if lender.gain is not None:
            gain, sd = 100 * lender.gain, 100 * (lender.gain_sd or 0.0)
            spans.append(_Span(line, gain, gain - sd, gain + sd))
    _draw_spans(axes, spans, math.inf)
    axes.set_xlabel("mean gain in points, ± one sd")


def _lines(axes: Axes, lines: int) -> None:
    axes.set_ylim(max(lines, 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=5)
    for line in range(0, lines, 2):
        axes.axhspan(line - 0.5, line + 0.5, color=svg.STRIPE, linewidth=0, zorder=0)


def _label(
    axes: Axes, line: int, text: str, shift: float, *, bold: bool = False, right: bool = False
) -> None:
    """Text beside a line: `shift` units right of the panel, or left of it when negative."""
    axes.annotate(
        text,
        (0 if shift < 0 else 1, line),
        (shift, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right" if right else "left",
        va="center",
        fontweight="bold" if bold else "normal",
        color=svg.INK if bold else svg.MUTED,
        fontsize=10 if bold else 9,
        annotation_clip=False,
    )


def _auc_marks(lenders: Sequence[Lender]) -> _Marks:
    marks = _Marks([], [], [])
    for line, lender in enumerate(lenders):
        if lender.auc.local is not None and lender.auc_joint is not None:
            marks.lines.append(line)
            marks.before.append(lender.auc.local)
            marks.after.append(lender.auc_joint)
    return marks


def _dumbbells(axes: Axes, marks: _Marks, *, less_is_better: bool = False) -> None:
    """Hollow marks before, arrow heads after; all of one direction are drawn at once."""
    changes = list(zip(marks.lines, marks.before, marks.after, strict=True))
    sign = -1.0 if less_is_better else 1.0
    for worse in (False, True):
        group = [change for change in changes if (sign * (change[2] - change[1]) < 0) is worse]
        if group:
            lines, before, after = zip(*group, strict=True)
            tone = svg.RED if worse else svg.BLUE
            head = "<" if worse is not less_is_better else ">"
            axes.hlines(lines, before, after, color=tone, linewidth=3, zorder=2)
            axes.scatter(after, lines, s=46, color=tone, marker=head, zorder=4)
    axes.scatter(marks.before, marks.lines, s=34, facecolor=svg.PAPER, edgecolor=svg.INK, zorder=3)
    _pad(axes, [*marks.before, *marks.after])


def _shared_ticks(axes: Axes, lenders: Sequence[Lender], marks: _Marks) -> None:
    known = [(x.auc.shared, i) for i, x in enumerate(lenders) if x.auc.shared is not None]
    if known:
        aucs, lines = zip(*known, strict=True)
        axes.scatter(aucs, lines, s=70, marker="|", color=svg.INK, linewidth=1.2, zorder=5)
        _pad(axes, [*marks.before, *marks.after, *aucs])


def _absent(axes: Axes, lenders: Sequence[Lender]) -> None:
    low, high = axes.get_xlim()
    for line, lender in enumerate(lenders):
        if lender.auc.local is None or lender.auc_joint is None:
            axes.text(
                (low + high) / 2, line, _NOT_MEASURED, ha="center", va="center", color=svg.MUTED
            )


def _spans(lenders: Sequence[Lender]) -> list[_Span]:
    spans = []
    for line, lender in enumerate(lenders):
        if lender.gain is not None:
            low = lender.gain if lender.gain_low is None else lender.gain_low
            high = lender.gain if lender.gain_high is None else lender.gain_high
            spans.append(_Span(line, 100 * lender.gain, 100 * low, 100 * high))
    return spans


def _draw_spans(axes: Axes, spans: Sequence[_Span], reach: float) -> None:
    """Middles with their intervals; one that goes beyond `reach` ends there in an arrow head."""
    for lost in (False, True):
        group = [span for span in spans if (span.middle < 0) is lost]
        tone, mark = (svg.RED, "D") if lost else (svg.BLUE, "o")
        if group:
            lines = [span.line for span in group]
            lows = [max(span.low, -reach) for span in group]
            axes.hlines(lines, lows, [min(x.high, reach) for x in group], color=tone, linewidth=2)
            axes.scatter([x.middle for x in group], lines, s=38, color=tone, marker=mark)
        for side, head in ((-reach, "<"), (reach, ">")):
            cut = [x.line for x in group if (x.low < side if side < 0 else x.high > side)]
            axes.scatter([side] * len(cut), cut, s=26, marker=head, color=tone)
    axes.axvline(0, color=svg.INK, linewidth=1)
    ends = [end for x in spans for end in (max(x.low, -reach), x.middle, min(x.high, reach))]
    _pad(axes, [0.0, *ends])


def _legend(axes: Axes, before: str, after: str, *, shared: bool) -> None:
    axes.scatter([], [], s=34, facecolor=svg.PAPER, edgecolor=svg.INK, label=before)
    if shared:
        axes.scatter([], [], s=70, marker="|", color=svg.INK, label="shared model only")
    axes.scatter([], [], s=46, marker=">", color=svg.BLUE, label=f"{after}, better")
    axes.scatter([], [], s=46, marker="<", color=svg.RED, label="worse")
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=4,
        borderaxespad=0.4,
        borderpad=0,
        handlelength=1,
        handletextpad=0.3,
        columnspacing=1.0,
        fontsize=9 if shared else 8.5,
    )


def _bracket(lender: Lender) -> str:
    if lender.gain_low is None or lender.gain_high is None:
        return ""
    return f"{wording.points(lender.gain_low)} … {wording.points(lender.gain_high)}"


def _pad(axes: Axes, values: Sequence[float]) -> None:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.01
    axes.set_xlim(low - room, high + room)
