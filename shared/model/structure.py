"""Which questions the next trees ask: drawn from a public seed, steered by released sums.

Invariants:
- `draw` is a pure function of (seed, round, steering): coordinator and lenders draw the same
  trees, and the coordinator cannot simply choose trees that single out somebody's rows. (A false
  total would still steer them; it stays in the run's record for everybody to see.)
- Steering sees nothing but totals that were already released, so it costs no privacy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CODES = 256
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Structure:
    """B symmetric trees of D questions.

    feature int64 (B, D) column index; threshold uint8 (B, D): a code above it goes right;
    where uses_subset bool (B, D) holds, subset bool (B, D, 256) says which codes go right.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.uint8]
    uses_subset: NDArray[np.bool_]
    subset: NDArray[np.bool_]

    def digest(self) -> str:
        """SHA-256, hex: part of the run's digest, which coordinator and lender compare."""
        state = hashlib.sha256()
        for part in (self.feature, self.threshold, self.uses_subset, np.packbits(self.subset)):
            state.update(np.ascontiguousarray(part).tobytes())
        return state.hexdigest()


@dataclass(eq=False)
class Steering:
    """Decayed gain of past questions: per column (F,) and per column and code (F, 256)."""

    column: NDArray[np.float64]
    code: NDArray[np.float64]

    @classmethod
    def empty(cls, sizes: NDArray[np.int64]) -> Steering:
        """No gains yet: every column and every code of it equally likely."""
        code = np.where(np.arange(CODES)[None, :] < sizes[:, None], _TINY, 0.0)
        return cls(np.full(len(sizes), _TINY), code)

    def learn(self, structure: Structure, gain: NDArray[np.float64], decay: float) -> None:
        """Add the gains (B, D) of a round's questions, then fade everything by `decay`.

        A subset has no threshold to learn from: its gain counts for the column alone.
        """
        np.add.at(self.column, structure.feature, gain)
        cut = ~structure.uses_subset
        np.add.at(self.code, (structure.feature[cut], structure.threshold[cut]), gain[cut])
        self.column *= decay
        self.code *= decay


@dataclass(frozen=True)
class StructureSettings:
    """trees and depth of one draw; shares within 0 … 1."""

    trees: int
    depth: int
    steering: float
    subset_share: float


def draw(
    settings: StructureSettings,
    sizes: NDArray[np.int64],
    is_category: NDArray[np.bool_],
    steering: Steering | None,
    generator: np.random.Generator,
) -> Structure:
    """The next trees. `sizes` (F,) codes per column; steering None draws uniformly."""
    shape = (settings.trees, settings.depth)
    share = settings.steering if steering is not None else 0.0
    feature = _draw_features(shape, len(sizes), steering, share, generator)
    threshold = _draw_thresholds(feature, sizes, steering, share, generator)
    uses_subset = is_category[feature] & (generator.random(shape) < settings.subset_share)
    lean = generator.uniform(0.2, 0.8, shape)
    subset = np.zeros((*shape, CODES), dtype=bool)
    subset[uses_subset] = (
        generator.random((int(uses_subset.sum()), CODES)) < lean[uses_subset, None]
    )
    above = np.where(uses_subset, 0, threshold).astype(np.uint8)
    return Structure(feature, above, uses_subset, subset)


def _draw_features(
    shape: tuple[int, int],
    columns: int,
    steering: Steering | None,
    share: float,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    weight = np.full(columns, 1.0 / columns)
    if steering is not None:
        weight = share * steering.column / steering.column.sum() + (1 - share) * weight
    bound = np.cumsum(weight)
    place = np.searchsorted(bound, generator.random(shape) * bound[-1], side="right")
    return np.asarray(np.minimum(place, columns - 1), dtype=np.int64)


def _draw_thresholds(
    feature: NDArray[np.int64],
    sizes: NDArray[np.int64],
    steering: Steering | None,
    share: float,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    # The draws are made in every case, so that the stream of random numbers has one shape.
    flat, place, coin = (generator.random(feature.shape) for _ in range(3))
    uniform = (flat * sizes[feature]).astype(np.int64)
    if steering is None:
        return uniform
    bound = np.cumsum(steering.code, axis=1)[feature]
    steered = (bound <= (place * bound[..., -1])[..., None]).sum(axis=-1)
    return np.where(coin < share, np.minimum(steered, sizes[feature] - 1), uniform)
