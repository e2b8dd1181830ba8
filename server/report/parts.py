"""The parts a page is made of. They hold text and SVG; how they look is the template's matter.

Every picture has a table with the same figures, so nothing can be learnt from a picture alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column names the row. `tones` (same shape, or empty) marks cells."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    tones: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Picture:
    """One chart, with another drawing for narrow screens when `narrow` is not empty."""

    caption: str
    svg: str
    table: Table
    narrow: str = ""


@dataclass(frozen=True)
class Fact:
    """One headline figure; `aside` marks what no consortium could have."""

    label: str
    value: str
    note: str
    aside: bool = False


@dataclass(frozen=True)
class Section:
    """A heading, one plain sentence, and what proves it; `half` may share a row with another."""

    slug: str
    title: str
    sentence: str
    pictures: tuple[Picture, ...] = ()
    folded: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    folded_tables: tuple[Table, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    bullets: tuple[str, ...] = ()
    half: bool = False


def sample(items: Sequence[tuple[float, float]], most: int = 12) -> list[tuple[float, float]]:
    """At most `most` of the points, evenly spaced, first and last among them."""
    if len(items) <= most:
        return list(items)
    step = (len(items) - 1) / (most - 1)
    return [items[round(i * step)] for i in range(most)]
