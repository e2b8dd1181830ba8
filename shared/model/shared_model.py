"""The shared model: schema, frozen transform and the torch modules, as one thing that scores.

Invariants:
- A model scores only tables of the very schema it was trained on (by digest).
- A saved model is data: safetensors and JSON, nothing that runs when it is loaded.
- A row's score does not depend on the rows beside it, so any block size gives the same scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from shared.errors import OperatorError
from shared.model.part import Logits, Part
from shared.model.reasons import ShapleyTable, shapley_table
from shared.model.sampled_reasons import sampled_contributions
from shared.model.transform import Transform
from shared.model.trees import BoostedTrees
from shared.schema import Schema, Table, check_frame

BLOCK_ROWS = 1 << 16

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class SharedModel:
    """What training ends in. The logit is Σ weight · part's logit."""

    schema: Schema
    transform: Transform
    parts: tuple[Part, ...]
    about: dict[str, object] = field(default_factory=dict)
    """What to know about its making, JSON-ready: family, seed, rounds, agreement digest."""

    @property
    def parameters(self) -> int:
        """Learned numbers in all parts."""
        return sum(p.numel() for part in self.parts for p in part.module.parameters())

    def logit(self, table: Table, progress: Progress | None = None) -> Logits:
        """Logit of PD, float64 (n,), streamed in blocks; `progress` is told rows done.

        Raises OperatorError when the table is of another schema.
        """
        if table.schema.digest() != self.schema.digest():
            raise OperatorError(
                f"the table's schema {table.schema.digest()[:12]} is not the model's "
                f"{self.schema.digest()[:12]}",
                remedy="check the table against the schema saved with the model",
            )
        out = np.empty(table.rows)
        for start in range(0, table.rows, BLOCK_ROWS):
            span = slice(start, min(start + BLOCK_ROWS, table.rows))
            block = table.take(np.arange(span.start, span.stop))
            out[span] = sum(part.weight * part.logit(self.transform, block) for part in self.parts)
            if progress is not None:
                progress(span.stop - span.start)
        return out

    def score(
        self, frame: pd.DataFrame, *, source: str = "frame", progress: Progress | None = None
    ) -> NDArray[np.float64]:
        """Probability of default, 0 … 1, shape (n,), of applicants as a lender's file holds them.

        Cells are checked against the schema first; raises OperatorError with every finding.
        """
        table = check_frame(frame, self.schema, source=source, labelled=False).table
        return pd_of(self.logit(table, progress))

    def explain(self, table: Table) -> tuple[NDArray[np.float64], float]:
        """How far each column moved each row's logit, (n, F), and the logit it starts from.

        Their sum is the logit. Exact Shapley values for trees (`reasons.py`); a network's logit is
        explained by sampling (`sampled_reasons.py`). Raises OperatorError for another schema.
        """
        moved = np.zeros((table.rows, len(self.transform.columns)))
        base = 0.0
        for part, values in zip(self.parts, self._shapley, strict=True):
            if isinstance(part.module, BoostedTrees) and values is not None:
                codes = torch.from_numpy(self.transform.codes(table))
                part_moved, part_base = values.contributions(part.module, codes), values.base
            else:
                part_moved, part_base = sampled_contributions(part, self.transform, table)
            moved += part.weight * part_moved
            base += part.weight * part_base
        return moved, base

    @cached_property
    def _shapley(self) -> tuple[ShapleyTable | None, ...]:
        modules = (part.module for part in self.parts)
        return tuple(shapley_table(m) if isinstance(m, BoostedTrees) else None for m in modules)


def pd_of(logit: Logits) -> NDArray[np.float64]:
    """Probability of default of a logit, without overflow for large ones."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logit)))
