"""Shapes that money takes inside a ring, at the resolution of weeks and doubling amount bands.

A flow goes from a payer to every subject who owns the account paid to (PAYEE meets BANK_CARD). A
day is the same or the next week; what keeps 80 % of its value keeps its band or loses one. Each
shape is found for many rings at once by joins (`steps.py`); a search for cycles runs only inside
strongly connected parts, and remembers states instead of paths.

Whoever plants payments cannot make this slow: flows that say the same are one, joins are by person,
week and band and not by person alone, a ring of more than `MOST_STEPS` steps of a shape is not
followed further for that shape, and rings are taken in parcels of `PARCEL` payments.
Shapes: Altman et al. 2023 (IBM AML), §3, and the domain reference, §4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from shared.rings.columns import Ints, Mask, count, dense, distinct, distinct_count, join, peak
from shared.rings.kinds import Terms
from shared.rings.steps import step, steps_on

PARCEL = 4096
"""Payments of the rings that are looked at together; a ring is never divided."""


class Motif(IntEnum):
    """A shape of money or of guarantees; `WEIGHT` says what taking part in it is worth."""

    FAN_IN = 0
    FAN_OUT = 1
    PASS_THROUGH = 2
    CYCLE = 3
    ROUND_TRIP = 4
    SCATTER_GATHER = 5
    GATHER_SCATTER = 6
    BIPARTITE = 7
    STACK = 8
    GUARANTEE_CIRCLE = 9


WEIGHT = {
    Motif.FAN_IN: 0.5,
    Motif.FAN_OUT: 0.4,
    Motif.PASS_THROUGH: 0.6,
    Motif.CYCLE: 1.2,
    Motif.ROUND_TRIP: 0.8,
    Motif.SCATTER_GATHER: 1.0,
    Motif.GATHER_SCATTER: 0.8,
    Motif.BIPARTITE: 0.5,
    Motif.STACK: 1.0,
    Motif.GUARANTEE_CIRCLE: 0.5,
}


@dataclass(frozen=True, slots=True)
class Money:
    """Payments and owned accounts inside rings, as rows: ring, subject, node, week, band."""

    ring: Ints
    payer: Ints
    account: Ints
    week: Ints
    band: Ints
    owner_ring: Ints
    owner: Ints
    owned: Ints


@dataclass(frozen=True, slots=True)
class Flows:
    """Money from subject to subject."""

    ring: Ints
    source: Ints
    target: Ints
    week: Ints
    band: Ints

    def take(self, which: Ints | Mask) -> "Flows":
        """Rows at these indices or where the mask holds."""
        return Flows(*(getattr(self, name)[which] for name in self.__slots__))


Taking = dict[Motif, tuple[Ints, Ints]]
"""(ring, subject) rows of those who take part, by motif."""


def motifs(money: Money, terms: Terms) -> Taking:
    """Every motif of money in every ring; a subject appears once at most per motif and ring."""
    found = [_motifs(parcel, terms) for parcel in _parcels(money)]
    none = np.zeros(0, dtype=np.int64)
    return {
        motif: _once(
            np.concatenate([none, *(one[motif][0] for one in found)]),
            np.concatenate([none, *(one[motif][1] for one in found)]),
        )
        for motif in WEIGHT
        if motif is not Motif.GUARANTEE_CIRCLE
    }


def _parcels(money: Money) -> Iterator[Money]:
    """The same rows, a few rings at a time; accounts of rings without a payment are left out."""
    rings = int(max(money.ring.max(initial=-1), money.owner_ring.max(initial=-1))) + 1
    load = count(money.ring, rings)
    parcel = (np.cumsum(load) - load) // PARCEL
    paid, owned = parcel[money.ring], parcel[money.owner_ring]
    by_paid, by_owned = np.argsort(paid, kind="stable"), np.argsort(owned, kind="stable")
    for each in np.unique(paid):
        one, two = (
            order[slice(*np.searchsorted(of[order], [each, each + 1]))]
            for order, of in ((by_paid, paid), (by_owned, owned))
        )
        yield Money(
            *(getattr(money, name)[one] for name in ("ring", "payer", "account", "week", "band")),
            *(getattr(money, name)[two] for name in ("owner_ring", "owner", "owned")),
        )


def _motifs(money: Money, terms: Terms) -> Taking:
    flows = _flows(money)
    found: Taking = {
        Motif.FAN_IN: _fan_in(money, terms),
        Motif.FAN_OUT: _fan_out(money, terms),
        Motif.PASS_THROUGH: _pass_through(money, flows, terms),
        Motif.BIPARTITE: _bipartite(money, terms),
        Motif.GATHER_SCATTER: _gather_scatter(money, flows, terms),
    }
    found[Motif.SCATTER_GATHER], found[Motif.STACK] = _through_middles(flows, terms)
    cycles = _strong(flows)
    found[Motif.CYCLE] = _cycles(cycles, terms.cycle_weeks, terms.cycle_hops)
    found[Motif.ROUND_TRIP] = _cycles(cycles, terms.round_trip_weeks, terms.cycle_hops)
    return found


def _once(ring: Ints, subject: Ints) -> tuple[Ints, Ints]:
    rows = distinct(ring, subject)
    return ring[rows], subject[rows]


def _flows(money: Money) -> Flows:
    paid, owned = join(money.account, money.owned)
    fine = (money.ring[paid] == money.owner_ring[owned]) & (money.payer[paid] != money.owner[owned])
    paid, owned = paid[fine], owned[fine]
    flows = Flows(
        money.ring[paid], money.payer[paid], money.owner[owned], money.week[paid], money.band[paid]
    )
    return flows.take(distinct(flows.source, flows.target, flows.week, flows.band, flows.ring))


def _fan(group: Ints, member: Ints, week: Ints, band: Ints, terms: Terms) -> Ints:
    """Rows where `fan` members meet in some `fan_weeks` with amounts at most one band apart."""
    found: list[Ints] = []
    for shift in (0, 1):
        alike, first = dense(group, (band + shift) // 2)
        wide = peak(alike, member, week, len(first), terms.fan_weeks) >= terms.fan
        found.append(np.flatnonzero(wide[alike]))
    return np.concatenate(found)


def _fan_in(money: Money, terms: Terms) -> tuple[Ints, Ints]:
    """Payers of one account, and its owner."""
    rows = _fan(dense(money.ring, money.account)[0], money.payer, money.week, money.band, terms)
    return _with_owners(money, rows)


def _fan_out(money: Money, terms: Terms) -> tuple[Ints, Ints]:
    """The payer of many accounts, and their owners."""
    rows = _fan(dense(money.ring, money.payer)[0], money.account, money.week, money.band, terms)
    return _with_owners(money, rows)


def _with_owners(money: Money, rows: Ints) -> tuple[Ints, Ints]:
    paid, owned = join(money.account[rows], money.owned)
    same = money.ring[rows[paid]] == money.owner_ring[owned]
    owned = owned[same]
    return (
        np.concatenate([money.ring[rows], money.owner_ring[owned]]),
        np.concatenate([money.payer[rows], money.owner[owned]]),
    )


def _pass_through(money: Money, flows: Flows, terms: Terms) -> tuple[Ints, Ints]:
    """Who pays on, to someone else, what came in: same or next week, same band or one less."""
    came, went = steps_on(
        (flows.ring, flows.target, flows.week, flows.band),
        (money.payer, money.week, money.band),
        terms.pass_weeks,
    )
    fine = flows.band[came] > 0
    fine &= flows.ring[came] == money.ring[went]
    own = _owns(money, flows.source[came], money.account[went])
    came = came[fine & ~own]
    return flows.ring[came], flows.target[came]


def _owns(money: Money, subject: Ints, account: Ints) -> Mask:
    """Whether the account is the subject's own: then money returns and is not passed on."""
    both = np.concatenate([money.owner, subject]), np.concatenate([money.owned, account])
    key, _ = dense(*both)
    known = key[: len(money.owner)]
    mine: Mask = np.isin(key[len(money.owner) :], known)
    return mine


def _bipartite(money: Money, terms: Terms) -> tuple[Ints, Ints]:
    """`fan` payers who share two accounts."""
    rows = distinct(money.ring, money.payer, money.account)
    place, first = dense(money.ring[rows], money.account[rows])
    rows = rows[(count(place, len(first)) >= terms.fan)[place]]
    ring, payer, account = money.ring[rows], money.payer[rows], money.account[rows]
    one, two = step(ring, payer, payer)
    fine = (account[one] < account[two]) & (ring[one] == ring[two])
    one, two = one[fine], two[fine]
    pair, first = dense(ring[one], account[one], account[two])
    shared = distinct_count(pair, payer[one], len(first)) >= terms.fan
    kept = one[shared[pair]]
    return ring[kept], payer[kept]


def _gather_scatter(money: Money, flows: Flows, terms: Terms) -> tuple[Ints, Ints]:
    """A subject with `fan` sources, and then `fan` accounts paid."""
    into, first_in = dense(flows.ring, flows.target)
    gathers = peak(into, flows.source, flows.week, len(first_in), terms.fan_weeks) >= terms.fan
    out, first_out = dense(money.ring, money.payer)
    scatters = peak(out, money.account, money.week, len(first_out), terms.fan_weeks) >= terms.fan
    middle = np.intersect1d(flows.target[first_in[gathers]], money.payer[first_out[scatters]])
    rows = np.isin(flows.target, middle)
    leaves = np.isin(flows.source, middle)
    return (
        np.concatenate([flows.ring[rows], flows.ring[rows], flows.ring[leaves]]),
        np.concatenate([flows.source[rows], flows.target[rows], flows.target[leaves]]),
    )


def _through_middles(flows: Flows, terms: Terms) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Scatter-gather (two middles and more between one pair), and stacks of two such pairs."""
    flows = flows.take(distinct(flows.ring, flows.source, flows.target, flows.week))
    one, two = steps_on(
        (flows.ring, flows.target, flows.week), (flows.source, flows.week), terms.fan_weeks
    )
    fine = flows.source[one] != flows.target[two]
    fine &= flows.ring[one] == flows.ring[two]
    one, two = one[fine], two[fine]
    pair, first = dense(flows.ring[one], flows.source[one], flows.target[two])
    several = distinct_count(pair, flows.target[one], len(first)) >= 2
    one, two = one[several[pair]], two[several[pair]]
    ring = flows.ring[one]
    sizes = int(ring.max()) + 1 if len(ring) else 0
    stacked = (distinct_count(ring, flows.source[one], sizes) >= 2) & (
        distinct_count(ring, flows.target[two], sizes) >= 2
    )
    rings = np.concatenate([ring, ring, ring])
    people = np.concatenate([flows.source[one], flows.target[one], flows.target[two]])
    in_stack = stacked[rings] if sizes else np.zeros(0, dtype=bool)
    return (rings, people), (rings[in_stack], people[in_stack])


def _strong(flows: Flows) -> Flows:
    """Flows inside strongly connected parts: no other flow is on a cycle."""
    if not len(flows.ring):
        return flows
    people, _ = dense(np.concatenate([flows.source, flows.target]))
    source, target = people[: len(flows.source)], people[len(flows.source) :]
    size = int(people.max()) + 1
    graph = sparse.coo_matrix((np.ones(len(source)), (source, target)), shape=(size, size))
    part = connected_components(graph.tocsr(), directed=True, connection="strong")[1]
    return flows.take(part[source] == part[target])


def _cycles(flows: Flows, weeks: int, hops: int) -> tuple[Ints, Ints]:
    """Who is on a walk of money that returns (`_returning`)."""
    ends = _returning(flows, weeks, hops)
    return (
        np.concatenate([flows.ring[ends], flows.ring[ends]]),
        np.concatenate([flows.source[ends], flows.target[ends]]),
    )


def _returning(flows: Flows, weeks: int, hops: int) -> Ints:
    """Flows that return within `weeks` and `hops` hops with 80 % of their value.

    Walks are kept as states, reached once for each length: where one began (person, week, band)
    and where it is (person, week). How it goes on depends on nothing else. Those that return are
    followed back through the states they came from.
    """
    begun, first = dense(flows.source, flows.week, flows.band)
    place, there = dense(flows.target, flows.week)
    size, from_rows, to_rows = len(there), flows.take(first), flows.take(there)
    states = _pairs(begun[flows.band > 0], place[flows.band > 0], size)
    layers: list[tuple[Ints, Ints]] = []
    returning: list[Ints] = []
    for _ in range(hops - 1):
        begin, last = states // max(size, 1), states % max(size, 1)
        walk, on = steps_on(
            (
                from_rows.ring[begin],
                to_rows.target[last],
                to_rows.week[last],
                from_rows.band[begin],
            ),
            (flows.source, flows.week, flows.band),
            weeks,
        )
        fine = flows.week[on] - from_rows.week[begin[walk]] <= weeks
        walk, on = walk[fine & (flows.band[on] > 0)], on[fine & (flows.band[on] > 0)]
        layers.append((states[walk], on))
        states = _pairs(begin[walk], place[on], size)
        begin, last = states // max(size, 1), states % max(size, 1)
        home = to_rows.target[last] == from_rows.source[begin]
        returning.append(states[home])
        states = states[~home]
    return _followed_back(layers, returning, (begun, place, size))


def _followed_back(
    layers: list[tuple[Ints, Ints]], returning: list[Ints], of: tuple[Ints, Ints, int]
) -> Ints:
    """All flows on walks whose last state is among the returning ones of its length; `of`: where
    each flow begins and ends, and how many ends there are.
    """
    begun, place, size = of
    found: list[Ints] = [np.zeros(0, dtype=np.int64)]
    alive = np.zeros(0, dtype=np.int64)
    for hop in range(len(layers) - 1, -1, -1):
        alive = np.union1d(alive, returning[hop])
        before, on = layers[hop]
        mine = np.isin(before // max(size, 1) * size + place[on], alive)
        found.append(on[mine])
        alive = np.unique(before[mine])
    found.append(np.flatnonzero(np.isin(begun * size + place, alive)))
    return np.unique(np.concatenate(found))


def _pairs(one: Ints, two: Ints, size: int) -> Ints:
    """One number for each pair of numbers, the second below `size`."""
    return np.unique(one * size + two) if len(one) else np.zeros(0, dtype=np.int64)
