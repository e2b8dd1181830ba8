"""The dense core of every group at once: FRAUDAR's peeling, then everyone firmly tied to it.

Peeling (Hooi et al. 2016, §4) takes away the least tied subject or meeting point until nothing is
left; g is the best total weight per point on the way, and each point of that best core is tied with
at least g. FRAUDAR stops there; a ring's newer members hang on it with less, so the core kept is
the largest set in which everyone is tied with at least a share of g, every meeting point has two
households, and every subject two meeting points: one edge, which anybody could plant, makes nobody
a member. That set is unique, and points of equal weight are peeled together, so the result does
not depend on any order.
"""

import numpy as np

from shared.rings.columns import Floats, Ints, Mask, count, dense, distinct_count, least, total


def core(
    group: Ints, subject: Ints, household: Ints, node: Ints, weight: Floats, share: float, ties: int
) -> Mask:
    """Which rows (a subject at a node, whole weights) are in their group's core, shape (n,).

    A subject and its household belong to one group; a node is taken apart by group.
    """
    u, first_u = dense(subject)
    v, first_v = dense(node, group)
    groups = int(group.max()) + 1 if len(group) else 0
    kept = _met(u, v, household, ties, np.ones(len(u), dtype=bool))
    rows = np.flatnonzero(kept)
    points = np.concatenate([group[first_u], group[first_v]])
    v_point = v + len(first_u)
    best = _densest(u[rows], v_point[rows], weight[rows], group[rows], groups)
    while True:
        size = int(kept.sum())
        kept = _firm(u, v_point, weight, share * best[points], kept)
        kept = _met(u, v, household, ties, kept)
        if int(kept.sum()) == size:
            return kept


def _met(u: Ints, v: Ints, household: Ints, ties: int, kept: Mask) -> Mask:
    """The largest set in which each node has two households and each subject `ties` nodes."""
    kept = kept.copy()
    while True:
        rows = np.flatnonzero(kept)
        nodes = int(v.max()) + 1 if len(v) else 0
        alone = distinct_count(v[rows], household[rows], nodes) < 2
        few = count(u[rows], int(u.max()) + 1 if len(u) else 0) < ties
        out = rows[alone[v[rows]] | few[u[rows]]]
        if not len(out):
            return kept
        kept[out] = False


def _densest(u: Ints, v: Ints, weight: Floats, group: Ints, groups: int) -> Floats:
    """Best weight per point in each group over the peeling, shape (groups,)."""
    best = np.zeros(groups)
    while len(u):
        # Numbers are made dense again as the graph shrinks: a round costs what is left of it.
        u, v = dense(u)[0], dense(v)[0]
        u, v, weight, group, best = _peeled(u, v, weight, group, best)
    return best


def _peeled(
    u: Ints, v: Ints, weight: Floats, group: Ints, best: Floats
) -> tuple[Ints, Ints, Floats, Ints, Floats]:
    """Rounds of peeling until less than half of the rows are left."""
    subjects, nodes, start = int(u.max()) + 1, int(v.max()) + 1, len(u)
    owner = np.zeros(subjects + nodes, dtype=np.int64)
    owner[u], owner[subjects + v] = group, group
    while 2 * len(u) > start:
        tied = np.concatenate([total(u, weight, subjects), total(v, weight, nodes)])
        points = np.flatnonzero(tied > 0)
        mine = owner[points]
        held = total(mine, tied[points], len(best)) / 2
        best = np.maximum(best, held / np.maximum(count(mine, len(best)), 1))
        lowest = least(mine, tied[points], len(best), np.inf)
        gone = tied <= lowest[owner]
        left = ~(gone[u] | gone[subjects + v])
        u, v, weight, group = u[left], v[left], weight[left], group[left]
    return u, v, weight, group, best


def _firm(u: Ints, v: Ints, weight: Floats, floor: Floats, kept: Mask) -> Mask:
    """The largest part of `kept` whose points all keep at least their floor."""
    kept = kept.copy()
    while True:
        rows = np.flatnonzero(kept)
        size = len(floor)
        tied = total(u[rows], weight[rows], size) + total(v[rows], weight[rows], size)
        loose = tied < floor
        out = rows[loose[u[rows]] | loose[v[rows]]]
        if not len(out):
            return kept
        kept[out] = False
