"""One lender's rows during a run, as both families need them. Lives at the lender, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shared.errors import InternalError
from shared.schema import Table
from shared.training.boosting import BoostingRows
from shared.training.roles import Roles


@dataclass(eq=False)
class LenderRows:
    """A checked table with labels, its roles, and what the families keep about it.

    `secret` seeds the lender's own shuffling, dropout and rounding (network) and its personal
    layer. It never leaves: whoever knew it and the other numbers could guess rows and check the
    guess against an answer's last bits. So two consortia over the same rows, seed and terms have
    the same trees always, and the same network only where the secrets are the same.
    `boosting` and `features` (float32, training rows only) are filled by the families.
    """

    table: Table
    roles: Roles
    secret: int
    boosting: BoostingRows | None = None
    features: Tensor | None = None
    cache: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def bad(self) -> NDArray[np.int8]:
        """Labels, 1 bad, shape (n,)."""
        if self.table.bad is None:
            raise InternalError("training needs a table with labels")
        return self.table.bad
