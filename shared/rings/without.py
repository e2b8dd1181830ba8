"""What stays of a ring when one lender's edges are taken away, for each lender in turn.

A ring stands without a lender when, of the edges of all others alone, members are still tied by
observations enough, there are enough of them, the floor is met and the evidence still speaks for a
ring (`Terms.flag`). Points are judged by the households that the others know of there, weeks by
what the others saw, households by the flats they name. It has to stand by the background of all and
by that without any one lender, and also when those are one household whom only the lender makes
one. Who is still in it is then a member on several lenders' word, or on that of the others: nothing
that the one lender adds can have made it one.
"""

from dataclasses import dataclass, replace

import numpy as np

from shared.rings.background import Background
from shared.rings.candidates import Candidates, peeled
from shared.rings.columns import Floats, Ints, Mask, count, dense, distinct, distinct_count, join
from shared.rings.crowd import Crowd, things
from shared.rings.edges import Edges
from shared.rings.evidence import first_weeks
from shared.rings.households import coarser, homes_without, who_names_flats
from shared.rings.kinds import Terms
from shared.rings.points import Rows, classes_of
from shared.rings.weighing import lenders_of, weighed

NOBODY, SEVERAL = -1, -2
"""In the place of the one lender: nobody's word alone; that of either of several lenders."""


@dataclass(frozen=True, slots=True)
class Known:
    """What all cases are judged by: `edges` with the lender of each in `sources`, those at points
    (`everyone`), and a background that knows of each lender what there is without it.
    """

    edges: Edges
    sources: Ints
    everyone: Rows
    background: Background
    terms: Terms

    def homes(self, subject: Ints, lender: Ints) -> Ints:
        """Household of each subject by what all but the lender beside it know."""
        return homes_without(self.edges, self.sources, subject, lender, self.terms)


@dataclass(frozen=True, slots=True)
class Rest:
    """`ring`, `lender` of each case; `left`: rows that stay, whose group is the case, at points of
    this `surprise`. A case of which nothing stays has no row. `member_case`, `member_subject`,
    `member_home`: all members of each case's ring, in households as the others know.
    """

    ring: Ints
    lender: Ints
    left: Candidates
    surprise: Floats
    member_case: Ints
    member_subject: Ints
    member_home: Ints

    def needed(self) -> Ints:
        """Cases of rings that do not stand without the lender, ascending."""
        return np.flatnonzero(count(self.left.group, len(self.ring)) == 0)


def without_each(rings: Candidates, odds: Floats, tied: tuple[Ints, Ints], known: Known) -> Rest:
    """Every ring that may be reported, without each lender that has a say: one that knows a member
    can make it be at more lenders (`stacking.py`), one that knows others at its points make these
    rarer, one that names flats make and end households.

    `tied`: rows of rings, and of each the edge there.
    """
    terms = known.terms
    row, source = tied[0], known.sources[tied[1]]
    told = np.flatnonzero((odds >= _odds(terms.report) - terms.seed_weight)[rings.group])
    told = told[distinct(rings.group[told], rings.subject[told])]
    ring, lender = _having_a_say(rings, told, known)
    case, member = join(ring, rings.group[told])
    who = rings.subject[told[member]]
    home = known.homes(who, lender[case])
    left = _at_fewer_homes(_edges_left(rings, row, source, ring, lender), lender, known)
    left = _of_size(peeled(left, things(known.edges, known.everyone), terms), terms)
    fine, surprise = _stands(left, lender, known)
    stays = fine[left.group]
    return Rest(ring, lender, left.take(stays), surprise[stays], case, who, home)


def _having_a_say(rings: Candidates, told: Ints, known: Known) -> tuple[Ints, Ints]:
    """Pairs (ring, lender); `told`: one row of each member of the rings asked about."""
    everyone, sources = known.everyone, known.sources
    group, subject = rings.group[told], rings.subject[told]
    member, knows = join(subject, everyone.subject)
    at = np.flatnonzero(np.isin(rings.group, group))
    at = at[distinct(rings.group[at], rings.point[at])]
    place, there = join(rings.point[at], everyone.point)
    named, flats = who_names_flats(known.edges, sources, group, subject, known.terms)
    ring = np.concatenate([group[member], rings.group[at[place]], named])
    lender = np.concatenate([sources[everyone.edge[knows]], sources[everyone.edge[there]], flats])
    first = distinct(ring, lender)
    return ring[first], lender[first]


def _at_fewer_homes(rows: Candidates, lender: Ints, known: Known) -> Candidates:
    """In households as the others know, and with the lender's word: whoever is of one by either."""
    home = known.homes(rows.subject, lender[rows.group])
    return replace(rows, home=coarser(rows.group, rows.subject, home, rows.home))


def _edges_left(rings: Candidates, row: Ints, source: Ints, ring: Ints, lender: Ints) -> Candidates:
    """Rows of each case with the edges that are not the lender's."""
    case, at = join(ring, rings.group)
    both, _ = dense(np.concatenate([row, at]), np.concatenate([source, lender[case]]))
    size = int(both.max(initial=-1)) + 1
    theirs = count(both[: len(row)], size)[both[len(row) :]]
    all_of_them = count(row, len(rings.seen))[at]
    seen = np.minimum(rings.seen[at], all_of_them - theirs)
    every = Candidates(case, rings.subject[at], rings.home[at], rings.point[at], seen)
    return every.take(seen > 0)


def _of_size(rows: Candidates, terms: Terms) -> Candidates:
    size = distinct_count(rows.group, rows.subject, int(rows.group.max(initial=-1)) + 1)
    return rows.take((size >= terms.least_members)[rows.group])


def _stands(left: Candidates, lender: Ints, known: Known) -> tuple[Mask, Floats]:
    """Of each case, whether what is left is still a ring by what the others know; and the surprise
    of each row's point by that.
    """
    groups, rows, case, home = _heard(left, lender, known)
    split = len(groups.group)
    fine, surprise = _judged(groups, rows, len(lender), known)
    one, first = dense(np.concatenate([groups.home, rows.home]))
    joined = (distinct_count(one, home, len(first)) > 1)[one]
    again = np.zeros(len(lender), dtype=bool)
    again[np.concatenate([groups.group, case])[joined]] = True
    own, there = again[groups.group], again[case]
    groups = replace(groups, home=home[:split]).take(own)
    rows = replace(rows, home=home[split:]).take(there)
    also, rarer = _judged(groups, rows, len(lender), known)
    surprise[own] = np.minimum(surprise[own], rarer)
    return fine & (also | ~again), surprise


def _judged(groups: Candidates, rows: Rows, cases: int, known: Known) -> tuple[Mask, Floats]:
    """The same for groups in these households."""
    terms, background = known.terms, known.background
    point, _ = dense(np.concatenate([groups.point, rows.point]))
    split, size = len(groups.point), int(rows.subject.max(initial=-1)) + 1
    groups, rows = replace(groups, point=point[:split]), replace(rows, point=point[split:])
    classes = classes_of(known.edges, rows)
    words = known.sources if background.without else None
    crowd = Crowd.of(known.edges, rows, words, classes.households, terms)
    rows = rows.take((classes.households >= 2)[rows.point] & np.isin(rows.subject, groups.subject))
    came = first_weeks(rows.subject, rows.week, size)
    several = lenders_of(rows, known.sources, size, terms)
    above, surprise = background.least_above(several), background.least_surprise(classes)
    found, _ = weighed(known.edges, groups, rows, surprise, classes, crowd, came, above, terms)
    fine = np.zeros(cases, dtype=bool)
    fine[: len(found.odds)] = found.proved & (found.odds >= _odds(terms.flag))
    return fine, surprise[groups.point]


def _heard(left: Candidates, lender: Ints, known: Known) -> tuple[Candidates, Rows, Ints, Ints]:
    """The cases' groups, all edges at all their members' points without the lender's, the case of
    each edge, and the household of each member's row and each edge by what the others know.
    Subjects and points are numbered by case.
    """
    everyone, sources = known.everyone, known.sources
    full = np.zeros(int(everyone.subject.max(initial=-1)) + 1, dtype=np.int64)
    full[everyone.subject] = everyone.home
    one = distinct(left.group, left.subject)
    member, row = join(left.subject[one], everyone.subject)
    case = left.group[one][member]
    heard = sources[everyone.edge[row]] != lender[case]
    case, point = case[heard], everyone.point[row[heard]]
    first = distinct(case, point)
    case, point = case[first], point[first]
    at, row = join(point, everyone.point)
    heard = sources[everyone.edge[row]] != lender[case[at]]
    case, row = case[at[heard]], row[heard]
    which = np.concatenate([left.group, case])
    subject = np.concatenate([left.subject, everyone.subject[row]])
    who, _ = dense(which, subject)
    what, _ = dense(which, np.concatenate([left.point, everyone.point[row]]))
    split = len(left.group)
    home = known.homes(subject, lender[which])
    fewer = coarser(which, who, home, full[subject])
    groups = Candidates(left.group, who[:split], fewer[:split], what[:split], left.seen)
    rows = everyone.take(row)
    rows = Rows(rows.edge, who[split:], fewer[split:], what[split:], rows.sense, rows.week)
    return groups, rows, case, home


def _odds(score: float) -> float:
    return float(np.log(score / (100 - score)))
