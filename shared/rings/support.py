"""Which links lie on a short way round: the others are the chains that chance makes.

In a large population nearly everyone hangs together: a landlord, a shop, a second-hand phone. Such
ties are lone ones. Removing a link and asking whether its household is still within two steps of
another at the same point tells them from a ring's: either the two share a second point, or a third
household ties them. The number of such short cycles that chance makes does not grow with the
population (Bollobás 2001, §4.1), so rings stay apart however many people there are. It is the
triangle condition of a k-truss (Cohen 2008), for meeting points in place of edges.
"""

import numpy as np
from scipy import sparse

from shared.rings.columns import Floats, Ints, Mask, count, dense, join

_CHUNK = 50_000


def supported(household: Ints, node: Ints) -> Mask:
    """For each link (a household at a node) whether it is on a cycle of at most three households.

    Shape (n,); rows may repeat. A node must be of bounded size: pairs of its households are formed.
    """
    place, rows = dense(household, node)
    homes, first = dense(household[rows])
    points, first_point = dense(node[rows])
    one, two = join(points, points)
    apart = homes[one] != homes[two]
    one, two = one[apart], two[apart]
    kept = _closed(homes, points, one, two, len(first), len(first_point))
    good = np.zeros(len(rows), dtype=bool)
    good[one[kept]] = True
    return good[place]


def _closed(homes: Ints, points: Ints, one: Ints, two: Ints, households: int, nodes: int) -> Mask:
    """Pairs of rows at one node whose households also meet elsewhere, or through a third."""
    pair, first = dense(homes[one], homes[two])
    shared = count(pair, len(first)).astype(np.float64)
    shape = (households, households)
    meets = sparse.csr_matrix((shared, (homes[one][first], homes[two][first])), shape=shape)
    ways = _ways(meets, homes[one][first], homes[two][first])[pair]
    # Of these ways, those that use the node itself do not count.
    ones = np.ones(len(homes))
    at = sparse.csr_matrix((ones, (points, homes)), shape=(nodes, households))
    near = (at @ meets).tocsr()
    node = points[one]
    through = _values(near, node, homes[one]) + _values(near, node, homes[two])
    through -= 2 * shared[pair] + count(points, nodes)[node] - 2
    closed: Mask = (shared[pair] >= 2) | (ways - through > 0.5)
    return closed


def _ways(meets: sparse.csr_matrix, one: Ints, two: Ints) -> Floats:
    """Ways from one to two through a third household, shape (pairs,); pairs rise by `one`."""
    result = np.zeros(len(one))
    for low in range(0, meets.shape[0], _CHUNK):
        begin, end = np.searchsorted(one, [low, low + _CHUNK])
        square = (meets[low : low + _CHUNK] @ meets).tocsr()
        result[begin:end] = _values(square, one[begin:end] - low, two[begin:end])
    return result


def _values(matrix: sparse.csr_matrix, row: Ints, column: Ints) -> Floats:
    """Entries of a sparse matrix at these places."""
    if not len(row):
        return np.zeros(0)
    return np.asarray(matrix[row, column], dtype=np.float64).ravel()
