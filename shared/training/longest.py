"""The longest answer that a run can ask for, known before it starts.

Invariants:
- It is an upper bound from the terms alone, for any rows: what fits before the run fits in it. The
  lengths are those that `Preparation`, `NetworkTraining` and the trees ask for at most.
"""

from __future__ import annotations

from shared.errors import OperatorError
from shared.schema import Schema
from shared.statistics.grid import CELLS
from shared.training.agreement import Agreement
from shared.training.boosting import BoostingSettings
from shared.training.census import CENSUS_LENGTH
from shared.training.networked import MANY_LEVELS, network_settings
from shared.training.preparation import BINS

_REFINED = 4 * 2048 + 1
"""Counts of a number column in the stage `refine` (`refined_grid`)."""


def longest_stage(agreement: Agreement) -> tuple[str, int]:
    """A stage's name and how many whole numbers its answer has at most."""
    schema = agreement.schema
    levels = [len(column.levels) + 2 for column in schema.columns if column.kind != "number"]
    numbers = len(schema.columns) - len(levels)
    found = {
        "census": CENSUS_LENGTH + numbers * CELLS + 2 * sum(levels),
        "refine": numbers * _REFINED,
        "bins": 2 * (numbers * (BINS + 2) + sum(levels)),
    }
    if agreement.family != "network":
        found["trees"] = 2 * BoostingSettings().per_round << BoostingSettings().depth
    if agreement.family != "boosted":
        found["network"] = _network(schema)
    return max(found.items(), key=lambda one: one[1])


def check_longest(agreement: Agreement, most: int) -> None:
    """OperatorError when a stage may have more than `most` numbers, which no message carries."""
    stage, length = longest_stage(agreement)
    if length > most:
        other = " or family boosted" if stage == "network" else ""
        raise OperatorError(
            f"stage {stage} may have {length:,} numbers with these {len(agreement.schema.columns)} "
            f"columns, and one answer carries {most:,}",
            remedy=f"a schema with fewer columns or levels{other}: no lender could answer",
        )


def _network(schema: Schema) -> int:
    """Three per parameter, and three (`NetworkTraining.length`)."""
    sizes = [len(column.levels) + 2 for column in schema.columns if column.kind != "number"]
    many = any(size > MANY_LEVELS for size in sizes)
    settings = network_settings(1, 1, many_levels=many)
    hidden, members = settings.width, settings.members
    features = sum(sizes) + (len(schema.columns) - len(sizes)) * (settings.pieces + 2)
    weights = features * (members + hidden) + hidden * (hidden + members + 2) + members
    return 3 * weights + 3
