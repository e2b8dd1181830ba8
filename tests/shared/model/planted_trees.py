"""Trees with random questions and leaves, and the walk a child would do."""

import numpy as np
from numpy.typing import NDArray

from shared.model.structure import StructureSettings, draw
from shared.model.transform import CategoryBins, NumberBins, Transform
from shared.model.trees import BoostedTrees

TRANSFORM = Transform(
    (
        NumberBins("income", (1.0, 2.0, 3.0)),
        CategoryBins("region", ("a", "b", "c", "d"), (3, 0, 2)),
        NumberBins("age", (20.0, 30.0, 40.0, 50.0, 60.0)),
        CategoryBins("purpose", ("x", "y"), (1, 0)),
    )
)


def planted(
    trees: int = 6, depth: int = 3, seed: int = 0, *, room: int = 0, columns: int = 4
) -> BoostedTrees:
    """Filled trees about the first `columns` columns; `room` more are empty."""
    rng = np.random.default_rng(seed)
    module = BoostedTrees(trees + room, depth, -0.7)
    shape = StructureSettings(trees, depth, 0.0, 0.6)
    sizes, categories = TRANSFORM.sizes[:columns], TRANSFORM.is_category[:columns]
    module.plant(draw(shape, sizes, categories, None, rng))
    module.fill(rng.normal(size=(trees, 2**depth)), rng.gamma(1.0, 5.0, (trees, 2**depth)))
    return module


def some_codes(rows: int, seed: int = 0) -> NDArray[np.uint8]:
    """Random bin codes, (4, rows), every code of every column among them when rows suffice."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, rows) for size in TRANSFORM.sizes]).astype(np.uint8)


def naive_leaf(module: BoostedTrees, tree: int, row: NDArray[np.uint8]) -> int:
    """One row down one tree: each answer doubles the number and adds one for "right"."""
    leaf = 0
    for level in range(module.depth):
        code = int(row[int(module.feature[tree, level])])
        if bool(module.uses_subset[tree, level]):
            right = bool(module.subset[tree, level, code])
        else:
            right = code > int(module.threshold[tree, level])
        leaf = 2 * leaf + right
    return leaf


def naive_logit(module: BoostedTrees, row: NDArray[np.uint8]) -> float:
    """The base and one leaf per filled tree, added in order."""
    logit = float(module.base)
    for tree in range(module.filled):
        logit += float(module.leaf[tree, naive_leaf(module, tree, row)])
    return logit
