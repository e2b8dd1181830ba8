"""Subjects that belong together: components of tying links, and Louvain inside large ones.

Louvain (Blondel et al. 2008) of scikit-network visits nodes in an order; here the order comes from
colours that a node's surroundings give it (Weisfeiler-Lehman), mixed with the seed, so neither the
numbering of subjects nor the order of edges matters, except among nodes that look the same from
everywhere. A component's communities do not depend on what else is in the graph: weights are whole
numbers, their total is padded to one fixed power of two by a node that nobody knows, and the
resolution is set by the weight of a typical ring and not by the graph's size. That also avoids
modularity's resolution limit (Fortunato and Barthélemy 2007), under which a large graph swallows
small rings.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sknetwork.clustering import Louvain

from shared.rings.columns import Floats, Hashes, Ints, count, dense, splitmix

_UNIT = 1 << 8
"""Weights as whole multiples of 1/256: sums stay exact in the library's 32-bit floats."""
_TOTAL = float(1 << 44)
_ROUNDS = 5


def components(subject: Ints, node: Ints, subjects: int, nodes: int) -> Ints:
    """Component of every subject, shape (subjects,); one without links is alone."""
    size = subjects + nodes
    ones = np.ones(len(subject), dtype=np.int8)
    graph = sparse.coo_matrix((ones, (subject, subjects + node)), shape=(size, size))
    labels = connected_components(graph.tocsr(), directed=False)[1]
    return dense(labels[:subjects])[0]


def communities(
    subject: Ints,
    node: Ints,
    weight: Floats,
    component: Ints,
    *,
    large: int,
    scale: float,
    seed: int,
) -> Ints:
    """Community of every subject: its component, or a part of it where that is over `large`.

    `scale` is the total weight at which two halves stop attracting each other.
    """
    big = count(component, len(component) + 1) > large
    rows = np.flatnonzero(big[component[subject]])
    if not len(rows):
        return component
    mine, first_subject = dense(subject[rows])
    theirs, first_node = dense(node[rows])
    labels = _louvain(mine, theirs, weight[rows], len(first_subject), len(first_node), scale, seed)
    result = component.copy()
    result[subject[rows[first_subject]]] = len(component) + labels[: len(first_subject)]
    return dense(result)[0]


def _louvain(
    subject: Ints, node: Ints, weight: Floats, subjects: int, nodes: int, scale: float, seed: int
) -> Ints:
    size = subjects + nodes
    whole = np.maximum(np.rint(weight * _UNIT), 1.0)
    rank = np.empty(size, dtype=np.int64)
    rank[np.argsort(_colours(subject, node, whole, subjects, nodes, seed), kind="stable")] = (
        np.arange(size)
    )
    u, v = rank[subject], rank[subjects + node]
    rows, columns = np.concatenate([u, v, [size]]), np.concatenate([v, u, [size]])
    data = np.concatenate([whole, whole, [_TOTAL - 2 * whole.sum()]])
    matrix = sparse.coo_matrix((data, (rows, columns)), shape=(size + 1, size + 1)).tocsr()
    smallest = 1e-3 / _TOTAL  # less than any move that means something
    found = Louvain(
        resolution=_TOTAL / (scale * _UNIT),
        modularity="newman",
        tol_optimization=smallest,
        tol_aggregation=smallest,
        sort_clusters=False,
        return_probs=False,
        return_aggregate=False,
        random_state=0,
    ).fit_predict(matrix)
    labels: Ints = np.asarray(found, dtype=np.int64)[rank]
    return labels


def _colours(
    subject: Ints, node: Ints, whole: Floats, subjects: int, nodes: int, seed: int
) -> Hashes:
    """64-bit colour of every node (subjects first) from its surroundings, five steps deep."""
    weight = splitmix(whole.astype(np.uint64))
    ends = np.concatenate([subject, subjects + node])
    others = np.concatenate([subjects + node, subject])
    weights = np.concatenate([weight, weight])
    order = np.argsort(ends, kind="stable")
    ends, others, weights = ends[order], others[order], weights[order]
    starts = np.flatnonzero(np.r_[True, ends[1:] != ends[:-1]])
    colour = np.full(subjects + nodes, seed, dtype=np.uint64)
    colour[subjects:] += np.uint64(1)
    for _ in range(_ROUNDS):
        heard = np.add.reduceat(splitmix(colour[others] ^ weights), starts)
        colour = splitmix(colour * np.uint64(3) + heard)
    return colour
