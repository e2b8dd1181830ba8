"""How far long work is: who does it tells, who asked may show it."""

from __future__ import annotations

from collections.abc import Callable

Told = Callable[[int], None]
Progress = Callable[[int], Told]
"""Called with how many there are to do; what it returns is told how many more were done."""


def no_progress(_: int) -> Told:
    """For whoever does not want to know."""
    return lambda _: None
