"""From edges to rings: points, groups at several levels, evidence, the best of overlapping groups.

A component is what points of the lowest level and households hold together. Its result depends on
nothing outside it but the background, and on no week but its own: an analysis of some whole
components is exactly their part of an analysis of everything.
"""

import numpy as np

from shared.rings.background import Background
from shared.rings.candidates import Candidates, candidates
from shared.rings.columns import Floats, Ints, count, dense, distinct, join, least, most
from shared.rings.components import components
from shared.rings.edges import Edges
from shared.rings.evidence import Evidence, chosen, evidence, first_weeks, strengths
from shared.rings.kinds import Kind, Terms
from shared.rings.motifs import Money, motifs
from shared.rings.points import Rows, Ties, meeting_points
from shared.rings.traced import Traced


def analyse(
    edges: Edges, which: Ints, terms: Terms, background: Background | None
) -> tuple[Traced, Background]:
    """Rings among the subjects `which` (ascending indices), who must be whole components, and the
    background used: without one, that of these edges.

    `edges` are theirs and their neighbours', and all others of the attributes those have;
    duplicates must be out.
    """
    rows, classes, home, ties = meeting_points(edges, terms)
    if background is None:
        people = np.unique(home[np.unique(edges.subject)])
        background = Background.of(classes, len(people))
    surprise = background.surprise(classes)
    mine = np.zeros(len(home), dtype=bool)
    mine[which] = True
    rows = rows.take(mine[rows.subject])
    component = _components(rows, home, surprise, which, terms)
    groups = candidates(rows, surprise, classes.households, terms)
    at, edge = _edges_of(groups, rows)
    taking = motifs(_money(edges, groups, rows, at, edge), terms)
    came = first_weeks(rows.subject, rows.week, len(home))
    found = evidence(groups, surprise, classes, came, taking, terms)
    kept = chosen(groups, found)
    traced = _traced(
        groups, found, kept, (at, rows.edge[edge], rows.week[edge]), classes.kind, terms
    )
    mine_ties = mine[ties.subject]
    return _with(traced, which, component, ties, mine_ties), background


def _components(rows: Rows, home: Ints, surprise: Floats, which: Ints, terms: Terms) -> Ints:
    """Smallest subject of the component of each of `which`."""
    tie = surprise[rows.point] >= min(terms.levels)
    label = components(rows.home[tie], rows.point[tie], len(home), len(surprise))[home[which]]
    smallest = least(label, which, int(label.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    return np.asarray(smallest[label])


def _edges_of(groups: Candidates, rows: Rows) -> tuple[Ints, Ints]:
    """Pairs (row of groups, row of rows) of the same subject at the same point."""
    key = dense(
        np.concatenate([groups.subject, rows.subject]), np.concatenate([groups.point, rows.point])
    )[0]
    return join(key[: len(groups.subject)], key[len(groups.subject) :])


def _money(edges: Edges, groups: Candidates, rows: Rows, at: Ints, edge: Ints) -> Money:
    """Payments and accounts inside groups; subjects and accounts are numbered by group."""
    flow = rows.sense[edge] == Kind.PAYEE
    at, edge = at[flow], edge[flow]
    group = groups.group[at]
    who, account = dense(group, groups.subject[at])[0], dense(group, groups.point[at])[0]
    kind, band = edges.kind[rows.edge[edge]], edges.band[rows.edge[edge]].astype(np.int64)
    paid, owned = kind == Kind.PAYEE, kind == Kind.BANK_CARD
    return Money(
        group[paid],
        who[paid],
        account[paid],
        rows.week[edge][paid],
        band[paid],
        group[owned],
        who[owned],
        account[owned],
    )


def _traced(
    groups: Candidates,
    found: Evidence,
    kept: np.typing.NDArray[np.bool_],
    tied: tuple[Ints, Ints, Ints],
    kinds: Ints,
    terms: Terms,
) -> Traced:
    """Tables of the groups that stay; subjects, components and ties are left empty."""
    ring = np.cumsum(kept) - 1
    rings = int(kept.sum())
    at, edge, week = tied
    inside = kept[groups.group[at]]
    at, edge, week = at[inside], edge[inside], week[inside]
    edge_ring = ring[groups.group[at]]
    last = most(edge_ring, week, rings, 0)
    decay = np.exp2(-(last[edge_ring] - week) / terms.half_life_weeks)
    who, strength = strengths(groups.take(at), kinds[groups.point[at]], decay, terms)
    member = distinct(np.where(kept[groups.group], groups.subject, -1))
    member = member[kept[groups.group[member]]]
    reasons = kept[found.reasons[0]]
    no = np.zeros(0, dtype=np.int64)
    return Traced(
        subject=no,
        component=no,
        tie_subject=no,
        tie_node=no,
        tie_weight=np.zeros(0),
        ring_evidence=found.odds[kept],
        ring_proved=found.proved[kept],
        ring_size=count(ring[groups.group[member]], rings),
        ring_first=least(edge_ring, week, rings, 1 << 20),
        ring_last=last,
        member_ring=ring[groups.group[member]],
        member_subject=groups.subject[member],
        member_strength=strength[np.searchsorted(who, groups.subject[member])],
        reason_ring=ring[found.reasons[0][reasons]],
        reason_code=found.reasons[1][reasons],
        reason_members=found.reasons[2][reasons],
        reason_points=found.reasons[3][reasons],
        reason_weight=found.reasons[4][reasons],
        edge_ring=edge_ring,
        edge_index=edge,
    )


def _with(
    traced: Traced, which: Ints, component: Ints, ties: Ties, mine: np.typing.NDArray[np.bool_]
) -> Traced:
    columns = {name: getattr(traced, name) for name in Traced.__slots__}
    columns |= {"subject": which, "component": component}
    columns |= {
        "tie_subject": ties.subject[mine],
        "tie_node": ties.name[mine],
        "tie_weight": ties.weight[mine],
    }
    return Traced(**columns)
