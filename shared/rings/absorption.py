"""Who belongs to a ring besides those who hold it together.

Groups are cut at a level of rarity, and who hangs on points less rare stays outside although
several of them lead to the ring. Once a ring is chosen, everyone is taken in who is tied to it by
observations enough at its own points, counted as in `candidates.py`: the fewer of the two sides'.
Nobody who is taken in takes in others, and who is in another ring stays there. Then a ring is given
all points where it is half of those who meet, and peeled once more: two observations hold for
everyone.
"""

from dataclasses import replace

import numpy as np

from shared.rings.candidates import Candidates, different, peeled
from shared.rings.columns import (
    Floats,
    Ints,
    Mask,
    count,
    dense,
    distinct,
    distinct_count,
    join,
    most,
    total,
)
from shared.rings.kinds import Terms
from shared.rings.points import Rows


def absorbed(
    groups: Candidates,
    odds: Floats,
    kept: Mask,
    rows: Rows,
    surprise: Floats,
    households: Ints,
    terms: Terms,
) -> Candidates:
    """The kept groups, numbered anew in their order, with those they take in.

    Who is tied to several as closely goes to the likeliest of them by `odds`.
    """
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    rings = groups.take(kept[groups.group])
    rings = replace(rings, group=number[rings.group])
    rings = _larger(rings, odds[kept], rows, surprise, terms)
    rings = _at_all_points(rings, rows, households)
    return different(peeled(rings, terms), terms)


def _larger(
    rings: Candidates, odds: Floats, rows: Rows, surprise: Floats, terms: Terms
) -> Candidates:
    """The rings with everyone in none who is tied to one; `odds` of each ring."""
    more, tied = _tied(rings, rows, surprise, terms)
    who = dense(more.subject, more.group)[0]
    ties = total(who, tied, int(who.max(initial=-1)) + 1)[who]
    rank = np.unique(odds, return_inverse=True)[1]
    worth = ties * len(rank) + rank[more.group]
    subject, first = dense(more.subject)
    best = most(subject, worth, len(first), -1)[subject]
    more = more.take((ties >= terms.least_observations) & (worth == best))
    return Candidates(
        *(np.concatenate([getattr(rings, at), getattr(more, at)]) for at in Candidates.__slots__)
    )


def _at_all_points(rings: Candidates, rows: Rows, households: Ints) -> Candidates:
    """The members at every point where they are two households and half of those who meet."""
    member = distinct(rings.group, rings.subject)
    one, two = join(rings.subject[member], rows.subject)
    at, first = dense(rings.group[member][one], rows.subject[two], rows.point[two])
    seen = count(at, len(first))
    one, two = one[first], two[first]
    group, home, point = rings.group[member][one], rows.home[two], rows.point[two]
    held, some = dense(group, point)
    mine = distinct_count(held, home, len(some))
    fine = ((mine >= 2) & (2 * mine >= households[point[some]]))[held]
    return Candidates(group, rows.subject[two], home, point, seen).take(fine)


def _tied(rings: Candidates, rows: Rows, surprise: Floats, terms: Terms) -> tuple[Candidates, Ints]:
    """Who is in no ring at the points of rings, and the observations that tie it there."""
    held, first = dense(rings.group, rings.point)
    there = total(held, rings.seen, len(first))
    fine = np.flatnonzero(surprise[rings.point[first]] >= min(terms.levels))
    free = np.flatnonzero(~np.isin(rows.subject, rings.subject))
    place, row = join(rings.point[first[fine]], rows.point[free])
    place, row = fine[place], free[row]
    at, one = dense(place, rows.subject[row])
    seen = count(at, len(one))
    place, row = place[one], row[one]
    more = Candidates(
        rings.group[first[place]], rows.subject[row], rows.home[row], rows.point[row], seen
    )
    both, _ = dense(np.concatenate([held, place]), np.concatenate([rings.home, more.home]))
    indoors = total(both[: len(held)], rings.seen, int(both.max(initial=-1)) + 1)[both[len(held) :]]
    tied = np.minimum(seen, there[place] - indoors).astype(np.int64)
    return more.take(tied > 0), tied[tied > 0]
