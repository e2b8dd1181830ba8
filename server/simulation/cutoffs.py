"""What approving from a score on means: who is approved, and how many of them turn bad.

Read from released totals of good and bad test rows per score point: exact at every point.
"""

from __future__ import annotations

import numpy as np

from server.simulation.prevalence import weights
from shared.statistics.ranking import cutoff_table
from shared.statistics.scores import SCORE_HIGH
from shared.training.evaluation import Evaluation

_APPROVED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def cutoffs(evaluation: Evaluation, prevalence: float | None) -> list[dict[str, float]]:
    """Of the scores from which nearest to 10, 20, … 90 % are approved, each once: `score`,
    `approved`, `bad_rate` among them, `bad_declined` of all bad. None without both classes.
    """
    good, bad = evaluation.score[:, ::-1].astype(np.float64)  # the safest first
    if not good.sum() or not bad.sum():
        return []
    of_good, of_bad = weights(good, bad, prevalence)
    table = cutoff_table(good * of_good, bad * of_bad)
    nearest = {int(np.argmin(np.abs(table.approval_rate - share))) for share in _APPROVED}
    return [
        {
            "score": SCORE_HIGH - at,
            "approved": round(float(table.approval_rate[at]), 6),
            "bad_rate": round(float(table.bad_rate[at]), 6),
            "bad_declined": round(float(table.bad_caught[at]), 6),
        }
        for at in sorted(nearest)
    ]
