"""How near subjects are to listed ones: personalised PageRank with restart (Page et al. 1999).

Every listed subject sends out one unit, whatever the number listed, and nothing crosses between
components: what one listing adds to a ring depends neither on other listings nor on the graph.
"""

import numpy as np
from scipy import sparse

from shared.rings.columns import Floats, Ints, Mask, dense

_STEPS = 30


def proximity(
    subject: Ints, node: Ints, weight: Floats, listed: Mask, restart: float
) -> tuple[Ints, Floats]:
    """Subjects reached and how much of the listed ones' units stays with each, 0 up.

    `subject`, `node`, `weight`: the ties to walk on (whole components); `listed` is a mask over
    subject indices. At each step `restart` of what moves stays where it is.
    """
    people, first = dense(subject)
    names, places = np.unique(node, return_inverse=True)
    shape = (len(first), len(names))
    ties = sparse.csr_matrix((weight, (people, places)), shape=shape)
    there = _shares(ties)
    back = _shares(ties.T.tocsr())
    moving = listed[subject[first]].astype(np.float64)
    stays = np.zeros(len(first))
    for _ in range(_STEPS):
        stays += restart * moving
        moving = (1 - restart) * (back.T @ (there.T @ moving))
    return subject[first], stays


def _shares(ties: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each row scaled to sum to one."""
    return sparse.diags(1 / np.asarray(ties.sum(axis=1)).ravel()) @ ties
