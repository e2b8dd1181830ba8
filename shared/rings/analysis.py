"""From edges to rings: links, components, communities, households, cores, motifs, evidence.

A component's result depends on nothing outside it, and on no week but its own: weights decay from
the component's latest week. So an analysis of some whole components is exactly their part of an
analysis of everything.
"""

from dataclasses import dataclass, replace

import numpy as np

from shared.rings.columns import Floats, Ints, Mask, dense, distinct, distinct_count, least, most
from shared.rings.communities import communities, components
from shared.rings.cores import core
from shared.rings.edges import Edges
from shared.rings.evidence import Meetings, evidence
from shared.rings.kinds import Kind, Terms
from shared.rings.links import Links, links
from shared.rings.motifs import Money, Taking, motifs, round_trips
from shared.rings.support import supported
from shared.rings.traced import Traced

_FINE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Rows:
    """Links of subjects in components, as columns; `subject` is dense."""

    edge: Ints
    subject: Ints
    node: Ints
    kind: Ints
    week: Ints
    ties: Mask
    supported: Mask
    sharers: Ints
    decay: Floats
    weight: Floats

    def take(self, which: Ints | Mask) -> "_Rows":
        return _Rows(*(getattr(self, name)[which] for name in self.__slots__))


def analyse(edges: Edges, which: Ints, terms: Terms, seed: int) -> Traced:
    """Rings among the subjects `which` (ascending indices), who must be whole components.

    `edges` are theirs and their neighbours', and all others of the attributes those have;
    duplicates must be out.
    """
    met = links(edges, terms)
    rows = _rows(edges, met, terms)
    home = _households(rows, _size(edges.subject), terms)
    rows = replace(rows, supported=_supported(rows, home, terms) | _circling(edges, rows, terms))
    mine = np.isin(rows.subject, which)
    rows = rows.take(mine)
    rows = replace(rows, subject=np.searchsorted(which, rows.subject))
    home = home[which]
    near = _collapsed(rows)
    component = _components(rows, home, len(which))
    rows = _faded(rows, component, terms)
    tie = _collapsed(rows.take(rows.supported))
    group = communities(
        tie.subject,
        tie.node,
        tie.weight,
        component,
        large=terms.large,
        scale=terms.scale,
        seed=seed,
    )
    return _traced(edges, which, rows, (near, met.name), component, group, dense(home)[0], terms)


def _size(numbers: Ints) -> int:
    return int(numbers.max()) + 1 if len(numbers) else 0


def _rows(edges: Edges, met: Links, terms: Terms) -> _Rows:
    """Weights: kind / ln(e + sharers), less where a point is crowded."""
    kind = edges.kind[met.edge].astype(np.int64)
    subject = edges.subject[met.edge]
    sharers = distinct_count(met.node, subject, _size(met.node))[met.node]
    room = np.minimum(1.0, terms.caps()[kind] / np.maximum(sharers, 1)) ** 2
    weight = terms.weights()[kind] * room / np.log(np.e + sharers)
    week = edges.week[met.edge].astype(np.int64)
    no = np.zeros(len(kind), dtype=bool)
    return _Rows(
        met.edge, subject, met.node, kind, week, met.ties, no, sharers, np.ones(len(kind)), weight
    )


def _supported(rows: _Rows, home: Ints, terms: Terms) -> Mask:
    """Links that may tie and lie on a short way round."""
    able = np.flatnonzero(rows.ties | (terms.weights()[rows.kind] >= terms.least_tie_weight))
    result = np.zeros(len(rows.edge), dtype=bool)
    result[able] = supported(home[rows.subject[able]], rows.node[able])
    return result


def _circling(edges: Edges, rows: _Rows, terms: Terms) -> Mask:
    """Payments on a round trip, and the accounts they reach: long ways round, but of money."""
    paid = np.flatnonzero(rows.kind == Kind.PAYEE)
    owned = np.flatnonzero(rows.kind == Kind.BANK_CARD)
    money = _money(edges, rows.take(paid), rows.take(owned), np.zeros(_size(rows.subject), int))
    there, reached = round_trips(money, terms)
    result = np.zeros(len(rows.edge), dtype=bool)
    result[paid[there]] = True
    result[owned[reached]] = True
    return result


def _components(rows: _Rows, home: Ints, subjects: int) -> Ints:
    """Subjects that supported links or a household hold together."""
    tie = rows.take(rows.supported)
    house, _ = dense(home)
    subject = np.concatenate([tie.subject, np.arange(subjects)])
    node = np.concatenate([tie.node, house + _size(tie.node)])
    return components(subject, node, subjects, _size(node))


def _faded(rows: _Rows, component: Ints, terms: Terms) -> _Rows:
    """Weights halved for every half-life before the component's latest supported link."""
    mine = component[rows.subject]
    last = most(mine[rows.supported], rows.week[rows.supported], _size(component), 0)
    age = np.maximum(last[mine] - rows.week, 0)
    decay = np.exp2(-age / terms.half_life_weeks)
    return replace(rows, decay=decay, weight=rows.weight * decay)


def _collapsed(rows: _Rows) -> _Rows:
    """One row, the heaviest, for a subject at a node."""
    order = np.lexsort((-rows.weight, rows.node, rows.subject))
    return rows.take(order[distinct(rows.subject[order], rows.node[order])])


def _traced(
    edges: Edges,
    which: Ints,
    rows: _Rows,
    near: tuple[_Rows, Ints],
    component: Ints,
    group: Ints,
    home: Ints,
    terms: Terms,
) -> Traced:
    ring = _rings(rows, group, home, len(which), terms)
    inside = rows.take(ring[rows.subject] >= 0)
    held = inside.take(_outside_home(inside, ring, home))
    meetings = Meetings(
        ring[held.subject],
        held.subject,
        home[held.subject],
        held.node,
        _meaning(held, ring, terms),
        held.week,
        held.decay,
    )
    number, _ = dense(meetings.ring)  # every ring has meetings, so numbers stay
    rings = _size(number)
    taking = _taking(edges, held, ring, terms)
    found = evidence(meetings, taking, rings, terms)
    mine = ring[held.subject]
    smallest = least(component, which, _size(component), np.iinfo(np.int64).max)
    return Traced(
        subject=which,
        component=smallest[component],
        tie_subject=which[near[0].subject],
        tie_node=near[1][near[0].node],
        tie_weight=near[0].weight,
        ring_evidence=found.evidence,
        ring_proved=found.proved,
        ring_size=np.bincount(found.member_ring, minlength=rings),
        ring_first=least(mine, held.week, rings, 1 << 20),
        ring_last=most(mine, held.week, rings, 0),
        member_ring=found.member_ring,
        member_subject=which[found.member_subject],
        member_strength=found.member_strength,
        reason_ring=found.reasons[0],
        reason_code=found.reasons[1],
        reason_members=found.reasons[2],
        reason_points=found.reasons[3],
        reason_weight=found.reasons[4],
        edge_ring=mine,
        edge_index=held.edge,
    )


def _households(rows: _Rows, subjects: int, terms: Terms) -> Ints:
    """Household of every subject index: those who share a unit that few share."""
    at = rows.take((rows.kind == Kind.ADDR_UNIT) & (rows.sharers <= terms.household))
    return components(at.subject, at.node, subjects, _size(at.node))


def _rings(rows: _Rows, group: Ints, home: Ints, subjects: int, terms: Terms) -> Ints:
    """Ring of every subject, -1 for most."""
    several = distinct_count(group, np.arange(subjects), _size(group)) >= terms.least_members
    heavy = terms.weights()[rows.kind] >= terms.least_tie_weight
    heavy |= rows.ties
    tie = _collapsed(rows.take(heavy & several[group[rows.subject]]))
    mine, _ = dense(group[tie.subject])
    whole = np.maximum(np.rint(tie.weight * _FINE), 1.0)
    kept = tie.take(
        core(
            mine,
            tie.subject,
            home[tie.subject],
            tie.node,
            whole,
            terms.core_share,
            terms.least_ties,
        )
    )
    result = np.full(subjects, -1, dtype=np.int64)
    if len(kept.subject):
        people, first = dense(kept.subject)
        node, first_node = dense(group[kept.subject], kept.node)
        label = components(people, node, len(first), len(first_node))
        large = (np.bincount(label) >= terms.least_members)[label]
        result[kept.subject[first[large]]] = dense(label[large])[0]
    return result


def _outside_home(rows: _Rows, ring: Ints, home: Ints) -> Mask:
    """Rows at points where the ring has two households."""
    point, first = dense(ring[rows.subject], rows.node)
    kept: Mask = (distinct_count(point, home[rows.subject], len(first)) >= 2)[point]
    return kept


def _meaning(rows: _Rows, ring: Ints, terms: Terms) -> Ints:
    """The kind of tie: the edge's own where two of the ring have it, else the weakest present.

    A payment to a member's account is a payment on both ends; so is a contact who is a member.
    """
    point, first = dense(ring[rows.subject], rows.node)
    cell, first_cell = dense(point, rows.kind)
    shared = distinct_count(cell, rows.subject, len(first_cell)) >= 2
    rank = np.argsort(np.argsort(terms.weights(), kind="stable"), kind="stable")
    weakest = least(point, rank[rows.kind], len(first), len(Kind))
    kind_of_rank = np.argsort(rank)
    meaning: Ints = np.where(shared[cell], rows.kind, kind_of_rank[weakest[point]])
    return meaning


def _taking(edges: Edges, rows: _Rows, ring: Ints, terms: Terms) -> Taking:
    """Motifs among payments and accounts of ring members."""
    paid, owned = rows.take(rows.kind == Kind.PAYEE), rows.take(rows.kind == Kind.BANK_CARD)
    return motifs(_money(edges, paid, owned, ring), terms)


def _money(edges: Edges, paid: _Rows, owned: _Rows, ring: Ints) -> Money:
    return Money(
        ring[paid.subject],
        paid.subject,
        paid.node,
        paid.week,
        edges.band[paid.edge].astype(np.int64),
        ring[owned.subject],
        owned.subject,
        owned.node,
    )
