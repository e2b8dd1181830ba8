"""A lender's rows after checking: typed and complete.

Invariants:
- Every feature of the schema has one array of `rows` values: float64 with NaN for missing, or
  int16 level codes with -1 for missing and len(levels) for a level the schema does not list.
- `bad` holds 0 and 1 only; rows with an indeterminate label are not in the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.schema.schema import Schema


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by feature name, each shape (rows,); `time` is a (decimal) year, NaN unknown."""

    schema: Schema
    values: dict[str, NDArray[Any]]
    bad: NDArray[np.int8] | None
    row_key: NDArray[Any]
    time: NDArray[np.float64] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.row_key)

    def take(self, index: NDArray[Any]) -> Table:
        """The rows of `index` (positions or a boolean mask of shape (rows,)), in that order."""
        return replace(
            self,
            values={name: column[index] for name, column in self.values.items()},
            bad=None if self.bad is None else self.bad[index],
            row_key=self.row_key[index],
            time=None if self.time is None else self.time[index],
        )
