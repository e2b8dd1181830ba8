"""What a finished run measured of its model, read from the last total: nobody's rows are needed.

`auc`, `ks`: of the shared model on all lenders' test rows; `auc_personal`: with each lender's own
layer; `auc_round_N`: of the shared model as it was after N rounds. Each AUC is within
`…_half_width` of the one on raw rows.
"""

from __future__ import annotations

from math import isfinite

from shared.statistics.ranking import auc, ks
from shared.training.run import Run


def measures_of(run: Run) -> dict[str, float]:
    """Of a run that was evaluated; empty before. What cannot be measured is left out."""
    evaluation = run.evaluation
    if evaluation is None:
        return {}
    shared, personal = auc(*evaluation.shared), auc(*evaluation.personal)
    found = {
        "auc": shared.value,
        "auc_half_width": shared.half_width,
        "auc_personal": personal.value,
        "auc_personal_half_width": personal.half_width,
        "ks": ks(*evaluation.shared).value,
    }
    for point in evaluation.learning:
        found[f"auc_round_{point.round}"] = auc(*point.histogram).value
    return {name: round(value, 6) for name, value in found.items() if isfinite(value)}
