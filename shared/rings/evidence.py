"""How strongly a group looks like a ring, in log-odds, and the reasons in words.

    prior
    + tie:    mean over households of (surprise of their ties - common)
    + time:   ln(usual spread / spread) of the weeks in which the members came
    - kin:    the share of members whom contacts tie, and whom guarantees: relatives do that
    - place:  the share of the group that meets at one crowded place, by the share of others there:
              a place explains why its people share things, but not why only these do
    + lenders: how far the members are above the usual in lenders they are at at once
    + motif:  the weightiest shape of money or guarantees, by the share who take part

A tie of m households at a point counts m - 1 times, in the share of the point that is the group's.
Places (unit, building, employer, network) explain one another and count as ties of nobody.
The weights are those of a logistic regression on made-up rings, rounded; see `docs/rings.md`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from shared.rings.background import Classes
from shared.rings.candidates import Candidates
from shared.rings.columns import (
    Floats,
    Ints,
    Mask,
    count,
    dense,
    distinct,
    distinct_count,
    join,
    least,
    most,
    total,
)
from shared.rings.crowd import Crowd
from shared.rings.kinds import Kind, Terms
from shared.rings.motifs import WEIGHT, Motif, Taking
from shared.rings.points import Rows
from shared.rings.stacking import stacked
from shared.rings.traced import MOTIF_CODE

_PLACES = (Kind.ADDR_UNIT, Kind.ADDR_BUILDING, Kind.EMPLOYER, Kind.WIFI)
_KIN = [Kind.EMERGENCY_CONTACT, Kind.GUARANTOR]
_FINE = 1 << 20
"""Numbers are summed as whole multiples of this fraction, so that no order matters."""
_LEAST_TIE = -3.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Per group: log-odds, whether it meets the floor, members; and the reasons' rows."""

    odds: Floats
    proved: Mask
    size: Ints
    reasons: tuple[Ints, Ints, Ints, Ints, Floats]


def evidence(
    rows: Candidates,
    everywhere: Rows,
    surprise: Floats,
    classes: Classes,
    crowd: Crowd,
    came: Ints,
    above: Floats,
    taking: Taking,
    terms: Terms,
) -> Evidence:
    """Weigh every group at once; `everywhere` are all points of their members, their own or not,
    `came` is the first week of each subject index, `above` its lenders (`stacking.py`).
    """
    groups = int(rows.group.max(initial=-1)) + 1
    members = distinct(rows.group, rows.subject)
    size = count(rows.group[members], groups)
    kind = classes.kind[rows.point]
    taking = {**taking, Motif.GUARANTEE_CIRCLE: _circles(rows, kind)}
    part = _parts(taking, size)
    weight = np.array([WEIGHT[each] for each in Motif])
    odds = terms.prior + terms.worth_tie * _ties(rows, surprise, classes, crowd, groups, terms)
    odds += terms.worth_place * _placed(
        rows.take(members), everywhere, classes, crowd, groups, terms
    )
    odds += terms.worth_time * _time(rows.group[members], came[rows.subject[members]], size, terms)
    several = stacked(rows.group[members], above[rows.subject[members]], size)
    odds += terms.worth_stacking * several
    odds += terms.worth_motif * (part * weight).max(axis=1, initial=0)
    cell = rows.group * len(Kind) + kind
    shape = (groups, len(Kind))
    tied = distinct_count(cell, rows.subject, groups * len(Kind)).reshape(shape)
    points = distinct_count(cell, rows.point, groups * len(Kind)).reshape(shape)
    odds += terms.worth_kin * tied[:, _KIN].sum(axis=1) / np.maximum(size, 1)
    strong = ((tied >= 2) & terms.strong()).sum(axis=1)
    proved = (strong >= terms.least_strong_kinds) | (part > 0).any(axis=1)
    worth = tied / np.maximum(size, 1)[:, None] * terms.weights()
    reasons = _reasons(worth, tied, points, taking, part, weight)
    return Evidence(np.round(odds, 6), proved, size, reasons)


def _ties(
    rows: Candidates, surprise: Floats, classes: Classes, crowd: Crowd, groups: int, terms: Terms
) -> Floats:
    """Surprise of the ties for each household, per group."""
    at, first = dense(rows.group, rows.point)
    group, point = rows.group[first], rows.point[first]
    mine = distinct_count(at, rows.home, len(first))
    everyone = crowd.around(at, rows.home, rows.point)
    homes = np.maximum(distinct_count(rows.group, rows.home, groups), 1)
    place = np.isin(classes.kind[point], np.array(_PLACES))
    worth = np.maximum(surprise[point] - terms.common, _LEAST_TIE) * mine / everyone * (mine - 1)
    held = total(group, np.where(place, 0.0, np.rint(worth * _FINE)), groups) / _FINE
    return np.asarray(held / homes)


def _placed(
    members: Candidates, everywhere: Rows, classes: Classes, crowd: Crowd, groups: int, terms: Terms
) -> Floats:
    """Share of each group's households that meet at one crowded place, its own or not, by the share
    of those who meet there that are not of the group.
    """
    crowded = np.isin(classes.kind, np.array(_PLACES)) & (classes.households > terms.crowd)
    there = np.flatnonzero(crowded[everywhere.point])
    one, two = join(members.subject, everywhere.subject[there])
    group, row = members.group[one], there[two]
    at, first = dense(group, everywhere.point[row])
    mine = distinct_count(at, everywhere.home[row], len(first))
    everyone = crowd.around(at, everywhere.home[row], everywhere.point[row])
    there_only = np.where(
        (mine > 1) & (everyone > terms.crowd), mine * (1 - terms.filled * mine / everyone), 0.0
    )
    most_there = most(group[first], there_only, groups, 0.0)
    homes = distinct_count(members.group, members.home, groups)
    return np.asarray(most_there / np.maximum(homes, 1))


def _time(group: Ints, week: Ints, size: Ints, terms: Terms) -> Floats:
    """ln(usual spread / spread), the spread being a standard deviation plus one week."""
    number = np.maximum(size, 1)
    squares, mean = total(group, week * week, len(size)), total(group, week, len(size)) / number
    spread = np.sqrt(np.maximum(squares / number - mean**2, 0))
    return np.log(terms.usual_spread / (spread + 1.0))


def chosen(rows: Candidates, found: Evidence) -> Mask:
    """Which groups stay when of overlapping ones the better goes first: mask over groups.

    Overlapping groups are of different levels, hence one holds the other: sizes differ.
    """
    rank = dense(np.unique(found.odds, return_inverse=True)[1] + 1, found.size)[0]
    rank = np.where(found.proved, rank + len(rank), rank)
    member = distinct(rows.group, rows.subject)
    group, subject = rows.group[member], dense(rows.subject[member])[0]
    stays = np.zeros(len(rank), dtype=bool)
    while len(group):
        best = most(subject, rank[group], int(subject.max()) + 1, -1)
        beaten = best[subject] > rank[group]
        wins = np.zeros(len(rank), dtype=bool)
        wins[group] = True
        wins[group[beaten]] = False
        stays |= wins
        taken = np.zeros(len(best), dtype=bool)
        taken[subject[wins[group]]] = True
        gone = np.zeros(len(rank), dtype=bool)
        gone[group[taken[subject]]] = True
        group, subject = group[~gone[group]], subject[~gone[group]]
    return stays


def strengths(rows: Candidates, kind: Ints, decay: Floats, terms: Terms) -> tuple[Ints, Floats]:
    """Of each subject (ascending) 1 - product over kinds of (1 - weight * decay), 0 to 1."""
    order = np.lexsort((-decay, kind, rows.subject))
    best = order[distinct(rows.subject[order], kind[order])]
    people, first = dense(rows.subject[best])
    doubt = np.log1p(-np.minimum(terms.weights()[kind[best]] * decay[best], 0.999))
    summed = total(people, np.rint(doubt * _FINE), len(first)) / _FINE
    return rows.subject[best][first], np.round(1 - np.exp(summed), 6)


def _circles(rows: Candidates, kind: Ints) -> tuple[Ints, Ints]:
    """Members whose guarantees alone lead round in a circle."""
    rows = rows.take(kind == Kind.GUARANTOR)
    if not len(rows.group):
        return rows.group, rows.subject
    home, first_home = dense(rows.group, rows.home)
    point, first_point = dense(rows.group, rows.point)
    size = len(first_home) + len(first_point)
    links = (np.ones(len(home)), (home, len(first_home) + point))
    graph = sparse.coo_matrix(links, shape=(size, size)).tocsr()
    part = connected_components(graph, directed=False)[1]
    round_again = count(part[home][distinct(home, point)], size) >= count(part, size)
    kept = np.flatnonzero(round_again[part[home]])
    kept = kept[distinct(rows.group[kept], rows.subject[kept])]
    return rows.group[kept], rows.subject[kept]


_LEAST = {each: 4 if each is Motif.GUARANTEE_CIRCLE else 3 for each in Motif}
"""Fewer are friends who pay each other back, or neighbours who guarantee for each other."""


def _parts(taking: Taking, size: Ints) -> Floats:
    """Share of each group's members who take part in each motif, shape (groups, motifs)."""
    parts = np.zeros((len(size), len(Motif)))
    for motif, (group, _) in taking.items():
        some = count(group, len(size))
        parts[:, motif] = np.where(some >= _LEAST[motif], some, 0) / np.maximum(size, 1)
    return np.minimum(parts, 1.0)


def _reasons(
    worth: Floats, tied: Ints, points: Ints, taking: Taking, part: Floats, weight: Floats
) -> tuple[Ints, Ints, Ints, Ints, Floats]:
    """Rows (group, code, members, points, weight) of every kind and motif that counts."""
    group, kind = np.nonzero(tied >= 2)
    with_motif, motif = np.nonzero(part)
    members = np.zeros_like(part, dtype=np.int64)
    for each, (who, _) in taking.items():
        members[:, each] = count(who, len(part))
    return (
        np.concatenate([group, with_motif]),
        np.concatenate([kind, motif + MOTIF_CODE]),
        np.concatenate([tied[group, kind], members[with_motif, motif]]),
        np.concatenate([points[group, kind], np.zeros(len(motif), dtype=np.int64)]),
        np.concatenate([worth[group, kind], part[with_motif, motif] * weight[motif]]),
    )


def first_weeks(subject: Ints, week: Ints, size: int) -> Ints:
    """Week in which each subject index was first seen at a point; 0 for none."""
    return np.asarray(least(subject, week, size, 1 << 20))
