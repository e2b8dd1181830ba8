"""Who is of one household by what all lenders but one know.

Those who share a unit that few share count as one, if units hold few together (`points.py`).
Whoever adds people to a flat ends that household, and whoever makes flats up makes some: what one
lender says must not decide how many households others' edges tie.
"""

import numpy as np

from shared.rings.columns import Ints, Mask, count, dense, distinct, distinct_count, join, least
from shared.rings.components import components
from shared.rings.edges import Edges
from shared.rings.kinds import Kind, Terms


def in_flats(edges: Edges, subjects: Mask, terms: Terms, sources: Ints | None = None) -> Mask:
    """These subjects, and whom units that few share, or would share without one of the lenders,
    hold together with them, many or few: adding edges can make a household of them, or end one.
    """
    which, unit, units = _flats(edges, sources, terms)
    who = edges.subject[which]
    part = components(who, unit, len(subjects), units)
    reached = np.zeros(len(subjects), dtype=bool)
    reached[part[subjects]] = True
    return subjects | reached[part]


def homes_without(edges: Edges, sources: Ints, subject: Ints, lender: Ints, terms: Terms) -> Ints:
    """Household of each subject (n,) without the edges of the lender (n,) beside it: the smallest
    subject of it, as in `points.py`.
    """
    size = int(edges.subject.max(initial=-1)) + 1
    asked = np.zeros(size, dtype=bool)
    asked[subject] = True
    row = np.flatnonzero(in_flats(edges, asked, terms, sources)[edges.subject])
    row = row[edges.kind[row] == Kind.ADDR_UNIT]
    row = row[np.isin(row, _flats(edges, sources, terms)[0])]
    names, name = np.unique(lender, return_inverse=True)
    case, row = np.repeat(np.arange(len(names)), len(row)), np.tile(row, len(names))
    heard = sources[row] != names[case]
    case, row = case[heard], row[heard]
    all_of_them = np.concatenate([case, name]), np.concatenate([edges.subject[row], subject])
    who, first = dense(*all_of_them)
    home = _homes(who[: len(row)], dense(case, edges.attribute[row])[0], len(first), terms)
    return np.asarray(all_of_them[1][first][home[who[len(row) :]]])


def coarser(case: Ints, subject: Ints, one: Ints, other: Ints) -> Ints:
    """Household of each row's subject in its case, where whoever is of one by either count is one.
    Numbers of different cases differ.
    """
    who, first = dense(case, subject)
    here, at_one = dense(case, one)
    there, at_other = dense(case, other)
    nodes = np.concatenate([here, len(at_one) + there])
    size = len(at_one) + len(at_other)
    return components(np.concatenate([who, who]), nodes, len(first), size)[who]


def who_names_flats(
    edges: Edges, sources: Ints, group: Ints, subject: Ints, terms: Terms
) -> tuple[Ints, Ints]:
    """Pairs (group, lender): who named a flat that decides about a household of its subjects."""
    which, unit, units = _flats(edges, sources, terms)
    size = int(edges.subject.max(initial=-1)) + 1
    part = components(edges.subject[which], unit, size, units)
    at, lender = part[edges.subject[which]], sources[which]
    named = distinct(at, lender)
    asked = distinct(group, part[subject])
    one, two = join(part[subject[asked]], at[named])
    return group[asked[one]], lender[named[two]]


def _flats(edges: Edges, sources: Ints | None, terms: Terms) -> tuple[Ints, Ints, int]:
    """Edges of units that few share, or would without one of the lenders; the unit of each, and how
    many units are numbered.
    """
    which = np.flatnonzero(edges.kind == Kind.ADDR_UNIT)
    unit, first = dense(edges.attribute[which])
    who = edges.subject[which]
    sharers = distinct_count(unit, who, len(first))
    if sources is not None:
        sharers = sharers - _of_one_alone(unit, who, sources[which], len(first))
    few = (sharers <= terms.household)[unit]
    return which[few], unit[few], len(first)


def _of_one_alone(unit: Ints, who: Ints, source: Ints, units: int) -> Ints:
    """Of each unit, how many sharers one lender alone knows there, the most of any lender."""
    one = distinct(unit, who, source)
    pair, pairs = dense(unit[one], who[one])
    one = one[count(pair, len(pairs))[pair] == 1]
    both, first = dense(unit[one], source[one])
    result = np.zeros(units, dtype=np.int64)
    np.maximum.at(result, unit[one[first]], count(both, len(first)))
    return result


def _homes(who: Ints, unit: Ints, people: int, terms: Terms) -> Ints:
    """Of each of so many people, the first of its household."""
    units = int(unit.max(initial=-1)) + 1
    few = (distinct_count(unit, who, units) <= terms.household)[unit]
    part = components(who[few], unit[few], people, units)
    size = int(part.max(initial=-1)) + 1
    everyone = np.arange(people)
    first = least(part, everyone, size, people)
    return np.asarray(np.where((count(part, size) <= terms.household)[part], first[part], everyone))
