"""Who is tied to a ring by a single observation: no member, yet not to be left unsaid.

A subject is attached to a ring by an edge when
- the edge is an act of its own: it names, uses or pays what the ring does; that others name its
  telephone or pay into its account is no act of its own,
- it happened while the ring was at work (`Terms.attach_weeks`),
- the point is rare (`Terms.attach`) and holds households of the ring enough (`Terms.attaching`),
- what is known of the ring there does not rest on the word of one other lender (`provenance.py`).

Being attached makes nobody a member by itself; whose observation the edge is decides.
"""

import numpy as np
import numpy.typing as npt

from shared.rings.candidates import Candidates
from shared.rings.columns import Floats, Ints, Mask, dense, distinct_count, join, least, most
from shared.rings.kinds import Kind, Terms
from shared.rings.points import Rows
from shared.rings.traced import Traced

_NEVER = 1 << 40


def attached(
    rings: Candidates,
    tied: tuple[Ints, Ints],
    traced: Traced,
    rows: Rows,
    surprise: Floats,
    kind: npt.NDArray[np.uint8],
    sources: Ints | None,
    terms: Terms,
) -> dict[str, Ints]:
    """Columns of the table `attached`. `tied`: rows of rings, and of each the edge there; `kind`
    and `sources` of each edge; `traced` has the rings' weeks.
    """
    held, row = _meeting(rings, rows, surprise, terms)
    ring, edge, week = rings.group[held], rows.edge[row], rows.week[row]
    new = (kind[edge] == rows.sense[row]) & ~_members(rings, ring, rows.subject[row])
    new &= week >= traced.ring_first[ring] - terms.attach_weeks
    new &= week <= traced.ring_last[ring] + terms.attach_weeks
    if sources is not None:
        new &= _heard(rings, tied, sources, held, sources[edge])
    return {
        "attached_ring": ring[new],
        "attached_subject": rows.subject[row][new],
        "attached_index": edge[new],
    }


def _meeting(rings: Candidates, rows: Rows, surprise: Floats, terms: Terms) -> tuple[Ints, Ints]:
    """Pairs (a row of rings that stands for a ring's point, a row there)."""
    enough = np.array([terms.attaching.get(each, _NEVER) for each in Kind])
    sense = np.zeros(len(surprise), dtype=np.int64)
    sense[rows.point] = rows.sense
    rare = np.flatnonzero(surprise[rings.point] >= terms.attach)
    at, first = dense(rings.group[rare], rings.point[rare])
    mine = distinct_count(at, rings.home[rare], len(first))
    points = rare[first][mine >= enough[sense[rings.point[rare[first]]]]]
    place, row = join(rings.point[points], rows.point)
    return points[place], row


def _members(rings: Candidates, ring: Ints, subject: Ints) -> Mask:
    """Whether each (ring, subject) is a member's."""
    both, _ = dense(np.concatenate([ring, rings.group]), np.concatenate([subject, rings.subject]))
    return np.isin(both[: len(ring)], both[len(ring) :])


def _heard(
    rings: Candidates, tied: tuple[Ints, Ints], sources: Ints, held: Ints, own: Ints
) -> Mask:
    """Whether the ring's side of a point is several lenders' word, or that of `own`."""
    row, source = tied[0], sources[tied[1]]
    both = np.concatenate([row, held])
    at, _ = dense(rings.group[both], rings.point[both])
    there, here = at[: len(row)], at[len(row) :]
    size = int(at.max(initial=-1)) + 1
    low, high = least(there, source, size, _NEVER), most(there, source, size, -1)
    return np.asarray((low[here] != high[here]) | (low[here] == own))
