"""How figures are written: a missing one is "–", a minus is "−", a gain is in points of AUC."""

from __future__ import annotations

import unicodedata

MISSING = "–"


def measure(value: float | None, digits: int = 3) -> str:
    """An AUC, KS, IV, WOE or PSI with a fixed number of digits."""
    return MISSING if value is None else _minus(f"{value:.{digits}f}")


def points(value: float | None, digits: int = 1) -> str:
    """A difference of AUC as signed points: 0.017 is "+1.7"; one that rounds to nought is "0.0"."""
    if value is None:
        return MISSING
    text = f"{100 * value:+.{digits}f}"
    return text[1:] if float(text) == 0 else _minus(text)


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """An interval of differences in points: "−0.4 to +2.1"."""
    if low is None or high is None:
        return MISSING
    return f"{points(low, digits)} to {points(high, digits)}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share 0..1 in percent."""
    return MISSING if value is None else f"{100 * value:.{digits}f}%"


def count(value: int | None) -> str:
    """A number of things, with thousands separated."""
    return MISSING if value is None else f"{value:,}"


def size(value: float | None) -> str:
    """Bytes in decimal units: 2 300 000 is "2.3 MB"."""
    if value is None:
        return MISSING
    for unit in ("B", "kB", "MB"):
        if abs(value) < 999.5:
            digits = 0 if unit == "B" or abs(value) >= 100 else 1
            return f"{value:.{digits}f}\u00a0{unit}"
        value /= 1000
    return f"{value:.1f}\u00a0GB"


def duration(value: float | None) -> str:
    """Seconds, as minutes when there are many."""
    if value is None:
        return MISSING
    return f"{value:.1f}\u00a0s" if value < 120 else f"{value / 60:.1f}\u00a0min"


def plural(number: int, noun: str) -> str:
    """A number with its noun: "1 lender", "12 lenders"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def shorten(text: str, limit: int) -> str:
    """A name at most `limit` Latin letters wide; a cut is "…"."""
    if width(text) <= limit:
        return text
    while text and width(text) > limit - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def width(text: str) -> int:
    """How many Latin letters wide a text is; a Han character counts two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _minus(text: str) -> str:
    return text.replace("-", "−")
