"""How long the shared model takes to score a million applicants.

Rows are those of a real data set, drawn with replacement, already checked: what is measured is the
frozen transform and the model, streamed in blocks, on one thread.
"""

from __future__ import annotations

import time

import numpy as np

from shared.model.shared_model import SharedModel
from shared.schema import Table

ROWS = 1_000_000
REPEATS = 1


def seconds_per_million(model: SharedModel, table: Table) -> float:
    """Median of `REPEATS` passes over `ROWS` rows drawn from `table`, seconds."""
    drawn = np.random.default_rng(0).integers(table.rows, size=ROWS)
    many = table.take(drawn)
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        logit = model.logit(many)
        taken.append(time.perf_counter() - start)
        assert logit.shape == (ROWS,)
    return float(np.median(taken))
