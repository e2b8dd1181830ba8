"""A named set of integer arrays as one flat vector and back.

Invariants:
- `unflatten(flatten(x))` is x, and `flatten(x) + flatten(y)` is `flatten` of the fieldwise sum:
  adding vectors is merging summaries.
- Fields lie in the vector in the order given, each in C order, without gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the fields of a summary, in order."""

    fields: tuple[tuple[str, tuple[int, ...]], ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.fields):
            raise InternalError("two fields of a layout share a name")
        if any(side < 0 for _, shape in self.fields for side in shape):
            raise InternalError("a layout's field has a negative side")

    @property
    def names(self) -> tuple[str, ...]:
        """Field names, in order."""
        return tuple(name for name, _ in self.fields)

    @property
    def length(self) -> int:
        """Number of integers in the flat vector."""
        return sum(prod(shape) for _, shape in self.fields)

    def flatten(self, values: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
        """The fields' integers as one int64 vector, shape (length,).

        Raises InternalError when names, shapes or dtypes are not the layout's: floats are refused
        rather than rounded, since rounding is a choice that belongs to whoever made the number.
        """
        if set(values) != set(self.names):
            raise InternalError(f"expected fields {list(self.names)}, got {sorted(values)}")
        parts = [_integers(name, values[name], shape) for name, shape in self.fields]
        return np.concatenate([np.empty(0, dtype=np.int64), *parts])

    def unflatten(self, vector: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """The fields of a flat int64 vector, as copies; the inverse of `flatten`.

        Raises PeerError when the vector is not integers of the layout's length.
        """
        if vector.shape != (self.length,):
            raise PeerError(f"expected a vector of {self.length} integers, got {vector.shape}")
        if not np.can_cast(vector.dtype, np.int64, "safe"):
            raise PeerError(f"expected int64 values, got {vector.dtype}")
        ends = np.cumsum([prod(shape) for _, shape in self.fields], dtype=np.int64)
        parts = np.split(vector.astype(np.int64), ends[:-1])
        return {
            name: part.reshape(shape).copy()
            for (name, shape), part in zip(self.fields, parts, strict=False)
        }


def _integers(name: str, value: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    if value.shape != shape:
        raise InternalError(f"field {name}: expected shape {shape}, got {value.shape}")
    if not np.can_cast(value.dtype, np.int64, "safe"):
        raise InternalError(f"field {name}: expected integers, got {value.dtype}")
    return value.astype(np.int64).ravel()
