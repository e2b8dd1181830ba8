"""The head of the census: rows by role, and how large lenders are, to a factor of two.

Invariants:
- Every lender that answers is counted in exactly one size class, also one without rows.
- A total is taken only when so many lenders of such sizes can have so many rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import OperatorError, PeerError
from shared.secure_sum.fixed_point import MOST_LENDERS
from shared.training.roles import Roles

SIZE_CLASSES = 32
"""A lender of n rows of all roles is in class bit_length(n): class c holds 2**(c-1) … 2**c - 1."""

_ROLES = 5
CENSUS_LENGTH = _ROLES + SIZE_CLASSES


@dataclass(frozen=True)
class Census:
    """Numbers of rows over all lenders; `lenders` that were counted, also those without rows;
    `largest`: no lender has more rows, of all roles, than this (known to a factor of two).
    """

    rows: int
    bad: int
    validation: int
    test: int
    test_bad: int
    lenders: int
    largest: int

    @property
    def base(self) -> float:
        """Logit of the training rows' bad rate."""
        return float(np.log(self.bad / (self.rows - self.bad)))


def census_counts(bad: NDArray[np.int8], roles: Roles) -> NDArray[np.int64]:
    """One lender's rows by role, then itself in its size class, (37,); labels (n,) of all rows.

    OperatorError for a table that no class holds.
    """
    size = len(bad).bit_length()
    if size >= SIZE_CLASSES:
        raise OperatorError("the table has more rows than a 32-bit sum can carry")
    classes = np.zeros(SIZE_CLASSES, dtype=np.int64)
    classes[size] = 1
    return np.concatenate([_row_counts(bad, roles), classes])


def census_from(counts: NDArray[np.int64]) -> Census:
    """The census of a total (37,) of counts; PeerError when so many lenders of these sizes cannot
    have so many rows.
    """
    rows, bad, validation, test, test_bad, *classes = (int(count) for count in counts)
    lenders, everything = sum(classes), rows + validation + test
    if not 1 <= lenders <= MOST_LENDERS:
        raise PeerError(f"a census of {lenders} lenders, not of 1 to {MOST_LENDERS}")
    # Class c > 0 holds 2**(c-1) … 2**c - 1 rows a lender, class 0 none.
    most = sum(count * (2**c - 1) for c, count in enumerate(classes))
    least = sum(count * 2 ** (c - 1) for c, count in enumerate(classes) if c)
    if not least <= everything <= most:
        raise PeerError(f"a census of {everything} rows does not fit its lenders' size classes")
    largest = 2 ** max(c for c, count in enumerate(classes) if count) - 1
    return Census(rows, bad, validation, test, test_bad, lenders, largest)


def _row_counts(bad: NDArray[np.int8], roles: Roles) -> NDArray[np.int64]:
    return np.array(
        [
            len(roles.training),
            bad[roles.training].sum(),
            len(roles.validation),
            len(roles.test),
            bad[roles.test].sum(),
        ],
        dtype=np.int64,
    )
