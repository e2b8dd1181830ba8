"""Who belongs to a ring besides those who hold it together.

Groups are cut at a level of rarity, and who hangs on points less rare stays outside although
several of them lead to the ring. Once a ring is chosen, everyone is taken in who is tied by
observations enough, counted as in `candidates.py`, the fewer of the two sides', to two of its
households at least (`Terms.least_partners`): friends of one member are no members. What ties are
points where the ring and one household more are half of those who meet. Nobody who is taken in
takes in others, and who is in another ring stays there. Then a ring is given all points where it is
half of those who meet, and peeled once more: two observations hold for everyone.
"""

from dataclasses import replace

import numpy as np

from shared.rings.candidates import Candidates, different, observations, once, peeled
from shared.rings.columns import (
    Floats,
    Ints,
    Mask,
    dense,
    distinct,
    distinct_count,
    join,
    most,
    total,
)
from shared.rings.crowd import Crowd
from shared.rings.kinds import Terms
from shared.rings.points import Rows


def absorbed(
    groups: Candidates,
    odds: Floats,
    kept: Mask,
    rows: Rows,
    surprise: Floats,
    crowd: Crowd,
    terms: Terms,
) -> Candidates:
    """The kept groups, numbered anew in their order, with those they take in.

    Who is tied to several as closely goes to the likeliest of them by `odds`.
    """
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    rings = groups.take(kept[groups.group])
    rings = replace(rings, group=number[rings.group])
    wide = _at_all_points(rings, rows, crowd, terms, 1)
    rings = _larger(rings, wide, odds[kept], rows, surprise, crowd, terms)
    rings = _at_all_points(rings, rows, crowd, terms)
    return different(peeled(rings, crowd.thing, terms), terms)


def _larger(
    rings: Candidates,
    wide: Candidates,
    odds: Floats,
    rows: Rows,
    surprise: Floats,
    crowd: Crowd,
    terms: Terms,
) -> Candidates:
    """The rings with everyone in none who is tied to one; `odds` of each ring."""
    more, tied = _tied(wide, rows, surprise, terms)
    who = dense(more.subject, more.group)[0]
    people = int(who.max(initial=-1)) + 1
    ties = once(who, crowd.thing[more.point], tied)[who]
    ties = np.where(_partners(more, who, wide, people) >= terms.least_partners, ties, 0)
    rank = np.unique(odds, return_inverse=True)[1]
    worth = ties * len(rank) + rank[more.group]
    subject, first = dense(more.subject)
    best = most(subject, worth, len(first), -1)[subject]
    more = more.take((ties >= terms.least_observations) & (worth == best))
    return Candidates(
        *(np.concatenate([getattr(rings, at), getattr(more, at)]) for at in Candidates.__slots__)
    )


def _partners(more: Candidates, who: Ints, wide: Candidates, people: int) -> Ints:
    """Of each row of more, by `who` it is of, at how many other households' points of its ring."""
    held, _ = dense(
        np.concatenate([more.group, wide.group]), np.concatenate([more.point, wide.point])
    )
    row, other = join(held[: len(who)], held[len(who) :])
    apart = more.home[row] != wide.home[other]
    return distinct_count(who[row[apart]], wide.home[other[apart]], people)[who]


def _at_all_points(
    rings: Candidates, rows: Rows, crowd: Crowd, terms: Terms, guests: int = 0
) -> Candidates:
    """The members at every point where they, with so many guests, are two households and half of
    those who meet.
    """
    member = distinct(rings.group, rings.subject)
    one, two = join(rings.subject[member], rows.subject)
    at, first = dense(rings.group[member][one], rows.subject[two], rows.point[two])
    seen = observations(rows.take(two), at, first, terms)
    one, two = one[first], two[first]
    group, home, point = rings.group[member][one], rows.home[two], rows.point[two]
    held, some = dense(group, point)
    mine = distinct_count(held, home, len(some))
    mine = mine + guests
    everyone = crowd.around(held, home, point)
    fine = ((mine >= 2) & (2 * mine >= everyone))[held]
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
    seen = observations(rows.take(row), at, one, terms)
    place, row = place[one], row[one]
    more = Candidates(
        rings.group[first[place]], rows.subject[row], rows.home[row], rows.point[row], seen
    )
    both, _ = dense(np.concatenate([held, place]), np.concatenate([rings.home, more.home]))
    indoors = total(both[: len(held)], rings.seen, int(both.max(initial=-1)) + 1)[both[len(held) :]]
    tied = np.minimum(seen, there[place] - indoors).astype(np.int64)
    return more.take(tied > 0), tied[tied > 0]
