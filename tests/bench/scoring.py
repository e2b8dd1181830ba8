"""How long the shared model takes to score a million applicants.

Rows are those of a real data set, drawn with replacement, already checked: what is measured is the
frozen transform and the model, streamed in blocks, on one thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from shared.model.shared_model import SharedModel
from shared.schema import Table

ROWS = 1_000_000


@dataclass(frozen=True)
class ScoringTime:
    """Seconds per million rows; `cpu` is what `wall` would be on a machine with nothing else."""

    wall: float
    cpu: float


def scoring_time(model: SharedModel, table: Table) -> ScoringTime:
    """One pass over `ROWS` rows drawn from `table`."""
    many = table.take(np.random.default_rng(0).integers(table.rows, size=ROWS))
    wall, cpu = time.perf_counter(), time.process_time()
    logit = model.logit(many)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert logit.shape == (ROWS,)
    return ScoringTime(round(wall, 2), round(cpu, 2))
