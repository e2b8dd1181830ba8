"""Events drawn at random, dense enough that windows, terms and repeats all matter."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from shared.borrowing.events import Events

DAY = 738_000
CLASSES = np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 4], dtype=np.uint8)
_EDGES = [0, 1, 7, 8, 15, 16, 30, 31, 60, 61, 90, 91, 180, 181, 365, 366, 1826, 1827]
_AGES = st.one_of(st.sampled_from(_EDGES), st.integers(-5, 400))


@st.composite
def events_drawn(draw: st.DrawFn, most: int = 25) -> Events:
    """Up to `most` rows over four subjects and all lenders."""
    row = st.tuples(
        st.integers(0, 3), st.sampled_from([0, 0, 1, 2]), _AGES.map(lambda age: DAY - age),
        st.integers(0, len(CLASSES) - 1), st.integers(0, 2), st.integers(0, 3),
        st.integers(0, 5), st.integers(0, 2),
    )  # fmt: skip
    return Events.of(draw(st.lists(row, max_size=most)))


def events_of(seed: int, size: int, subjects: int) -> Events:
    """Many rows of a half year and more."""
    rng = np.random.default_rng(seed)
    return Events(
        rng.integers(0, subjects, size), rng.choice(3, size, p=(0.7, 0.2, 0.1)),
        DAY - rng.integers(-3, 500, size), rng.integers(0, len(CLASSES), size),
        rng.integers(0, 3, size), rng.integers(0, 4, size), rng.integers(0, 6, size),
        rng.integers(0, 30, size),
    )  # fmt: skip
