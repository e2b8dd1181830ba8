"""Figures and tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; None with one value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def plus_minus(mean: float | None, sd: float | None, sign: str = "") -> str:
    """`0.7838 ± 0.0031`; a dash when there is nothing, no sd with one value."""
    if mean is None:
        return "–"
    return f"{mean:{sign}.4f}" + ("" if sd is None else f" ± {sd:.4f}")


def megabytes(count: float) -> str:
    """Bytes as megabytes (10**6)."""
    return f"{count / 1e6:.1f} MB"
