"""Components found in parts are those of the whole graph."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from server.large_rings.engine import Here
from server.large_rings.hanging_together import Pairs, hanging


def _in_parts(one: np.ndarray, two: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Smallest of each node's component, as the parts tell it."""
    part = np.random.default_rng(seed).integers(parts, size=len(one))
    edges: list[Pairs] = [(one[part == at], two[part == at]) for at in range(parts)]
    found = np.arange(int(max(one.max(), two.max())) + 1)
    for node, root in hanging(Here(), edges):
        assert (root < node).all()
        found[node] = root
    return found


def _whole(one: np.ndarray, two: np.ndarray, nodes: int) -> np.ndarray:
    links = sparse.coo_matrix((np.ones(len(one)), (one, two)), shape=(nodes, nodes))
    label = connected_components(links, directed=False)[1]
    smallest = np.full(label.max() + 1, nodes)
    np.minimum.at(smallest, label, np.arange(nodes))
    return smallest[label]


@pytest.mark.parametrize("parts", [1, 2, 7])
@pytest.mark.parametrize("density", [0.3, 0.5, 0.7, 2.0])
def test_parts_find_the_components_of_the_whole(density: float, parts: int) -> None:
    """Below and above the point where most of a random graph hangs together."""
    rng = np.random.default_rng(parts)
    one, two = rng.integers(2000, size=(2, int(2000 * density)))
    found = _in_parts(one, two, parts, seed=3)
    assert (found == _whole(one, two, len(found))).all()


def test_a_long_chain_hangs_on_its_first() -> None:
    """The shape that takes most rounds: no part sees two neighbours of one node."""
    order = np.random.default_rng(1).permutation(3000)
    found = _in_parts(order[:-1], order[1:], 5, seed=2)
    assert (found == 0).all()


def test_nothing_hangs_together_without_edges() -> None:
    """Parts may be empty, all of them."""
    none = np.zeros(0, dtype=np.int64)
    assert [len(node) for node, _ in hanging(Here(), [(none, none)] * 3)] == [0, 0, 0]
