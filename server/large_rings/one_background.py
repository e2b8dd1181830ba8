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
from shared.rings.kinds import Terms
from shared.rings.stacking import at_once, tallied


def one_background(engine: Engine, met: Sequence[Any], terms: Terms) -> Background:
    """Of references to what the shards tell."""
    several = len(set().union(*engine.fetched([engine.done(lenders, one) for one in met]))) > 1
    counted = engine.fetched(swapped(engine, by_house, met, houses, several))
    tallies = engine.fetched([engine.done(of_points, one) for one in met])
    all_points = sum(of_all for of_all, _ in tallies)
    alone = {}
    for lender in sorted(set().union(*(theirs for _, theirs in tallies))) if several else ():
        rests = sum(theirs[lender] for _, theirs in tallies if lender in theirs)
        alone[lender] = rests, sum(single.get(lender, 0) for _, single in counted)
    whole = Background.counted(all_points, sum(number for number, _ in counted), alone)
    if not several:
        return whole
    stacks = engine.fetched(swapped(engine, by_subject, met, stacking, terms.stacking_weeks))
    return whole.with_lenders(*_together(stacks))


def _together(stacks: Sequence[tuple[Ints, dict[int, Ints]]]) -> tuple[Ints, dict[int, Ints]]:
    theirs: dict[int, Ints] = {}
    for _, some in stacks:
        theirs |= {each: theirs.get(each, 0) + known for each, known in some.items()}
    return np.sum([people for people, _ in stacks], axis=0), theirs


def lenders(met: Met) -> set[int]:
    """Whose edges are in a shard."""
    return set(np.unique(met.lender).tolist())


def of_points(met: Met) -> tuple[Floats, dict[int, Floats]]:
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


def by_subject(met: Met, weeks: int, parts: int) -> list[tuple[Ints, Ints, Ints, int]]:
    """Who was seen, by whom and when, by the part of the subject; `weeks` as given."""
    part = part_of(met.seen, parts)
    rows = (met.seen, met.seen_by, met.seen_in)
    return [(*(column[part == at] for column in rows), weeks) for at in range(parts)]


def stacking(*given: tuple[Ints, Ints, Ints, int]) -> tuple[Ints, dict[int, Ints]]:
    """How many people are at how many lenders at once, and whom of them each lender knows."""
    who, by, when = (np.concatenate([rows[at] for rows in given]) for at in range(3))
    subject, first = dense(who)
    lenders = at_once(subject, by, when, len(first), given[0][3])
    return tallied(subject, by, lenders)
