"""Whose word a ring is, and what each lender is told of it.

Which lender contributed an edge is no evidence for or against a ring; it decides who may act on it:

- A ring that edges of one lender alone evidence is told to that lender only (`told_to`).
- Each lender's edges are taken away in turn (`without.py`). Who is still a member of what is left,
  and what is left still a ring, is one whatever that lender made up. Whom only one lender's absence
  removes is a member at that lender only; whom that of several removes, at none. At all other
  lenders they are leads.
- A subject attached by a single observation (`attachment.py`) is a member at the lender whose own
  observation that is, and one step away for all others. Attached to what is no ring without some
  other lender, it is a lead at its own lender.

A lead may be looked into; it is no ground for a listing, a decline or a verdict. Nobody makes more
than leads of another lender's customers by what it plants alone, however many edges those are, and
each may trust its own books. Without sources everything is told to everybody, nothing as a lead.
"""

import numpy as np

from shared.rings.columns import Ints, count, dense, distinct, total
from shared.rings.ring import Attached, Ring
from shared.rings.without import NOBODY, SEVERAL, Rest

__all__ = [
    "NOBODY",
    "SEVERAL",
    "alone",
    "attached_at",
    "lead_at",
    "led_at",
    "member_at",
    "needed",
    "told_to",
]


def told_to(ring: Ring, lender: int) -> bool:
    """Whether a lender is told of a ring at all."""
    return len(ring.sources) != 1 or lender in ring.sources


def member_at(ring: Ring, place: int, lender: int) -> bool:
    """Whether the ring's member at this place counts as one at a lender."""
    only = ring.alone[place] if ring.alone else NOBODY
    return told_to(ring, lender) and only in (NOBODY, lender)


def lead_at(ring: Ring, place: int, lender: int) -> bool:
    """Whether the ring's member at this place is no member but a lead at a lender."""
    return told_to(ring, lender) and not member_at(ring, place, lender)


def attached_at(tie: Attached, ring: Ring, lender: int) -> bool:
    """Whether an attached subject counts as a member at a lender."""
    return tie.sure and _own(tie, ring, lender)


def led_at(tie: Attached, ring: Ring, lender: int) -> bool:
    """Whether an attached subject is no member but a lead at a lender."""
    return not tie.sure and _own(tie, ring, lender)


def _own(tie: Attached, ring: Ring, lender: int) -> bool:
    return told_to(ring, lender) and tie.source in (NOBODY, lender)


def alone(rest: Rest | None, ring: Ints, subject: Ints) -> Ints:
    """Of each member (ring, subject), the lender without whose edges it is none; NOBODY or SEVERAL.

    `rest`: what stays of rings without each lender; None where lenders are not known.
    """
    if rest is None:
        return np.full(len(ring), NOBODY)
    one = distinct(rest.left.group, rest.left.subject)
    case, there = rest.left.group[one], rest.left.subject[one]
    who, _ = dense(np.concatenate([ring, rest.ring[case]]), np.concatenate([subject, there]))
    member, stays = who[: len(ring)], who[len(ring) :]
    size = int(who.max(initial=-1)) + 1
    rings = int(ring.max(initial=-1)) + 1
    missing = count(rest.ring, rings)[ring] - count(stays, size)[member]
    # Lenders are whole numbers: the sum of all but one leaves that one.
    only = (
        total(rest.ring, rest.lender, rings)[ring] - total(stays, rest.lender[case], size)[member]
    )
    judged = count(rest.ring, rings)[ring] > 0
    found = np.where(missing == 1, only.astype(np.int64), SEVERAL)
    return np.asarray(np.where(judged & (missing == 0), NOBODY, found))


def needed(rest: Rest | None) -> dict[str, Ints]:
    """Columns of the table `needs`: rings that are none without a lender's edges."""
    if rest is None:
        return dict.fromkeys(("needs_ring", "needs_lender"), np.zeros(0, dtype=np.int64))
    which = rest.needed()
    return {"needs_ring": rest.ring[which], "needs_lender": rest.lender[which]}
