"""What stays of a ring when one lender's edges are taken away, for each lender in turn.

A ring stands without a lender when, of the edges of all others alone, members are still tied by
observations enough, there are enough of them, the floor is met and the evidence still speaks for a
ring (`Terms.flag`). Points are judged by the households that the others know of there, weeks by
what the others saw. Who is still in it is then a member on several lenders' word, or on that of the
others: nothing that the one lender adds can have made it one.
"""

from dataclasses import dataclass

import numpy as np

from shared.rings.background import Background, Classes
from shared.rings.candidates import Candidates, peeled
from shared.rings.columns import Floats, Ints, count, dense, distinct, distinct_count, join
from shared.rings.edges import Edges
from shared.rings.evidence import first_weeks
from shared.rings.kinds import Terms
from shared.rings.points import Rows, classes_of
from shared.rings.stacking import above_usual
from shared.rings.weighing import lenders_of, weighed

NOBODY, SEVERAL = -1, -2
"""In the place of the one lender: nobody's word alone; that of either of several lenders."""


@dataclass(frozen=True, slots=True)
class Rest:
    """`ring`, `lender` of each case; `left`: rows that stay, whose group is the case. A case of
    which nothing stays has no row.
    """

    ring: Ints
    lender: Ints
    left: Candidates

    def needed(self) -> Ints:
        """Cases of rings that do not stand without the lender, ascending."""
        return np.flatnonzero(count(self.left.group, len(self.ring)) == 0)


def without_each(
    rings: Candidates,
    odds: Floats,
    tied: tuple[Ints, Ints],
    edges: Edges,
    everyone: Rows,
    background: Background,
    sources: Ints,
    terms: Terms,
) -> Rest:
    """Every ring that may be reported, without each lender that any of its members is known to:
    one whose edges are no evidence for it can still make them be at more lenders (`stacking.py`).

    `tied`: rows of rings, and of each the edge there; `everyone`: all edges at points, with
    `sources` the lender of each edge.
    """
    row, source = tied[0], sources[tied[1]]
    told = np.flatnonzero((odds >= _odds(terms.report) - terms.seed_weight)[rings.group])
    told = told[distinct(rings.group[told], rings.subject[told])]
    member, known = join(rings.subject[told], everyone.subject)
    group, said = rings.group[told[member]], sources[everyone.edge[known]]
    first = distinct(group, said)
    ring, lender = group[first], said[first]
    left = _edges_left(rings, row, source, ring, lender)
    left = _of_size(peeled(left, terms), terms)
    fine = _stands(left, lender, edges, everyone, background, sources, terms)
    return Rest(ring, lender, left.take(fine[left.group]))


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


def _stands(
    left: Candidates,
    lender: Ints,
    edges: Edges,
    everyone: Rows,
    background: Background,
    sources: Ints,
    terms: Terms,
) -> np.typing.NDArray[np.bool_]:
    """Of each case, whether what is left is still a ring by what the others know."""
    groups, rows, classes = _known(left, lender, edges, everyone, sources)
    size = int(rows.subject.max(initial=-1)) + 1
    came = first_weeks(rows.subject, rows.week, size)
    above = above_usual(lenders_of(rows, sources, size, terms), background.several)
    surprise = background.surprise(classes)
    found, _ = weighed(edges, groups, rows, surprise, classes, came, above, terms)
    fine = np.zeros(len(lender), dtype=bool)
    fine[: len(found.odds)] = found.proved & (found.odds >= _odds(terms.flag))
    return fine


def _known(
    left: Candidates, lender: Ints, edges: Edges, everyone: Rows, sources: Ints
) -> tuple[Candidates, Rows, Classes]:
    """The cases' groups, all edges of their members and the classes of all their points, without
    the lender's; subjects and points are numbered by case.
    """
    one = distinct(left.group, left.subject)
    member, row = join(left.subject[one], everyone.subject)
    case = left.group[one][member]
    heard = sources[everyone.edge[row]] != lender[case]
    case, point = case[heard], everyone.point[row[heard]]
    first = distinct(case, point)
    case, point = case[first], point[first]
    at, row = join(point, everyone.point)
    heard = sources[everyone.edge[row]] != lender[case[at]]
    at, row = at[heard], row[heard]
    which = np.concatenate([left.group, case[at]])
    who, _ = dense(which, np.concatenate([left.subject, everyone.subject[row]]))
    what, _ = dense(which, np.concatenate([left.point, everyone.point[row]]))
    split = len(left.group)
    groups = Candidates(left.group, who[:split], left.home, what[:split], left.seen)
    rows = everyone.take(row)
    rows = Rows(rows.edge, who[split:], rows.home, what[split:], rows.sense, rows.week)
    classes = classes_of(edges, rows)
    met = (classes.households >= 2)[rows.point] & np.isin(rows.subject, groups.subject)
    return groups, rows.take(met), classes


def _odds(score: float) -> float:
    return float(np.log(score / (100 - score)))
