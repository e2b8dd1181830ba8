"""What hangs together."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from shared.rings.columns import Ints, dense


def components(subject: Ints, node: Ints, subjects: int, nodes: int) -> Ints:
    """Component of every subject, shape (subjects,); one without links is alone."""
    size = subjects + nodes
    ones = np.ones(len(subject), dtype=np.int8)
    graph = sparse.coo_matrix((ones, (subject, subjects + node)), shape=(size, size))
    labels = connected_components(graph.tocsr(), directed=False)[1]
    return dense(labels[:subjects])[0]
