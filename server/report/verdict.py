"""Who gains by joining, counted once: page and screen ask here, so they cannot disagree.

A gain is judged as it is written, in points of AUC with one decimal: one that is written "0.0" is
neither won nor lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Of `measured` lenders, `ahead` gain and `behind` lose; `mean` gain as a difference of AUC."""

    measured: int
    ahead: int
    behind: int
    mean: float


def verdict(gains: Sequence[float | None]) -> Verdict | None:
    """Count gains (differences of AUC, None where not measured); None when none was measured."""
    known = [gain for gain in gains if gain is not None]
    if not known:
        return None
    ahead, behind = sum(map(wins, known)), sum(map(loses, known))
    return Verdict(len(known), ahead, behind, sum(known) / len(known))


def wins(gain: float | None) -> bool:
    """True for a gain that is written with a plus."""
    return _written(gain) > 0


def loses(gain: float | None) -> bool:
    """True for a gain that is written with a minus."""
    return _written(gain) < 0


def _written(gain: float | None) -> float:
    return float(f"{100 * (gain or 0.0):.1f}")
