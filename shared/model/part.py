"""One module of the shared model, with its weight in the shared logit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shared.model.features import PiecewiseLinear
from shared.model.network import Network
from shared.model.transform import Transform
from shared.model.trees import BoostedTrees
from shared.schema import Table

Logits = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Part:
    """One module and its weight in the shared logit; `pieces` is the network's encoding."""

    module: BoostedTrees | Network
    weight: float = 1.0
    pieces: int = 16

    @property
    def kind(self) -> str:
        """What a saved model calls it."""
        return "boosted" if isinstance(self.module, BoostedTrees) else "network"

    def logit(self, transform: Transform, table: Table) -> Logits:
        """Unweighted logit of PD of a block of rows, float64 (n,)."""
        if isinstance(self.module, BoostedTrees):
            out = self.module(torch.from_numpy(transform.codes(table)))
        else:
            matrix = PiecewiseLinear(transform, self.pieces).matrix(table)
            out = self.module.logit(torch.from_numpy(matrix))
        return np.asarray(out.numpy(), dtype=np.float64)
