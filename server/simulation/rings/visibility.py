"""What ties a ring's members, which rings a single lender could see, which meet the floor at all.

Invariants:
- Whatever the detector: a lender could see a ring when three of its members hang together in the
  lender's own rows, tied by things of which at least half of the users there are in the ring (a
  shop that everybody pays ties nobody). To see is not to be sure, so the true number of rings that
  nobody finds alone is larger.
- A ring meets the floor of DOMAIN §4 when two strong kinds tie it or it moves money in a pattern;
  the others are planted all the same, and whoever keeps to the floor must miss them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from server.simulation.rings.rings import TYPOLOGIES
from server.simulation.rings.truth import PlantedRing, Truth
from server.simulation.rings.world import Traffic
from shared.rings.kinds import Terms

Ints = NDArray[np.int64]
Tie = tuple[int, int, int]
PATTERNS = frozenset(
    ["guarantor_circle", *(name for name, one in TYPOLOGIES.items() if one.flow is not None)]
)
"""Typologies that are a pattern of flows or signatures by themselves."""
VISIBLE = 3
"""Members that hang together at one lender."""


def invisible(traffic: Traffic, truth: Truth) -> tuple[int, ...]:
    """Numbers of the rings that no lender could see alone."""
    own = [np.flatnonzero(traffic.lender == lender) for lender in range(len(truth.codes))]
    return tuple(
        ring.number
        for ring in truth.rings
        if all(_together(ties(traffic, ring, rows)) < VISIBLE for rows in own)
    )


def meeting_floor(traffic: Traffic, truth: Truth) -> tuple[int, ...]:
    """Numbers of the rings that a detector which keeps to the floor may report."""
    terms = Terms()
    strong = {int(kind) for kind, one in terms.kinds.items() if one.strong}

    def kinds(ring: PlantedRing) -> int:
        return len({kind for _, _, kind in ties(traffic, ring)} & strong)

    return tuple(
        ring.number
        for ring in truth.rings
        if ring.typology in PATTERNS or kinds(ring) >= terms.least_strong_kinds
    )


def ties(traffic: Traffic, ring: PlantedRing, rows: Ints | None = None) -> list[Tie]:
    """(member, attribute, kind) among `rows` (all), for attributes that tie two of the members."""
    own = np.arange(len(traffic.subject)) if rows is None else rows
    inside = np.isin(traffic.subject[own], ring.members)
    touched = np.unique(traffic.attribute[own][inside])
    near = own[np.isin(traffic.attribute[own], touched)]
    pairs = np.unique(np.stack([traffic.attribute[near], traffic.subject[near]]), axis=1)
    member = np.isin(pairs[1], ring.members)
    users = dict.fromkeys(touched.tolist(), 0)
    members = dict(users)
    for what, is_member in zip(pairs[0].tolist(), member.tolist(), strict=True):
        users[what] += 1
        members[what] += is_member
    tied = [what for what in users if members[what] >= 2 and 2 * members[what] >= users[what]]
    kept = own[inside]
    kept = kept[np.isin(traffic.attribute[kept], tied)]
    columns = (traffic.subject[kept], traffic.attribute[kept], traffic.kind[kept])
    return sorted(set(zip(*(column.tolist() for column in columns), strict=True)))


def _together(tied: list[Tie]) -> int:
    """Members in the largest group that hangs together."""
    groups: list[tuple[set[int], set[int]]] = []
    for who, what, _ in tied:
        mine = [group for group in groups if who in group[0] or what in group[1]]
        rest = [group for group in groups if group not in mine]
        people = {who}.union(*(group[0] for group in mine))
        groups = [*rest, (people, {what}.union(*(group[1] for group in mine)))]
    return max((len(people) for people, _ in groups), default=0)
