"""Connected components of a graph whose edges no process holds all of.

Edges are pairs (u, v) of numbers, dealt by the hash of u. Two steps take turns until neither
changes an edge; every node then hangs on the smallest of its component, by one edge:

    large star   u's larger neighbours hang on the smallest of u and all its neighbours
    small star   u and its smaller neighbours hang on the smallest of these

Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii: Connected Components in MapReduce and Beyond,
SoCC 2014, algorithm 1 (alternating): rounds grow as the square of the logarithm of the nodes at
most, a few in practice. What a part can tell from its own edges it settles first, which leaves at
most one edge for each of its nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from server.large_rings.engine import Engine
from shared.rings.columns import Ints, least, splitmix

Pairs = tuple[Ints, Ints]


def hanging(engine: Engine, edges: Sequence[Any]) -> list[Any]:
    """References to pairs (node, smallest of its component), for all nodes that are not the
    smallest themselves, in as many parts as `edges` has: references to pairs, dealt in any way.
    """
    parts = len(edges)
    settled = [engine.done(within, one) for one in edges]
    moved = True
    while moved:
        moved = False
        for step in (large_star, small_star):
            pieces = [engine.dealt(by_node, parts, one, parts, step is large_star)
                      for one in settled]  # fmt: skip
            done = [
                engine.dealt(step, 2, *(piece[part] for piece in pieces)) for part in range(parts)
            ]
            settled = [pairs for pairs, _ in done]
            moved |= any(engine.fetched([changed for _, changed in done]))
    return settled


def part_of(nodes: Ints, parts: int) -> Ints:
    """Which part a node's edges go to."""
    return (splitmix(nodes.astype(np.uint64)) % np.uint64(parts)).astype(np.int64)


def within(pairs: Pairs) -> Pairs:
    """The same components by at most one edge for each node, to the smallest these edges show."""
    nodes, place = np.unique(np.concatenate(pairs), return_inverse=True)
    ends = place.reshape(2, -1)
    ones = np.ones(ends.shape[1], dtype=np.int8)
    links = sparse.coo_matrix((ones, tuple(ends)), shape=(len(nodes), len(nodes)))
    label = connected_components(links.tocsr(), directed=False)[1]
    smallest = least(label, nodes, int(label.max(initial=-1)) + 1, np.iinfo(np.int64).max)[label]
    kept = smallest < nodes
    return nodes[kept], smallest[kept]


def by_node(pairs: Pairs, parts: int, both: bool) -> list[Pairs]:
    """Edges by the part of the node they are looked at from: both ends, or the larger one."""
    one, two = pairs
    if both:
        one, two = np.concatenate([one, two]), np.concatenate([two, one])
    else:
        one, two = np.maximum(one, two), np.minimum(one, two)
    part = part_of(one, parts)
    return [(one[part == at], two[part == at]) for at in range(parts)]


def large_star(*given: Pairs) -> tuple[Pairs, bool]:
    """Edges to the larger neighbours moved to the smallest around, and whether any was not there
    before.
    """
    node, other = _together(given)
    smallest = _smallest(node, other)
    larger = other > node
    moved = bool((smallest[larger] < node[larger]).any())
    return _different(other[larger], smallest[larger]), moved


def small_star(*given: Pairs) -> tuple[Pairs, bool]:
    """Edges to the smaller neighbours moved to the smallest of them, and whether any is new."""
    node, other = _together(given)
    smallest = _smallest(node, other)
    moved = other != smallest
    ends = np.concatenate([node, other[moved]])
    return _different(ends, np.concatenate([smallest, smallest[moved]])), bool(moved.any())


def _together(given: Sequence[Pairs]) -> Pairs:
    one, two = (np.concatenate([pairs[at] for pairs in given]) for at in range(2))
    return _different(one, two)


def _different(one: Ints, two: Ints) -> Pairs:
    order = np.lexsort((two, one))
    one, two = one[order], two[order]
    fresh = np.ones(len(one), dtype=bool)
    fresh[1:] = (one[1:] != one[:-1]) | (two[1:] != two[:-1])
    return one[fresh], two[fresh]


def _smallest(node: Ints, other: Ints) -> Ints:
    """Of each row, the smallest of its node and all that node's neighbours; `node` ascending."""
    starts = np.flatnonzero(np.r_[True, node[1:] != node[:-1]][: len(node)])
    if not len(starts):
        return node
    sizes = np.diff(np.r_[starts, len(node)])
    return np.asarray(np.minimum(node, np.repeat(np.minimum.reduceat(other, starts), sizes)))
