"""Which edges may tie subjects together, once hubs are out.

An attribute is a hub of a kind when more subjects than the kind's cap have it in any 90 days; it
then ties nobody by itself. What survives: a burst of one week at an employer; subjects who share
two strong hubs at once (so that nobody hides a ring by making its attributes popular); and payers
of one week to an account that a subject owns. Whether an edge ties depends only on the edges of
its own attributes: that is what makes a detection incremental.
"""

from dataclasses import dataclass

import numpy as np

from shared.rings.columns import (
    Ints,
    Mask,
    count,
    dense,
    distinct,
    distinct_count,
    join,
    peak,
    splitmix,
)
from shared.rings.edges import Edges
from shared.rings.kinds import Kind, Terms

_PAIRS_OF = (Kind.DEVICE, Kind.BANK_CARD, Kind.PHONE, Kind.GUARANTOR, Kind.PAYEE)


@dataclass(frozen=True, slots=True)
class Links:
    """Rows (edge, node): an edge and the point it meets others at.

    `node` is dense; a node has at least two subjects. One edge can be at several nodes.
    """

    edge: Ints
    node: Ints
    name: Ints
    """Of each node, shape (nodes,): the attribute, or a negative number for other points. A point
    has the same name in every graph of the case."""


def links(edges: Edges, terms: Terms) -> Links:
    """Every place where an edge meets others, shape (n,) columns; order carries no meaning."""
    group, first = dense(edges.attribute, edges.kind)
    kind = edges.kind[first].astype(np.int64)
    hub = _hubs(edges, group, terms.most()[kind], terms)
    plain = _plain(edges, group, hub)
    parts = [plain, *_through_hubs(edges, group, hub, kind, terms)]
    edge, node = (np.concatenate([part[at] for part in parts]) for at in range(2))
    return _met(edges, edge, node)


def _named(tag: int, one: Ints, two: Ints) -> Ints:
    """Names of points that are no attribute: 63 bits of a hash of what they are, negative."""
    mixed = splitmix(splitmix(one.astype(np.uint64) + np.uint64(tag << 50)) + two.astype(np.uint64))
    return -1 - (mixed >> np.uint64(1)).astype(np.int64)


def _hubs(edges: Edges, group: Ints, cap: Ints, terms: Terms) -> Mask:
    """Per group: more subjects than its cap in some window. Only the large ones are swept."""
    size = len(cap)
    many = distinct_count(group, edges.subject, size) > cap
    rows = np.flatnonzero(many[group])
    swept = peak(group[rows], edges.subject[rows], edges.week[rows], size, terms.window_weeks)
    return swept > cap


def _plain(edges: Edges, group: Ints, hub: Mask) -> tuple[Ints, Ints]:
    """Edges of attributes that are no hubs meet at the attribute itself, whatever their kinds."""
    edge = np.flatnonzero(~hub[group])
    return edge, edges.attribute[edge]


def _through_hubs(
    edges: Edges, group: Ints, hub: Mask, kind: Ints, terms: Terms
) -> list[tuple[Ints, Ints]]:
    return [
        _employer_bursts(edges, group, terms),
        *_shared_pairs(edges, group, hub, kind, terms),
        _payments_to_owners(edges, group, hub, terms),
    ]


def _employer_bursts(edges: Edges, group: Ints, terms: Terms) -> tuple[Ints, Ints]:
    """Those of one employer and one week, when they are at least half of its 90 days."""
    rows = np.flatnonzero(edges.kind == Kind.EMPLOYER)
    employer, _ = dense(group[rows])
    size = int(employer.max()) + 1 if len(rows) else 0
    busiest = peak(employer, edges.subject[rows], edges.week[rows], size, terms.window_weeks)
    burst, first = dense(employer, edges.week[rows])
    together = distinct_count(burst, edges.subject[rows], len(first))
    counts = (together >= terms.least_burst) & (together <= terms.cap(Kind.EMPLOYER))
    counts &= 2 * together >= busiest[employer[first]]
    kept = counts[burst]
    rows = rows[kept]
    node = _named(1, edges.attribute[rows], edges.week[rows].astype(np.int64))
    return rows, node


def _shared_pairs(
    edges: Edges, group: Ints, hub: Mask, kind: Ints, terms: Terms
) -> list[tuple[Ints, Ints]]:
    """Subjects at two strong hubs together: each pair of hubs is a meeting point of its own."""
    wanted = hub & np.isin(kind, np.array(_PAIRS_OF))
    popular = distinct_count(group, edges.subject, len(hub)) > terms.soft_payee
    wanted &= ~((kind == Kind.PAYEE) & popular)
    rows = np.flatnonzero(wanted[group])
    rows = rows[distinct(edges.subject[rows], group[rows])]
    subject, _ = dense(edges.subject[rows])
    rows = rows[(count(subject, len(rows) + 1) <= terms.most_hubs)[subject]]
    one, two = join(edges.subject[rows], edges.subject[rows])
    differ = group[rows[one]] < group[rows[two]]
    one, two = rows[one[differ]], rows[two[differ]]
    pair, first = dense(group[one], group[two])
    shared = count(pair, len(first))
    kept = ((shared >= 2) & (shared <= terms.most_at_pair))[pair]
    one, two = one[kept], two[kept]
    here, there = (edges.attribute[each] * len(Kind) + edges.kind[each] for each in (one, two))
    return [(one, _named(2, here, there)), (two, _named(3, here, there))]


def _payments_to_owners(edges: Edges, group: Ints, hub: Mask, terms: Terms) -> tuple[Ints, Ints]:
    """Payers of one week meet at a popular account that a subject owns, together with its owner."""
    few = distinct_count(group, edges.subject, len(hub)) <= terms.soft_payee
    paid = np.flatnonzero((edges.kind == Kind.PAYEE) & (hub & few)[group])
    cards = np.flatnonzero((edges.kind == Kind.BANK_CARD) & ~hub[group])
    paid = paid[np.isin(edges.attribute[paid], edges.attribute[cards])]
    week, first = dense(edges.attribute[paid], edges.week[paid])
    together = distinct_count(week, edges.subject[paid], len(first))
    fine = (together <= terms.cap(Kind.PAYEE))[week]
    paid, week = paid[fine], week[fine]
    weeks = distinct(week)
    card, at = join(edges.attribute[cards], edges.attribute[paid[weeks]])
    edge = np.concatenate([paid, cards[card]])
    name = _named(4, edges.attribute[paid], edges.week[paid].astype(np.int64))
    node = np.concatenate([name, name[weeks[at]]])
    return edge, node


def _met(edges: Edges, edge: Ints, node: Ints) -> Links:
    """Nodes of two subjects and more."""
    _, first, place = np.unique(node, return_index=True, return_inverse=True)
    kept = (distinct_count(place, edges.subject[edge], len(first)) >= 2)[place]
    dense_place, left = dense(place[kept])
    return Links(edge[kept], dense_place, node[first][place[kept][left]])
