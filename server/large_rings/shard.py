"""What a shard, which has all edges of its attributes, tells of them.

Invariants:
- It says what the whole graph would: beside its own edges it is given what ties people across
  attributes, see `common`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from server.large_rings.hanging_together import part_of
from server.large_rings.piece import Piece, together
from shared.rings.background import Classes, resting_on, tally
from shared.rings.columns import Floats, Ints, Mask, count, dense, distinct, distinct_count, least
from shared.rings.kinds import Kind, Terms
from shared.rings.links import links
from shared.rings.points import meeting_points

_PLACES = np.array([Kind.ADDR_BUILDING, Kind.EMPLOYER, Kind.WIFI])
"""Crowds at these pair nobody (`shared/rings/links.py`); nor do payees of a great many."""


@dataclass(frozen=True, eq=False)
class Met:
    """What a shard knows of its own attributes. A household is named by its smallest subject.

    `home`, `point`: rows at points of two households and more; `classes` of these points;
    `tied`, `tied_home`, `tied_at`: subjects with any tie, and the attribute it is at; `points`:
    tally of all points, `theirs`: of those that rest on one lender's word, by lender;
    `seen`, `seen_by`, `seen_in`: who was at its points, by whose word, in which weeks;
    `house`, `lender`, `shares`: who is in the edges by whose word, and whether at something shared.
    """

    home: Ints
    point: Ints
    classes: Classes
    tied: Ints
    tied_home: Ints
    tied_at: Ints
    points: Floats
    theirs: dict[int, Floats]
    seen: Ints
    seen_by: Ints
    seen_in: Ints
    house: Ints
    lender: Ints
    shares: Mask


def common(shard: Piece, terms: Terms) -> Piece:
    """What every shard needs of this one: units, which make households, and things of crowds, as
    people at two of them at once are tied by both.
    """
    edges = shard.edges
    group, first = dense(edges.attribute, edges.kind)
    kind = edges.kind[first].astype(np.int64)
    sharers = count(group[distinct(group, edges.subject)], len(first))
    crowd = (sharers > terms.most()[kind]) & ~np.isin(kind, _PLACES)
    crowd &= (kind != Kind.PAYEE) | (sharers <= terms.soft_payee)
    attributes = edges.attribute[first[crowd | (kind == Kind.ADDR_UNIT)]]
    return shard.take(np.isin(edges.attribute, attributes))


def points(shard: Piece, everywhere: Piece, terms: Terms, parts: int, at: int) -> Met:
    """The points of the shard's own attributes, as they are in the whole graph."""
    there = together([shard, everywhere])
    edges = there.edges
    own = part_of(edges.attribute, parts) == at
    rows, classes, home, _ = meeting_points(edges, terms)
    smallest = _smallest(home, edges.subject)
    tied = links(edges, terms).edge
    tied = tied[own[tied]]
    tied = tied[distinct(edges.subject[tied], edges.attribute[tied])]
    rows = rows.take(own[rows.edge])
    point, first = dense(rows.point)
    kept = rows.point[first]
    classes = Classes(*(getattr(classes, name)[kept] for name in Classes.__slots__))
    some = np.zeros(0, dtype=np.int64) if there.sources is None else there.sources[rows.edge]
    on_one = {} if there.sources is None else resting_on(point, rows.home, some, len(kept))
    each = distinct(rows.subject, some, rows.week) if len(some) else np.zeros(0, dtype=np.int64)
    return Met(
        smallest[rows.subject],
        point,
        classes,
        edges.subject[tied],
        smallest[edges.subject[tied]],
        edges.attribute[tied],
        tally(classes, np.ones(len(kept), dtype=bool)),
        {lender: tally(classes, which) for lender, which in on_one.items()},
        rows.subject[each],
        some[each],
        rows.week[each],
        *_houses(there, own, smallest),
    )


def _smallest(home: Ints, subject: Ints) -> Ints:
    """Of every subject index, the smallest of its household that is there."""
    there = np.unique(subject)
    first = least(home[there], there, int(home.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    return np.asarray(first[home])


def _houses(there: Piece, own: Mask, smallest: Ints) -> tuple[Ints, Ints, Mask]:
    """Households of own edges, the lender, and whether their attribute has two people."""
    edges = there.edges
    group, first = dense(edges.attribute)
    shared = (distinct_count(group, edges.subject, len(first)) >= 2)[group]
    lender = np.zeros(len(edges), dtype=np.int64) if there.sources is None else there.sources
    mine = np.flatnonzero(own)
    house = smallest[edges.subject[mine]]
    one = distinct(house, lender[mine], shared[mine])
    return house[one], lender[mine[one]], shared[mine[one]]
