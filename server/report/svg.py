"""Draws with matplotlib and gives SVG that belongs into a page.

The same drawing gives the same bytes (fixed hash salt, no date). Colours are CSS variables, so one
drawing serves the light and the dark theme. Text stays text. Ids carry the picture's name, so that
many pictures can stand in one page. Nothing in the SVG points outside it. Names are never read as
formulas ("$" is a dollar sign) and are escaped by matplotlib's XML writer.

Sizes are in SVG units: text is 10 units high, and a chart of 360 units is read on a phone at
about the size it was drawn.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NARROW = 360
WIDE = 860

# Stand-ins that no chart would use by itself; the page's style sheet gives them their colour.
INK = "#0a0001"
MUTED = "#0a0002"
GRID = "#0a0003"
STRIPE = "#0a0004"
PAPER = "#0a0005"
BLUE = "#0a0006"
ORANGE = "#0a0007"
GREEN = "#0a0008"
RED = "#0a0009"
PURPLE = "#0a000a"

_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    STRIPE: "--stripe",
    PAPER: "--paper",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREEN: "--green",
    RED: "--red",
    PURPLE: "--purple",
}

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "font.size": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
}


def draw(
    name: str, description: str, size: tuple[float, float], paint: Callable[[Figure], None]
) -> str:
    """One inline `<svg>`: `size` is (width, height) in units, `paint` fills the figure.

    `name` makes ids unique in the page; `description` is what a screen reader says.
    """
    import matplotlib
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The page's own fonts draw the text: what matplotlib's font lacks does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        matplotlib.rcParams["svg.hashsalt"] = name
        figure = Figure(figsize=(size[0] / 72, size[1] / 72))
        paint(figure)
        undated = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", metadata=undated)
    return _embed(buffer.getvalue(), name, description, size)


def panel(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    """Axes inside margins (left, top, right, bottom) given in units."""
    width, height = figure.get_size_inches() * 72
    left, top, right, bottom = box
    axes = figure.add_axes(
        (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    )
    axes.tick_params(length=0)
    return axes


def _embed(text: str, name: str, description: str, size: tuple[float, float]) -> str:
    """Matplotlib's document as an inline element; only tags are changed, never what they hold."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<[^>]+>", lambda tag: _tag(tag.group(), name), body)
    body = re.sub(r">\s+<", "><", body)
    title = html.escape(description)
    head = f'<svg viewBox="0 0 {size[0]:g} {size[1]:g}" role="img" aria-labelledby="{name}-title">'
    return f'{head}<title id="{name}-title">{title}</title>{body.strip()}'


def _tag(tag: str, name: str) -> str:
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', tag)
    tag = tag.replace("url(#", f"url(#{name}-")
    tag = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", tag)
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = re.sub(r' transform="rotate\(-?0 [^"]*"', "", tag)
    tag = re.sub(r"(\.\d\d)\d+", r"\1", tag)
    for stand_in, variable in _VARIABLES.items():
        tag = tag.replace(stand_in, f"var({variable})")
    return tag
