"""How many subjects an attribute has across the consortium, counted on names that say nothing.

Invariants:
- A pair counts once, whoever sent it and however often.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.cases.case_tokens import TOKEN_BYTES, Rows
from shared.cases.numbered import whole

LEAST = 2
"""Subjects from which an attribute's edges are asked for."""


def at_least(ids: Rows, pairs: Rows, least: int = LEAST) -> Rows:
    """(k, 32), ascending: the degree ids (n, 32) that have `least` different pair tags (n, 32)."""
    both = np.unique(whole(np.hstack([ids, pairs])))
    counted = both.view(np.uint8).reshape(-1, 2 * TOKEN_BYTES)[:, :TOKEN_BYTES]
    found, count = np.unique(whole(counted), return_counts=True)
    return _rows(found[count >= least])


def shared_by(told: Rows, ids: Rows) -> NDArray[np.bool_]:
    """(m,): which of one's own ids (m, 32) are among those told (k, 32)."""
    return np.isin(whole(ids), whole(told))


def _rows(values: NDArray[np.void]) -> Rows:
    return values.view(np.uint8).reshape(-1, TOKEN_BYTES)
