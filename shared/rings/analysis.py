"""From edges to rings: points, groups at several levels, evidence, the best of overlapping groups.

A component is what points of the lowest level and households hold together. Its result depends on
nothing outside it but the background, and on no week but its own: an analysis of some whole
components is exactly their part of an analysis of everything.
"""

from typing import Any

import numpy as np

from shared.rings.absorption import absorbed
from shared.rings.attachment import attached
from shared.rings.background import Background, Classes, resting_on
from shared.rings.candidates import Candidates, candidates
from shared.rings.columns import (
    Floats,
    Ints,
    count,
    dense,
    distinct,
    distinct_count,
    least,
    most,
)
from shared.rings.components import components
from shared.rings.crowd import Crowd
from shared.rings.edges import Edges
from shared.rings.evidence import Evidence, chosen, first_weeks, strengths
from shared.rings.kinds import Terms
from shared.rings.points import Rows, Ties, meeting_points
from shared.rings.provenance import alone, needed
from shared.rings.stacking import Stacking, tallied
from shared.rings.traced import Traced
from shared.rings.weighing import lenders_of, weighed
from shared.rings.without import Known, without_each


def analyse(
    edges: Edges,
    which: Ints,
    terms: Terms,
    background: Background | None,
    sources: Ints | None = None,
) -> tuple[Traced, Background]:
    """Rings among the subjects `which` (ascending indices), who must be whole components, and the
    background used: without one, that of these edges.

    `edges` are theirs and their neighbours', and all others of the attributes those have, with
    `sources` the lenders that contributed them; duplicates must be out.
    """
    everyone, classes, home, ties = meeting_points(edges, terms)
    lenders = lenders_of(everyone, sources, len(home), terms)
    if background is None:
        background = _background(edges, everyone, classes, home, sources)
        if sources is not None:
            people = tallied(everyone.subject, sources[everyone.edge], lenders)
            background = background.with_lenders(*people)
    surprise = background.surprise(classes)
    mine = np.zeros(len(home), dtype=bool)
    mine[which] = True
    rows = everyone.take(mine[everyone.subject])
    component = _components(rows, home, surprise, which, terms)
    came = first_weeks(rows.subject, rows.week, len(home))
    stacking = Stacking.of(lenders, background.several)

    several = sources if background.without else None
    crowd = Crowd.of(edges, everyone, several, classes.households, terms)
    groups = candidates(rows, surprise, crowd, terms)
    weigh = (rows, surprise, classes, crowd, came, stacking.above, terms)
    found, _ = weighed(edges, groups, *weigh)
    groups = absorbed(groups, found.odds, chosen(groups, found), rows, surprise, crowd, terms)
    found, (at, edge) = weighed(edges, groups, *weigh)
    place = rows.edge[edge]
    traced = _traced(groups, found, (at, place, rows.week[edge]), classes.kind, terms)
    known = rest = None
    if sources is not None:
        tied = at, place
        known = Known(edges, sources, everyone, background, terms)
        rest = without_each(groups, found.odds, tied, known)
    only = alone(rest, traced.member_ring, traced.member_subject)
    more: dict[str, Any] = {
        "subject": which,
        "component": component,
        "member_alone": only,
        **needed(rest),
        **attached(
            groups,
            (at, place, rows.week[edge]),
            rest,
            only,
            traced,
            rows,
            surprise,
            edges.kind,
            known,
            stacking,
            terms,
        ),
    }
    return _with(traced, ties, mine[ties.subject], more), background


def _background(
    edges: Edges, rows: Rows, classes: Classes, home: Ints, sources: Ints | None
) -> Background:
    """That of all these edges. Of several lenders, who shares nothing with anybody is not counted:
    it may be made up to fill a page.
    """
    if sources is None or len(np.unique(sources)) < 2:
        return Background.of(classes, len(np.unique(home[edges.subject])))
    attribute, first = dense(edges.attribute)
    shared = distinct_count(attribute, edges.subject, len(first)) >= 2
    people, lender = home[edges.subject], sources
    people, lender = people[shared[attribute]], lender[shared[attribute]]
    one = distinct(people, lender)
    house, houses = dense(people[one])
    single = one[count(house, len(houses))[house] == 1]
    theirs = resting_on(rows.point, rows.home, sources[rows.edge], len(classes.kind))
    said = {each: (mask, int((lender[single] == each).sum())) for each, mask in theirs.items()}
    return Background.of(classes, len(houses), said)


def _components(rows: Rows, home: Ints, surprise: Floats, which: Ints, terms: Terms) -> Ints:
    """Smallest subject of the component of each of `which`."""
    tie = surprise[rows.point] >= min(terms.levels)
    label = components(rows.home[tie], rows.point[tie], len(home), len(surprise))[home[which]]
    smallest = least(label, which, int(label.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    return np.asarray(smallest[label])


def _traced(
    groups: Candidates,
    found: Evidence,
    tied: tuple[Ints, Ints, Ints],
    kinds: Ints,
    terms: Terms,
) -> Traced:
    """Tables of the groups; those of `_with` are left empty. `tied`: rows of groups, and of each
    the edge there and its week.
    """
    at, edge, week = tied
    ring = groups.group[at]
    rings = len(found.odds)
    last = most(ring, week, rings, 0)
    decay = np.exp2(-(last[ring] - week) / terms.half_life_weeks)
    who, strength = strengths(groups.take(at), kinds[groups.point[at]], decay, terms)
    member = distinct(groups.group, groups.subject)
    no = np.zeros(0, dtype=np.int64)
    return Traced(
        subject=no,
        component=no,
        tie_subject=no,
        tie_node=no,
        tie_weight=np.zeros(0),
        ring_evidence=found.odds,
        ring_proved=found.proved,
        ring_size=count(groups.group[member], rings),
        ring_first=least(ring, week, rings, 1 << 20),
        ring_last=last,
        member_ring=groups.group[member],
        member_subject=groups.subject[member],
        member_strength=strength[np.searchsorted(who, groups.subject[member])],
        member_alone=no,
        reason_ring=found.reasons[0],
        reason_code=found.reasons[1],
        reason_members=found.reasons[2],
        reason_points=found.reasons[3],
        reason_weight=found.reasons[4],
        edge_ring=ring,
        edge_index=edge,
        attached_ring=no,
        attached_subject=no,
        attached_index=no,
        attached_sure=np.zeros(0, dtype=bool),
        needs_ring=no,
        needs_lender=no,
    )


def _with(
    traced: Traced, ties: Ties, mine: np.typing.NDArray[np.bool_], more: dict[str, Any]
) -> Traced:
    columns = {name: getattr(traced, name) for name in Traced.__slots__} | more
    columns |= {
        "tie_subject": ties.subject[mine],
        "tie_node": ties.name[mine],
        "tie_weight": ties.weight[mine],
    }
    return Traced(**columns)
