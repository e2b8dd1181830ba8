"""Meeting points of households, and the class of each.

A point is an attribute in one sense: a telephone that several have as their own is one, the same
telephone named as a contact, together with its owner, another. People of one household count as
one: what they share, they share at home.
"""

from dataclasses import dataclass

import numpy as np

from shared.rings.background import Classes
from shared.rings.columns import (
    Floats,
    Ints,
    Mask,
    count,
    dense,
    distinct,
    distinct_count,
    least,
)
from shared.rings.components import components
from shared.rings.edges import Edges
from shared.rings.kinds import Kind, Terms
from shared.rings.links import Links, links

_OWN = {
    Kind.PAYEE: Kind.BANK_CARD,
    Kind.EMERGENCY_CONTACT: Kind.PHONE,
    Kind.GUARANTOR: Kind.PHONE,
}
"""Whose own thing a payment, a contact or a guarantor names."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Edges at points: `edge` (index), subject, household, point (dense), sense, week."""

    edge: Ints
    subject: Ints
    home: Ints
    point: Ints
    sense: Ints
    week: Ints

    def take(self, which: Ints | Mask) -> "Rows":
        """Rows at these indices or where the mask holds."""
        return Rows(*(getattr(self, name)[which] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Ties:
    """A subject at a point of the attribute graph, hubs out: what one walks on from the listed."""

    subject: Ints
    name: Ints
    weight: Floats


def meeting_points(edges: Edges, terms: Terms) -> tuple[Rows, Classes, Ints, Ties]:
    """Rows at points of two households and more, their classes, the household of every subject
    index, and the plain ties. Duplicates must be out of `edges`.
    """
    met = links(edges, terms)
    subject, kind = edges.subject[met.edge], edges.kind[met.edge].astype(np.int64)
    sharers = distinct_count(met.node, subject, len(met.name))[met.node]
    home = _households(edges, met, sharers, terms)
    which, sense = _senses(met, kind)
    point, first = dense(met.node[which], sense)
    kept = (distinct_count(point, home[subject[which]], len(first)) >= 2)[point]
    which, sense, point = which[kept], sense[kept], dense(point[kept])[0]
    edge = met.edge[which]
    who = edges.subject[edge]
    rows = Rows(edge, who, home[who], point, sense, edges.week[edge].astype(np.int64))
    return rows, classes_of(edges, rows), home, _ties(met, subject, kind, sharers, terms)


def _households(edges: Edges, met: Links, sharers: Ints, terms: Terms) -> Ints:
    """Household of every subject index: those who share a unit that few share, and who are few
    together. More, whom units hold together as links hold a chain, are no household, but each one
    its own: otherwise flats named in pairs would hide a ring of any size.
    """
    at = (edges.kind[met.edge] == Kind.ADDR_UNIT) & (sharers <= terms.household)
    subjects = int(edges.subject.max()) + 1 if len(edges) else 0
    who = edges.subject[met.edge][at]
    part = components(who, met.node[at], subjects, len(met.name))
    size = int(part.max(initial=-1)) + 1
    people = np.arange(subjects)
    smallest = least(part, people, size, subjects)
    few = distinct_count(part[who], who, size) <= terms.household
    return np.asarray(np.where(few[part], smallest[part], people))


def _senses(met: Links, kind: Ints) -> tuple[Ints, Ints]:
    """Rows of links, and the sense in which each meets others; an owner meets in several."""
    which, sense = [np.arange(len(kind))], [kind]
    for naming, own in _OWN.items():
        named = np.zeros(len(met.name), dtype=bool)
        named[met.node[kind == naming]] = True
        owners = np.flatnonzero((kind == own) & named[met.node])
        which.append(owners)
        sense.append(np.full(len(owners), int(naming)))
    return np.concatenate(which), np.concatenate(sense)


def classes_of(edges: Edges, rows: Rows) -> Classes:
    """The class of every point, of the edges at it."""
    size = int(rows.point.max()) + 1 if len(rows.point) else 0
    kind, owned = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    kind[rows.point] = rows.sense
    owned[rows.point[edges.kind[rows.edge] != rows.sense]] = 1
    order = np.lexsort((rows.week, rows.home, rows.point))
    came = order[distinct(rows.point[order], rows.home[order])]
    came = came[np.lexsort((rows.week[came], rows.point[came]))]
    point, week = rows.point[came], rows.week[came]
    next_one = np.flatnonzero(point[1:] == point[:-1])
    gap = _median(point[next_one], np.diff(week)[next_one], size, upper=True)
    paid = np.flatnonzero((rows.sense == Kind.PAYEE) & (edges.kind[rows.edge] == Kind.PAYEE))
    band = edges.band[rows.edge[paid]].astype(np.int64)
    return Classes(
        kind, owned, count(point, size), _median(rows.point[paid], band, size, upper=False), gap
    )


def _median(groups: Ints, values: Ints, size: int, *, upper: bool) -> Ints:
    """A median of each group's values that is one of them; 0 where a group has none."""
    order = np.lexsort((values, groups))
    number = count(groups, size)
    start = np.cumsum(number) - number
    some = number > 0
    result = np.zeros(size, dtype=np.int64)
    middle = (number if upper else number - 1) // 2
    result[some] = values[order][(start + middle)[some]]
    return result


def _ties(met: Links, subject: Ints, kind: Ints, sharers: Ints, terms: Terms) -> Ties:
    """Kind / ln(e + sharers), less where a point is crowded; one, the heaviest, for a subject."""
    room = np.minimum(1.0, terms.caps()[kind] / np.maximum(sharers, 1)) ** 2
    weight = terms.weights()[kind] * room / np.log(np.e + sharers)
    order = np.lexsort((-weight, met.node, subject))
    kept = order[distinct(subject[order], met.node[order])]
    return Ties(subject[kept], met.name[met.node[kept]], weight[kept])
