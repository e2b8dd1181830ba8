"""Charts of planted rings: shares by typology, and one ring as a drawing.

In the drawing a circle is a customer with the lender's code in it, a square a thing that customers
share, with its kind beside it. Circles stand on a ring in the order of lenders, squares inside,
each near those it ties. Filled circles are flagged. Nothing in it depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from server.report import svg, wording
from server.report.ring_figures import DrawnRing

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Points = NDArray[np.float64]

_TONES = (svg.BLUE, svg.ORANGE)
_WIDTH, _BAR, _GAP, _TOP, _BOTTOM = 360.0, 11.0, 7.0, 26.0, 34.0
_SIDE = 360.0
_APART = 0.34  # least distance of two squares, where a circle stands 1 from the middle
Row = tuple[str, tuple[float | None, ...]]


def shares(name: str, series: Sequence[str], rows: Sequence[Row], description: str) -> str:
    """`rows` are (label, a share for each of the at most two `series`)."""
    pitch = _BAR * len(series) + _GAP
    size = (_WIDTH, _TOP + _BOTTOM + pitch * max(len(rows), 1))
    return svg.draw(name, description, size, partial(_paint_shares, series, rows))


def ring(drawn: DrawnRing, description: str) -> str:
    """One ring."""
    return svg.draw("ring", description, (_SIDE, _SIDE), partial(_paint_ring, drawn))


def _paint_shares(series: Sequence[str], rows: Sequence[Row], figure: Figure) -> None:
    labels = [wording.shorten(label, 20) for label, _ in rows]
    left = 14 + 5.6 * max(map(wording.width, labels), default=0)
    axes = svg.panel(figure, (left, _TOP, 40, _BOTTOM))
    thick = _BAR / (_BAR * len(series) + _GAP)
    for place, (label, tone) in enumerate(zip(series, _TONES, strict=False)):
        shift = (place - (len(series) - 1) / 2) * thick
        lines = [line + shift for line in range(len(rows))]
        values = [numbers[place] for _, numbers in rows]
        lengths = [100 * (value or 0) for value in values]
        axes.barh(lines, lengths, color=tone, height=0.86 * thick, label=label)
        for line, value in zip(lines, values, strict=True):
            _beside(axes, value, line)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter("{x:.0f}%")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series), borderaxespad=0.4, borderpad=0,
        handlelength=1, handletextpad=0.4, columnspacing=1.4, fontsize=9,
    )  # fmt: skip


def _beside(axes: Axes, value: float | None, line: float) -> None:
    axes.annotate(
        wording.percent(value, 0),
        (100 * (value or 0), line),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def _paint_ring(drawn: DrawnRing, figure: Figure) -> None:
    import numpy as np

    axes = svg.panel(figure, (6, 6, 6, 6))
    axes.set_axis_off()
    axes.set_xlim(-1.25, 1.25)
    axes.set_ylim(-1.25, 1.25)
    members, things = places(drawn)
    for who, what in drawn.edges:
        ends = np.stack([members[who], things[what]])
        axes.plot(ends[:, 0], ends[:, 1], color=svg.MUTED, linewidth=1, zorder=1)
    for (code, flagged), (x, y) in zip(drawn.members, members, strict=True):
        face, ink = (svg.BLUE, svg.PAPER) if flagged else (svg.PAPER, svg.INK)
        axes.scatter([x], [y], s=560, color=face, edgecolors=svg.BLUE, linewidths=1.5, zorder=2)
        axes.text(x, y, wording.shorten(code, 5), color=ink, ha="center", va="center", fontsize=9)
    for kind, (x, y) in zip(drawn.things, things, strict=True):
        axes.scatter([x], [y], s=60, marker="s", color=svg.ORANGE, zorder=3)
        told = wording.shorten(kind.replace("_", " "), 26)
        axes.annotate(
            told, (x, y), (0, -12), textcoords="offset points", ha="center", fontsize=8, zorder=4,
            bbox={"facecolor": svg.PAPER, "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip


def places(drawn: DrawnRing) -> tuple[Points, Points]:
    """Where members and things stand: (members, 2) on the unit circle, (things, 2) inside."""
    import numpy as np

    order = np.argsort([code for code, _ in drawn.members], kind="stable")
    angle = np.empty(len(order))
    angle[order] = np.pi / 2 - 2 * np.pi * np.arange(len(order)) / max(len(order), 1)
    members = np.column_stack([np.cos(angle), np.sin(angle)])
    things = np.array([_middle(drawn, members, what) for what in range(len(drawn.things))])
    return members, _spread(things.reshape(len(drawn.things), 2))


def _middle(drawn: DrawnRing, members: Points, what: int) -> Points:
    import numpy as np

    tied = [members[who] for who, thing in drawn.edges if thing == what]
    return np.asarray(0.8 * np.mean(tied, axis=0)) if tied else np.zeros(2)


def _spread(things: Points) -> Points:
    """Push squares apart that would cover each other; the same ones always the same way."""
    import numpy as np

    things = things + 1e-3 * np.column_stack([np.arange(len(things)), -np.arange(len(things))])
    for _ in range(200):
        gap = things[:, None] - things[None]
        distance = np.sqrt((gap**2).sum(-1)) + np.eye(len(things))
        push = np.clip(_APART - distance, 0, None) * (1 - np.eye(len(things)))
        if not push.any():
            break
        things = things + 0.25 * (gap / distance[..., None] * push[..., None]).sum(1)
        radius = np.sqrt((things**2).sum(-1, keepdims=True))
        things = things * np.minimum(1, 0.78 / np.maximum(radius, 1e-9))
    return things
