"""Who is tied to a ring by a single observation: no member, yet not to be left unsaid.

A subject is attached to a ring by an edge when
- the edge is an act of its own: it names, uses or pays what the ring does; that others name its
  telephone or pay into its account is no act of its own,
- the point is the ring's own: its members are at least half of the households that meet there; and
  no commoner than points that hold groups together (`Terms.levels`),
- it happened while the ring was at work (`Terms.attach_weeks`), and it is of no member's household,
- the odds are fair (`Terms.attach`) that who comes to that point belongs to the ring: the more, the
  more of the ring's households meet there and the larger a part of the ring they are, the nearer in
  time it came to them, and the more lenders it is at (`stacking.py`).
It is sure when all of this holds also without any other lender's edges, of what is still a ring
then (`without.py`): the weeks in which it was at work, households, how rare the point is and how
usual it is to be at several lenders are what the others know, too. Otherwise it is a lead. A member
on several lenders' word needs no such tie; one on a single lender's word may have it, if it is
sure: as a lead it is known already.

Being attached makes nobody a member by itself; whose observation the edge is decides.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.rings.candidates import Candidates
from shared.rings.columns import (
    Floats,
    Ints,
    Mask,
    count,
    dense,
    distinct_count,
    join,
    least,
    most,
)
from shared.rings.kinds import Terms
from shared.rings.points import Rows
from shared.rings.provenance import NOBODY
from shared.rings.stacking import Stacking
from shared.rings.traced import Traced
from shared.rings.without import Known, Rest


@dataclass(frozen=True, slots=True)
class Meetings:
    """A group's point, as rows: the group, the point, its households there, first and last week."""

    group: Ints
    point: Ints
    homes: Ints
    first: Ints
    last: Ints

    @classmethod
    def of(cls, group: Ints, home: Ints, point: Ints, week: Ints) -> "Meetings":
        """Of rows that are edges of members there."""
        at, one = dense(group, point)
        size = len(one)
        first, last = least(at, week, size, 1 << 20), most(at, week, size, 0)
        return cls(group[one], point[one], distinct_count(at, home, size), first, last)


def attached(
    rings: Candidates,
    tied: tuple[Ints, Ints, Ints],
    rest: Rest | None,
    only: Ints,
    traced: Traced,
    rows: Rows,
    surprise: Floats,
    kind: npt.NDArray[np.uint8],
    known: Known | None,
    stacking: Stacking,
    terms: Terms,
) -> dict[str, Ints | Mask]:
    """Columns of the table `attached`. `tied`: rows of rings, the edge of each there and its week;
    `rest`: what stays of rings without each lender, None where lenders are not known; `only` of
    each of the members, whose word alone makes it one (`provenance.alone`); `kind` of each edge;
    `traced` has members, and rings' weeks.
    """
    at, edge, week = tied
    held = surprise[rings.point[at]] >= min(terms.levels)
    at, edge, week = at[held], edge[held], week[held]
    met = Meetings.of(rings.group[at], rings.home[at], rings.point[at], week)
    place, row = join(met.point, rows.point)
    homes = distinct_count(rings.group, rings.home, traced.rings)
    odds = _odds(met, place, rows.week[row], homes, stacking.above[rows.subject[row]], terms)
    ring, subject = met.group[place], rows.subject[row]
    new = (odds >= terms.attach) & (kind[rows.edge[row]] == rows.sense[row])
    new &= rows.week[row] >= traced.ring_first[ring] - terms.attach_weeks
    new &= rows.week[row] <= traced.ring_last[ring] + terms.attach_weeks
    new &= ~_among(ring, rows.home[row], rings.group, rings.home) | _among(
        ring, subject, traced.member_ring, traced.member_subject
    )
    settled = only == NOBODY
    new &= ~_among(ring, subject, traced.member_ring[settled], traced.member_subject[settled])
    place, row = place[new], row[new]
    sure = np.ones(len(row), dtype=bool)
    if rest is not None and known is not None:
        left = _left(rest, rings, at, known.sources[edge], week)
        sure = _heard(rest, left, met, place, rows, row, known, homes, stacking.fewer)
    ring, subject = met.group[place], rows.subject[row]
    told = sure | ~_among(ring, subject, traced.member_ring, traced.member_subject)
    return {
        "attached_ring": ring[told],
        "attached_subject": subject[told],
        "attached_index": rows.edge[row[told]],
        "attached_sure": sure[told],
    }


def _odds(
    met: Meetings, place: Ints, week: Ints, homes: Ints, above: Floats, terms: Terms
) -> Floats:
    """Log-odds that who came to these places in these weeks, `above` the usual, is of the ring;
    `homes` of each ring.
    """
    apart = np.maximum(np.maximum(met.first[place] - week, week - met.last[place]), 0)
    odds = terms.attach_shared * np.log(met.homes[place])
    odds -= terms.attach_size * np.log(homes[met.group[place]])
    odds += terms.attach_lenders * above - terms.attach_apart * apart
    return np.asarray(np.round(odds, 6))


def _among(ring: Ints, one: Ints, rings: Ints, ones: Ints) -> Mask:
    """Whether each (ring, one) is among these."""
    both, _ = dense(np.concatenate([ring, rings]), np.concatenate([one, ones]))
    return np.isin(both[: len(ring)], both[len(ring) :])


def _left(rest: Rest, rings: Candidates, at: Ints, said: Ints, week: Ints) -> Meetings:
    """Where members meet in what is left, by case, as the others know; rows of rings `at`, and of
    the edge there the lender and the week.
    """
    case, row = join(rest.ring, rings.group[at])
    heard = said[row] != rest.lender[case]
    case, row = case[heard], row[heard]
    who, where = rings.subject[at[row]], rings.point[at[row]]
    size, left = len(case), rest.left
    both, _ = dense(
        np.concatenate([case, left.group]),
        np.concatenate([who, left.subject]),
        np.concatenate([where, left.point]),
    )
    home = np.full(int(both.max(initial=-1)) + 1, -1)
    home[both[size:]] = left.home
    stays = home[both[:size]] >= 0
    case, row, home = case[stays], row[stays], home[both[:size]][stays]
    return Meetings.of(case, home, rings.point[at[row]], week[row])


def _heard(
    rest: Rest,
    left: Meetings,
    met: Meetings,
    place: Ints,
    rows: Rows,
    row: Ints,
    known: Known,
    homes: Ints,
    fewer: Ints,
) -> Mask:
    """Of ties (a place, a row there), whether each of the lenders but its own could be missing;
    `homes` of each ring, `fewer`: at how many lenders each subject were at least.
    """
    terms, own = known.terms, known.sources[rows.edge[row]]
    tie, case = join(met.group[place], rest.ring)
    other = rest.lender[case] != own[tie]
    tie, case = tie[other], case[other]
    both, _ = dense(
        np.concatenate([left.group, case]), np.concatenate([left.point, met.point[place[tie]]])
    )
    split = len(left.group)
    where = np.full(int(both.max(initial=-1)) + 1, -1)
    where[both[:split]] = np.arange(split)
    there = where[both[split:]]
    subject, week = rows.subject[row[tie]], rows.week[row[tie]]
    fine = (there >= 0) & _meanwhile(left, case, week, len(rest.ring), terms)
    rare = rest.left.take(rest.surprise >= min(terms.levels))
    fine &= _among(case, met.point[place[tie]], rare.group, rare.point)
    home = known.homes(subject, rest.lender[case])
    fine &= ~_among(case, home, rest.member_case, rest.member_home) | _among(
        case, subject, rest.member_case, rest.member_subject
    )
    above = known.background.least_above(fewer[subject])
    large = distinct_count(rest.member_case, rest.member_home, len(rest.ring))
    large = np.maximum(large, homes[rest.ring])
    fine[fine] = _odds(left, there[fine], week[fine], large, above[fine], terms) >= terms.attach
    return np.asarray(count(tie[~fine], len(row)) == 0)


def _meanwhile(left: Meetings, case: Ints, week: Ints, cases: int, terms: Terms) -> Mask:
    """Whether the case's ring was at work in these weeks, by what the others saw."""
    first, last = (
        least(left.group, left.first, cases, 1 << 20),
        most(left.group, left.last, cases, 0),
    )
    soon, late = first[case] - terms.attach_weeks, last[case] + terms.attach_weeks
    return np.asarray((week >= soon) & (week <= late))
