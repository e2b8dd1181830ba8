"""The background of a whole graph, of what its shards count: as in `shared/rings/analysis.py`.

Invariants:
- Whole numbers are added up, so it is the same however the edges lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from server.large_rings.engine import Engine, swapped
from server.large_rings.hanging_together import part_of
from server.large_rings.shard import Met
from shared.rings.background import Background
from shared.rings.columns import Floats, Ints, count, dense, distinct


def one_background(engine: Engine, met: Sequence[Any]) -> Background:
    """Of references to what the shards tell."""
    several = len(set().union(*engine.fetched([engine.done(lenders, one) for one in met]))) > 1
    counted = engine.fetched(swapped(engine, by_house, met, houses, several))
    tallies = engine.fetched([engine.done(tallied, one) for one in met])
    all_points = sum(of_all for of_all, _ in tallies)
    alone = []
    for lender in sorted(set().union(*(theirs for _, theirs in tallies))) if several else ():
        rests = sum(theirs[lender] for _, theirs in tallies if lender in theirs)
        alone.append((rests, sum(single.get(lender, 0) for _, single in counted)))
    return Background.counted(all_points, sum(number for number, _ in counted), alone)


def lenders(met: Met) -> set[int]:
    """Whose edges are in a shard."""
    return set(np.unique(met.lender).tolist())


def tallied(met: Met) -> tuple[Floats, dict[int, Floats]]:
    """Of its points."""
    return met.points, met.theirs


def by_house(met: Met, several: bool, parts: int) -> list[tuple[Ints, Ints]]:
    """Households that count: of several lenders, who shares something with somebody."""
    counts = met.shares | (not several)
    house, lender = met.house[counts], met.lender[counts]
    part = part_of(house, parts)
    return [(house[part == at], lender[part == at]) for at in range(parts)]


def houses(*given: tuple[Ints, Ints]) -> tuple[int, dict[int, int]]:
    """How many different ones, and how many of them each lender alone knows of."""
    house, lender = (np.concatenate([pairs[at] for pairs in given]) for at in range(2))
    one = distinct(house, lender)
    place, first = dense(house[one])
    single = one[count(place, len(first))[place] == 1]
    names, number = np.unique(lender[single], return_counts=True)
    return len(first), dict(zip(names.tolist(), number.tolist(), strict=True))
