"""Which rows train, which weigh the personal layer, which only test.

Invariants:
- A row's role is a function of its row key, the seed and the shares alone: it does not depend on
  the lender that holds the row, on other rows or on their order. So the same data spread over
  other lenders trains the same model.
- The key is hashed at the lender; neither key nor hash ever leaves.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pandas.util import hash_array

from shared.errors import InternalError
from shared.schema import Table
from shared.training.agreement import Agreement


@dataclass(frozen=True, eq=False)
class Roles:
    """Row positions, ascending, by role; together every row exactly once."""

    training: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]


def roles_of(table: Table, agreement: Agreement) -> Roles:
    """Split a table's rows as the agreement says."""
    test = _place(table, agreement, "test") < agreement.test_share
    if agreement.time_cutoff is not None:
        if table.time is None:
            raise InternalError("an out-of-time run on a table without time")
        test = table.time > agreement.time_cutoff
    validation = ~test & (_place(table, agreement, "validation") < agreement.validation_share)
    training = ~test & ~validation
    return Roles(*(np.flatnonzero(mask) for mask in (training, validation, test)))


def _place(table: Table, agreement: Agreement, purpose: str) -> NDArray[np.float64]:
    """A number in 0 … 1 for every row, uniform and keyed (SipHash-2-4 through pandas)."""
    text = f"lianfang|roles|{purpose}|{agreement.seed}".encode()
    key = hashlib.sha256(text).hexdigest()[:16]
    keys = np.asarray(table.row_key).astype(str).astype(object)
    hashed = hash_array(keys, hash_key=key, categorize=False)
    return np.asarray(hashed, dtype=np.uint64) / np.float64(2**64)
