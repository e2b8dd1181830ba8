"""A detector as plain as can be, so that views and measures are tested without the project's own.

People hang together who share something that few have; three who share two kinds are a ring.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from server.simulation.rings.evaluation import Findings
from server.simulation.rings.lenders import View
from shared.rings.kinds import Kind

FEW = {Kind.DEVICE: 6, Kind.BANK_CARD: 3, Kind.PHONE: 4, Kind.EMERGENCY_CONTACT: 6, Kind.PAYEE: 3}


def plain_components(view: View, week: int, listed: Sequence[int]) -> Findings:
    """Components of people tied by what few have, with three people and two kinds at least."""
    edges = view.edges
    users: dict[tuple[int, int], set[int]] = defaultdict(set)
    for who, what, kind in zip(
        edges.subject.tolist(), edges.attribute.tolist(), edges.kind.tolist(), strict=True
    ):
        if kind in FEW:
            users[what, kind].add(who)
    tied = {key: people for key, people in users.items() if 2 <= len(people) <= FEW[Kind(key[1])]}
    top = np.arange(int(edges.subject.max(initial=0)) + 1)

    def root(one: int) -> int:
        while top[one] != one:
            top[one] = one = top[top[one]]
        return one

    for people in tied.values():
        first, *others = people
        for other in others:
            top[root(other)] = root(first)
    groups: dict[int, set[int]] = defaultdict(set)
    kinds: dict[int, set[int]] = defaultdict(set)
    for (_, kind), people in tied.items():
        home = root(next(iter(people)))
        groups[home] |= people
        kinds[home].add(kind)
    rings = [frozenset(groups[at]) for at in groups if len(groups[at]) > 2 and len(kinds[at]) > 1]
    rings.sort(key=lambda people: (-len(people), sorted(people)))
    return Findings(tuple(rings), frozenset().union(*rings))
