"""Why a group is a ring: which kinds tie its members, how often over, and how their money moves.

Ties are counted between households, not persons: relatives share a home, a phone and a contact. A
group that hangs together like a tree says little, because in a large population chains of chance
ties are long; what chance does not bring is a second way round. So the evidence of a ring is
    diversity * redundancy / (redundancy + r0) + motifs,
diversity = sum over kinds of weight * share of members tied by it, redundancy = weight of the ties
beyond those that a tree would need, per tie that the tree needs.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from shared.rings.columns import (
    Floats,
    Ints,
    count,
    dense,
    distinct,
    distinct_count,
    least,
    most,
    total,
)
from shared.rings.kinds import Kind, Terms
from shared.rings.motifs import WEIGHT, Motif, Taking
from shared.rings.traced import MOTIF_CODE

_PLACES = (Kind.ADDR_UNIT, Kind.ADDR_BUILDING, Kind.EMPLOYER, Kind.WIFI)
_FINE = 1 << 20
"""Decays are whole multiples of this fraction, so that sums are the same in every order."""


@dataclass(frozen=True, slots=True)
class Meetings:
    """Rows of ring members at meeting points: ring, subject, household, node, kind, week, decay."""

    ring: Ints
    subject: Ints
    household: Ints
    node: Ints
    kind: Ints
    week: Ints
    decay: Floats

    def take(self, which: Ints) -> "Meetings":
        """The rows at these indices."""
        return Meetings(*(getattr(self, name)[which] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Per ring: `evidence`, `proved`; per member row of `members`: strength; rows of reasons."""

    evidence: Floats
    proved: np.typing.NDArray[np.bool_]
    member_ring: Ints
    member_subject: Ints
    member_strength: Floats
    reasons: tuple[Ints, Ints, Ints, Ints, Floats]


def evidence(rows: Meetings, taking: Taking, rings: int, terms: Terms) -> Evidence:
    """Weigh every ring at once; `rows` hold only points where a ring has two households."""
    members = distinct(rows.ring, rows.subject)
    ring, subject = rows.ring[members], rows.subject[members]
    size = count(ring, rings)
    share, tied = _shares(rows, size, terms)
    diversity = _diversity(share, terms)
    redundant = _redundancy(rows, rings, terms)
    taking = {**taking, Motif.GUARANTEE_CIRCLE: _circles(rows)}
    part = _parts(taking, size)
    base = diversity * redundant / (redundant + terms.redundancy)
    homes = distinct_count(rows.ring, rows.household, rings)
    sure = (1 - np.exp2(-(homes - 1) / terms.half_sure)) * _together(rows, rings, terms)
    motif = part @ np.array([WEIGHT[each] for each in Motif])
    strong = ((tied >= 2) & terms.strong()).sum(axis=1)
    proved = (size >= terms.least_members) & (
        (strong >= terms.least_strong_kinds) | (part > 0).any(axis=1)
    )
    reasons = _reasons(rows, share * terms.weights(), tied, taking, part)
    strength = _strengths(rows, ring, subject, terms)
    return Evidence(np.round((base + motif) * sure, 9), proved, ring, subject, strength, reasons)


def _best_by_kind(rows: Meetings) -> Meetings:
    """For each member and kind the row with the least decay."""
    order = np.lexsort((-rows.decay, rows.kind, rows.subject))
    return rows.take(order[distinct(rows.subject[order], rows.kind[order])])


def _diversity(share: Floats, terms: Terms) -> Floats:
    """Sum over kinds of weight times share of members; of the places only the best counts."""
    worth = share * terms.weights()
    places = np.array(_PLACES)
    result: Floats = worth.sum(axis=1) - worth[:, places].sum(axis=1)
    result += worth[:, places].max(axis=1)
    return result


def _shares(rows: Meetings, size: Ints, terms: Terms) -> tuple[Floats, Ints]:
    """Per ring and kind: share of members tied (decayed), and how many, shape (rings, kinds)."""
    best = _best_by_kind(rows)
    cell = best.ring * len(Kind) + best.kind
    shape = (len(size), len(Kind))
    held = total(cell, np.rint(best.decay * _FINE), len(size) * len(Kind)).reshape(shape) / _FINE
    return held / size[:, None], count(cell, len(size) * len(Kind)).reshape(shape)


def _redundancy(rows: Meetings, rings: int, terms: Terms) -> Floats:
    """Weight of the ties beyond a tree's, per tie of the tree; ties join households.

    What two households alone share again and again is one friendship and counts once. Places
    (unit, building, employer, network) explain one another: of them a forest counts, no more.
    """
    point, first = dense(rows.ring, rows.node)
    homes = distinct_count(point, rows.household, len(first))
    weight = np.rint(terms.weights()[rows.kind] * rows.decay * _FINE)
    mean = np.rint(total(point, weight, len(first)) / count(point, len(first)))
    ties = (homes - 1).astype(np.float64)
    ties[_repeated(rows, point, homes, mean)] = 0
    place = np.isin(rows.kind, np.array(_PLACES))
    ties[point[place]] = 0
    ring = rows.ring[first]
    number = total(ring, ties, rings)
    weighed = total(ring, ties * mean, rings) / _FINE
    number_of_places = _forest(rows.take(np.flatnonzero(place)), rings)
    needed = distinct_count(rows.ring, rows.household, rings) - 1
    extra = np.maximum(number + number_of_places - needed, 0)
    result: Floats = weighed / np.maximum(number, 1) * extra / np.maximum(needed, 1)
    return result


def _repeated(rows: Meetings, point: Ints, homes: Ints, worth: Floats) -> Ints:
    """Points of exactly two households that meet at another point worth as much or more."""
    size = len(homes)
    low = least(point, rows.household, size, np.iinfo(np.int64).max)
    high = most(point, rows.household, size, -1)
    two = np.flatnonzero(homes == 2)
    two = two[np.argsort(-worth[two], kind="stable")]
    ring = np.zeros(size, dtype=np.int64)
    ring[point] = rows.ring
    return np.setdiff1d(two, two[distinct(ring[two], low[two], high[two])])


def _forest(rows: Meetings, rings: int) -> Floats:
    """Ties that hold together what places alone hold together, per ring."""
    if not len(rows.ring):
        return np.zeros(rings)
    home, first = dense(rows.household)
    point, first_point = dense(rows.ring, rows.node)
    size = len(first) + len(first_point)
    graph = sparse.coo_matrix((np.ones(len(home)), (home, len(first) + point)), shape=(size, size))
    part = connected_components(graph.tocsr(), directed=False)[1][: len(first)]
    ring = rows.ring[first]
    return (count(ring, rings) - distinct_count(ring, part, rings)).astype(np.float64)


def _together(rows: Meetings, rings: int, terms: Terms) -> Floats:
    """How much the ties of a ring fall into one time, 0 to 1: half at `spread_weeks` of deviation.

    Rings form over weeks; what people share in their lives comes at any time.
    """
    tie = terms.weights()[rows.kind] >= terms.least_tie_weight
    ring, week = rows.ring[tie], rows.week[tie].astype(np.float64)
    number = np.maximum(count(ring, rings), 1)
    variance = total(ring, week * week, rings) / number - (total(ring, week, rings) / number) ** 2
    result: Floats = 1 / (1 + np.maximum(variance, 0) ** 2 / terms.spread_weeks**4)
    return result


def _circles(rows: Meetings) -> tuple[Ints, Ints]:
    """Members whose guarantees alone lead round in a circle."""
    some = np.flatnonzero(rows.kind == Kind.GUARANTOR)
    rows = rows.take(some[distinct(rows.subject[some], rows.node[some])])
    if not len(rows.ring):
        return rows.ring, rows.subject
    u, first_u = dense(rows.household)
    v, first_v = dense(rows.ring, rows.node)
    size = len(first_u) + len(first_v)
    graph = sparse.coo_matrix((np.ones(len(u)), (u, len(first_u) + v)), shape=(size, size))
    part = connected_components(graph.tocsr(), directed=False)[1]
    links = count(part[u][distinct(u, v)], size)
    round_again = links >= count(part, size)
    kept = np.flatnonzero(round_again[part[u]])
    kept = kept[distinct(rows.subject[kept])]
    return rows.ring[kept], rows.subject[kept]


_LEAST = {each: 4 if each is Motif.GUARANTEE_CIRCLE else 3 for each in Motif}
"""Fewer are friends who pay each other back, or neighbours who guarantee for each other."""


def _parts(taking: Taking, size: Ints) -> Floats:
    """Share of each ring's members who take part in each motif, shape (rings, motifs)."""
    parts = np.zeros((len(size), len(Motif)))
    for motif, (ring, _) in taking.items():
        some = count(ring, len(size))
        parts[:, motif] = np.where(some >= _LEAST[motif], some, 0) / np.maximum(size, 1)
    return np.minimum(parts, 1.0)


def _strengths(rows: Meetings, ring: Ints, subject: Ints, terms: Terms) -> Floats:
    """1 - product over kinds of (1 - weight * decay): how sure each member's ties are, 0 to 1."""
    best = _best_by_kind(rows)
    people, first = dense(best.subject)
    doubt = np.log1p(-np.minimum(terms.weights()[best.kind] * best.decay, 0.999))
    summed = total(people, np.rint(doubt * _FINE), len(first)) / _FINE
    where = np.searchsorted(best.subject[first], subject)
    return np.round(1 - np.exp(summed[where]), 6)


def _reasons(
    rows: Meetings, worth: Floats, tied: Ints, taking: Taking, part: Floats
) -> tuple[Ints, Ints, Ints, Ints, Floats]:
    """Rows (ring, code, members, points, weight) of every kind and motif that counts."""
    size = worth.shape
    points = distinct_count(rows.ring * size[1] + rows.kind, rows.node, worth.size).reshape(size)
    ring, kind = np.nonzero(tied >= 2)
    weight = np.array([WEIGHT[each] for each in Motif])
    in_ring, motif = np.nonzero(part)
    members = np.zeros_like(part, dtype=np.int64)
    for each, (who, _) in taking.items():
        members[:, each] = count(who, len(part))
    return (
        np.concatenate([ring, in_ring]),
        np.concatenate([kind, motif + MOTIF_CODE]),
        np.concatenate([tied[ring, kind], members[in_ring, motif]]),
        np.concatenate([points[ring, kind], np.zeros(len(motif), dtype=np.int64)]),
        np.concatenate([worth[ring, kind], part[in_ring, motif] * weight[motif]]),
    )
