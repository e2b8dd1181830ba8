"""Who is tied to a ring by a single observation: no member, yet not to be left unsaid.

A subject is attached to a ring by an edge when
- the edge is an act of its own: it names, uses or pays what the ring does; that others name its
  telephone or pay into its account is no act of its own,
- it happened while the ring was at work (`Terms.attach_weeks`),
- the point is rare (`Terms.attach`) and holds households of the ring enough (`Terms.attaching`),
- the ring is one, with households enough there, also without any other lender's edges
  (`without.py`).
A member on several lenders' word needs no such tie; one on a single lender's word may have it.

Being attached makes nobody a member by itself; whose observation the edge is decides.
"""

import numpy as np
import numpy.typing as npt

from shared.rings.candidates import Candidates
from shared.rings.columns import Floats, Ints, Mask, count, dense, distinct_count, join
from shared.rings.kinds import Kind, Terms
from shared.rings.points import Rows
from shared.rings.traced import Traced
from shared.rings.without import NOBODY, Rest

_NEVER = 1 << 40


def attached(
    rings: Candidates,
    rest: Rest | None,
    only: Ints,
    traced: Traced,
    rows: Rows,
    surprise: Floats,
    kind: npt.NDArray[np.uint8],
    sources: Ints | None,
    terms: Terms,
) -> dict[str, Ints]:
    """Columns of the table `attached`. `rest`: what stays of rings without each lender, None where
    lenders are not known; `only` of each of the members, whose word alone makes it one
    (`provenance.alone`); `kind` and `sources` of each edge; `traced` has members, and rings' weeks.
    """
    held, row = _meeting(rings, rows, surprise, terms)
    ring, edge, week = rings.group[held], rows.edge[row], rows.week[row]
    new = (kind[edge] == rows.sense[row]) & ~_members(traced, only, ring, rows.subject[row])
    new &= week >= traced.ring_first[ring] - terms.attach_weeks
    new &= week <= traced.ring_last[ring] + terms.attach_weeks
    held, row = held[new], row[new]
    if rest is not None and sources is not None:
        heard = _heard(rest, rings.take(held), rows.take(row), sources[rows.edge[row]], terms)
        held, row = held[heard], row[heard]
    return {
        "attached_ring": rings.group[held],
        "attached_subject": rows.subject[row],
        "attached_index": rows.edge[row],
    }


def _meeting(rings: Candidates, rows: Rows, surprise: Floats, terms: Terms) -> tuple[Ints, Ints]:
    """Pairs (a row of rings that stands for a ring's point, a row there)."""
    enough = _enough(terms)
    sense = np.zeros(len(surprise), dtype=np.int64)
    sense[rows.point] = rows.sense
    rare = np.flatnonzero(surprise[rings.point] >= terms.attach)
    at, first = dense(rings.group[rare], rings.point[rare])
    mine = distinct_count(at, rings.home[rare], len(first))
    points = rare[first][mine >= enough[sense[rings.point[rare[first]]]]]
    place, row = join(rings.point[points], rows.point)
    return points[place], row


def _enough(terms: Terms) -> Ints:
    """Fewest households of the ring, by the kind's number."""
    return np.array([terms.attaching.get(each, _NEVER) for each in Kind])


def _members(traced: Traced, only: Ints, ring: Ints, subject: Ints) -> Mask:
    """Whether each (ring, subject) is a member on nobody's word alone."""
    settled = only == NOBODY
    there, who = traced.member_ring[settled], traced.member_subject[settled]
    both, _ = dense(np.concatenate([ring, there]), np.concatenate([subject, who]))
    return np.isin(both[: len(ring)], both[len(ring) :])


def _heard(rest: Rest, held: Candidates, row: Rows, own: Ints, terms: Terms) -> Mask:
    """Of pairs (a ring's point, an edge there), whether without any lender but `own` the ring's
    other households there are enough.
    """
    pair, case = join(held.group, rest.ring)
    left = rest.left
    at, _ = dense(
        np.concatenate([left.group, case]), np.concatenate([left.point, held.point[pair]])
    )
    there, asked = at[: len(left.group)], at[len(left.group) :]
    homes = distinct_count(there, left.home, int(at.max(initial=-1)) + 1)[asked]
    home, _ = dense(np.concatenate([there, asked]), np.concatenate([left.home, row.home[pair]]))
    homes = homes - np.isin(home[len(there) :], home[: len(there)])
    fails = (homes < _enough(terms)[row.sense[pair]]) & (rest.lender[case] != own[pair])
    return np.asarray(count(pair[fails], len(own)) == 0)
