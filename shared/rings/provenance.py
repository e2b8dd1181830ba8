"""Whose word a ring is, and what each lender is told of it.

Which lender contributed an edge is no evidence for or against a ring; it decides who may act on it:

- A ring that edges of one lender alone evidence is told to that lender only (`told_to`).
- A tie has two sides: what is known of the subject at a point, and of the ring's other households
  there. It rests on a lender's word when all that is known of one side comes from that lender. A
  member each of whose ties rests on one and the same lender's word is a member at that lender only;
  when that is so of two lenders, at none. Everyone else is told that the ring is one step away.
- A subject attached by a single observation (`attachment.py`) is a member at the lender whose own
  observation that is, and one step away for all others; nobody is attached whose other side rests
  on another lender's word.

So nobody makes another lender's customer a member by what it plants alone, however many edges those
are, and each may trust its own books. Without sources everything is told to everybody.
"""

import numpy as np

from shared.rings.candidates import Candidates
from shared.rings.columns import Ints, Mask, count, dense, distinct, join, most
from shared.rings.ring import Attached, Ring

NOBODY, SEVERAL = -1, -2
"""In the place of the one lender: nobody's word alone; that of either of several lenders."""


def told_to(ring: Ring, lender: int) -> bool:
    """Whether a lender is told of a ring at all."""
    return len(ring.sources) != 1 or lender in ring.sources


def member_at(ring: Ring, place: int, lender: int) -> bool:
    """Whether the ring's member at this place counts as one at a lender."""
    only = ring.alone[place] if ring.alone else NOBODY
    return told_to(ring, lender) and only in (NOBODY, lender)


def attached_at(tie: Attached, ring: Ring, lender: int) -> bool:
    """Whether an attached subject counts as a member at a lender."""
    return told_to(ring, lender) and tie.source in (NOBODY, lender)


def alone(
    rings: Candidates,
    tied: tuple[Ints, Ints],
    sources: Ints | None,
    members: tuple[Ints, Ints],
) -> Ints:
    """Of each of `members` (ring, subject), the lender on whose word alone all of its ties rest.

    `tied`: rows of rings, and of each the edge there; `sources` of each edge.
    """
    if sources is None:
        return np.full(len(members[0]), NOBODY)
    row, source = tied[0], sources[tied[1]]
    point, _ = dense(rings.group[row], rings.point[row])
    tie, lender = resting(row, point, dense(point, rings.home[row])[0], source)
    who, _ = dense(
        np.concatenate([members[0], rings.group[row], rings.group[tie]]),
        np.concatenate([members[1], rings.subject[row], rings.subject[tie]]),
    )
    member, of_row, of_tie = np.split(who, np.cumsum([len(members[0]), len(row)]))
    ties = count(of_row[distinct(row)], int(who.max(initial=-1)) + 1)
    each, first = dense(of_tie, lender)
    every = first[count(each, len(first)) == ties[of_tie[first]]]
    number = count(of_tie[every], len(ties))
    only = most(of_tie[every], lender[every], len(ties), NOBODY)
    return np.asarray(np.where(number > 1, SEVERAL, only)[member])


def resting(tie: Ints, point: Ints, home: Ints, source: Ints) -> tuple[Ints, Ints]:
    """Pairs (tie, lender) where all edges of one side of the tie are the lender's.

    Rows are edges: `tie` is the same for those of one subject at one point, `home` for those of one
    household at one point.
    """
    names, said = np.unique(source, return_inverse=True)
    size = max(len(names), 1)
    one, some = distinct(tie), distinct(point, said)
    mine, theirs = join(point[one], point[some])
    at, who = one[mine], said[some[theirs]]
    own = _among(tie * size + said, tie[at] * size + who) == _among(tie, tie[at])
    others = _among(point * size + said, point[at] * size + who)
    others -= _among(home * size + said, home[at] * size + who)
    rests = own | (others == _among(point, point[at]) - _among(home, home[at]))
    return tie[at][rests], names[who[rests]]


def _among(keys: Ints, wanted: Ints) -> Ints:
    """How often each of `wanted` is among the keys."""
    names, number = np.unique(keys, return_counts=True)
    at = np.minimum(np.searchsorted(names, wanted), max(len(names) - 1, 0))
    there: Mask = names[at] == wanted if len(names) else np.zeros(len(wanted), dtype=bool)
    return np.where(there, number[at], 0) if len(names) else np.zeros(len(wanted), dtype=np.int64)
