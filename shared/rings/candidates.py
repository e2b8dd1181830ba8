"""Groups that may be rings: households that rare meeting points hold together, at several levels.

Points that nobody would meet at by chance hold people together; the rarer they have to be, the
smaller the groups. In a large population nearly everyone hangs together by what is common, and
falls apart into small groups where a point has to be rarer than about one household in a hundred
sees: chance ties percolate below that level and not above (Bollobás 2001, §5). As nobody knows the
level for one ring, groups are taken at each of several and compete by their evidence; that is
single linkage with the best level chosen for each branch (Campello et al. 2013).

From each group everyone is peeled who is tied by fewer than two observations, as in FRAUDAR the
loosest first (Hooi et al. 2016, §4): one edge, which anybody could plant, makes nobody a member.
The set that is left is the largest such, so no order matters.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.rings.columns import (
    Floats,
    Ints,
    Mask,
    count,
    dense,
    distinct,
    distinct_count,
    most,
    splitmix,
    total,
)
from shared.rings.components import components
from shared.rings.crowd import Crowd
from shared.rings.kinds import Terms
from shared.rings.points import Rows


@dataclass(frozen=True, slots=True)
class Candidates:
    """A subject of a group at a point, as rows; `group` is dense, `seen` are its edges there."""

    group: Ints
    subject: Ints
    home: Ints
    point: Ints
    seen: Ints

    def take(self, which: Ints | Mask) -> "Candidates":
        """Rows at these indices or where the mask holds."""
        return Candidates(*(getattr(self, name)[which] for name in self.__slots__))


def candidates(rows: Rows, surprise: Floats, crowd: Crowd, terms: Terms) -> Candidates:
    """Groups of every level, each once; `surprise` of each point."""
    at, first = dense(rows.subject, rows.point)
    seen = observations(rows, at, first, terms)
    subject, home, point = rows.subject[first], rows.home[first], rows.point[first]
    parts, groups = [], 0
    for level in terms.levels:
        part = _grouped(home, point, surprise >= level, terms)
        kept = np.flatnonzero(part >= 0)
        part = groups + part[kept]
        groups = int(part.max()) + 1 if len(part) else groups
        parts.append(Candidates(part, subject[kept], home[kept], point[kept], seen[kept]))
    everything = Candidates(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Candidates.__slots__)
    )
    return different(peeled(_at_home(everything, crowd), crowd.thing, terms), terms)


def observations(rows: Rows, at: Ints, first: Ints, terms: Terms) -> Ints:
    """Of each subject at a point (`at` of each row, `first` row of each) how often it was seen
    there; what it only states counts once.
    """
    once = np.isin(rows.sense[first], np.array(terms.said_once, dtype=np.int64))
    return np.where(once, 1, count(at, len(first)))


def _grouped(home: Ints, point: Ints, rare: Mask, terms: Terms) -> Ints:
    """Group of each row at one level, -1 where its household is in none of a fitting size."""
    tie = rare[point]
    homes, points = int(home.max(initial=-1)) + 1, len(rare)
    label = components(home[tie], point[tie], homes, points)
    tied = np.zeros(homes, dtype=bool)
    tied[home[tie]] = True
    size = count(label[tied], homes + 1)
    fine = tied & (size >= 2)[label] & (size <= terms.most_households)[label]
    return np.where(fine[home], label[home], -1)


def _at_home(rows: Candidates, crowd: Crowd) -> Candidates:
    """Rows at points where half of those who meet are of the group, and two of them at least."""
    at, first = dense(rows.group, rows.point)
    mine = distinct_count(at, rows.home, len(first))
    kept = (mine >= 2) & (2 * mine >= crowd.around(at, rows.home, rows.point))
    return rows.take(kept[at])


def peeled(rows: Candidates, thing: Ints, terms: Terms) -> Candidates:
    """What is left when everyone has observations enough, at points where others still are."""
    while len(rows.group):
        at = dense(rows.group, rows.point)[0]
        indoors = dense(at, rows.home)[0]
        own = np.bincount(indoors, weights=rows.seen)[indoors]
        others = np.bincount(at, weights=rows.seen)[at] - own
        tied = np.minimum(rows.seen, others)
        who, _ = dense(rows.group, rows.subject)
        fine = (once(who, thing[rows.point], tied) >= terms.least_observations)[who] & (others > 0)
        if fine.all():
            break
        rows = rows.take(fine)
    return rows


def once(who: Ints, thing: Ints, tied: npt.NDArray[Any]) -> Ints:
    """Sum for each, where one thing counts once: an edge is one observation in all its senses."""
    at, first = dense(who, thing)
    best = most(at, tied, len(first), 0)
    return total(who[first], best, int(who.max(initial=-1)) + 1).astype(np.int64)


def different(rows: Candidates, terms: Terms) -> Candidates:
    """Groups with members enough, and of those with the same members one."""
    member = distinct(rows.group, rows.subject)
    group, subject = rows.group[member], rows.subject[member]
    size = count(group, int(group.max(initial=-1)) + 1)
    mark = np.zeros(len(size), dtype=np.uint64)
    np.add.at(mark, group, splitmix(subject.astype(np.uint64)))
    first = np.unique(mark, return_index=True)[1]
    chosen = np.zeros(len(size), dtype=bool)
    chosen[first] = True
    chosen &= size >= terms.least_members
    rows = rows.take(chosen[rows.group])
    return Candidates(dense(rows.group)[0], rows.subject, rows.home, rows.point, rows.seen)
