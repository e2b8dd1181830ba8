"""What one round of a sum costs, and how it is measured.

Invariants:
- Processor time of this process, all its threads: other work on the machine moves it little.
- Everything runs on one core, so that no side gains from threads.
- All kinds of sum get the same numbers: weights of a model, and the number of rows they stand for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from statistics import median

import numpy as np
from numpy.typing import NDArray

ROWS = 500
CLIP = 8.0


@dataclass
class Costs:
    """Processor milliseconds, one entry a measurement: of one lender, or of the coordinator for all
    lenders. `share`: keys and shares for one round; `set_up`: for all rounds of a set-up; `mask`:
    from floats to what is sent; `answer`: what a lender does to open the sum; `collect`: adding up
    all uploads; `unmask`: from the answers to the total. `upload`: bytes.
    """

    set_up: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)
    mask: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    collect: list[float] = field(default_factory=list)
    unmask: list[float] = field(default_factory=list)
    upload: list[float] = field(default_factory=list)

    def medians(self) -> dict[str, float]:
        """The middle of each; 0 where there is nothing to do."""
        return {name: median(values) if values else 0.0 for name, values in asdict(self).items()}


class Clock:
    """Adds processor time to a list of milliseconds."""

    def __init__(self) -> None:
        self.milliseconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the processor time of what is inside."""
        start = time.process_time()
        try:
            yield
        finally:
            self.milliseconds += (time.process_time() - start) * 1e3


@contextmanager
def timed(into: list[float]) -> Iterator[None]:
    """Append the processor time, in milliseconds, of what is inside."""
    clock = Clock()
    with clock.running():
        yield
    into.append(clock.milliseconds)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core; afterwards it has its cores back."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def weights_of(lender: int, length: int) -> NDArray[np.float32]:
    """A lender's weights, float32 (length,), the same for every kind of sum."""
    drawn = np.random.default_rng(lender).standard_normal(length, dtype=np.float32)
    drawn *= 0.05
    return drawn


def rows_of(lender: int) -> int:
    """How many rows a lender's weights stand for: 500 … 599."""
    return ROWS + lender % 100


@lru_cache(maxsize=1)
def mean_of(lenders: int, length: int) -> NDArray[np.float64]:
    """What every sum must come to: the mean of all weights by rows."""
    total = np.zeros(length)
    for lender in range(lenders):
        total += rows_of(lender) * weights_of(lender, length).astype(np.float64)
    return total / sum(rows_of(lender) for lender in range(lenders))
