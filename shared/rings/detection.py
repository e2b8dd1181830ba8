"""What is found: rings, who is attached to them, who is near, and the flag an applicant's lender
sees.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from shared.rings.columns import Ints, Mask
from shared.rings.kinds import Terms
from shared.rings.provenance import attached_at, lead_at, led_at, member_at, told_to
from shared.rings.ring import Attached, Flag, Ring
from shared.rings.traced import Traced

LEAST_SCORE = 60.0
"""Rings that score less are not reported: what the measured precision is of (docs/rings.md)."""


_Standing = Callable[[Attached, Ring, int], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Rings by falling score, subjects attached to those that flag, by ring, and how far each
    subject near one is from it.
    """

    rings: tuple[Ring, ...]
    attached: tuple[Attached, ...]
    _subject: Ints
    _ring: Ints
    _distance: Ints

    def flag(self, subject: int, lender: int | None = None) -> Flag | None:
        """What the applicant's lender is told; None when no ring is within two steps.

        Without a lender, what all of them know together. With one, its own observations count and
        those of a single other make leads (`provenance.py`); a nearest ring that it is not told of
        is no ring to it.
        """
        at = int(np.searchsorted(self._subject, subject))
        if at == len(self._subject) or self._subject[at] != subject:
            return None
        ring, distance = self.rings[self._ring[at]], int(self._distance[at])
        return (
            _told(ring, distance) if lender is None else self._at(subject, ring, distance, lender)
        )

    def _at(self, subject: int, ring: Ring, distance: int, lender: int) -> Flag | None:
        """A lender's flag: member, attached, lead, or near, the first of these that holds."""
        place = ring.members.index(subject) if distance == 0 else 0
        if distance == 0 and member_at(ring, place, lender):
            return _told(ring, 0, single=bool(ring.alone) and ring.alone[place] == lender)
        if own := self._own(subject, lender, attached_at):
            return _told(own, 0, single=True)
        if distance == 0 and lead_at(ring, place, lender):
            return _told(ring, 1, single=True, lead=True)
        if own := self._own(subject, lender, led_at):
            return _told(own, 1, single=True, lead=True)
        return _told(ring, max(distance, 1)) if told_to(ring, lender) else None

    def _own(self, subject: int, lender: int, at: _Standing) -> Ring | None:
        """The best ring to which a lender's own observation ties a subject in this standing."""
        for tie in self.attached:
            if tie.subject == subject and at(tie, self.rings[tie.ring], lender):
                return self.rings[tie.ring]
        return None


def flagged(detection: Detection, floor: float = LEAST_SCORE) -> set[int]:
    """Members of the rings that score at least `floor`."""
    return {member for ring in detection.rings if ring.score >= floor for member in ring.members}


def flagged_at(
    detection: Detection,
    lender: int,
    customers: Collection[int],
    floor: float = LEAST_SCORE,
    leads: bool = False,
) -> set[int]:
    """Those of a lender's customers who count as members there of rings that score `floor`; with
    `leads`, those who are leads there, too.
    """
    found = {
        member
        for ring in detection.rings
        if ring.score >= floor
        for place, member in enumerate(ring.members)
        if member_at(ring, place, lender) or (leads and lead_at(ring, place, lender))
    }
    for tie in detection.attached:
        ring = detection.rings[tie.ring]
        told = attached_at(tie, ring, lender) or (leads and led_at(tie, ring, lender))
        if ring.score >= floor and told:
            found.add(tie.subject)
    return found & set(customers)


def reach(traced: Traced, rings: tuple[Ring, ...], terms: Terms) -> tuple[Ints, Ints, Ints]:
    """Subjects within two steps of a ring that flags, ascending; its number; the distance.

    Of several rings the nearest counts, then the one that scores most.
    """
    none = len(rings)
    size = int(traced.subject.max()) + 1 if len(traced.subject) else 0
    names, node = np.unique(traced.tie_node, return_inverse=True)
    nodes = len(names)
    ring, distance = np.full(size, none), np.full(size, 3)
    for each in reversed(rings):
        if each.score >= terms.flag:
            members = np.array(each.members)
            ring[members], distance[members] = each.number, 0
    for step in (1, 2):
        at_node = np.full(nodes, none)
        np.minimum.at(at_node, node, ring[traced.tie_subject])
        reached = np.full(size, none)
        np.minimum.at(reached, traced.tie_subject, at_node[node])
        new: Mask = (reached < none) & (ring == none)
        ring[new], distance[new] = reached[new], step
    found = np.flatnonzero(ring < none)
    return found, ring[found], distance[found]


def _told(ring: Ring, distance: int, *, single: bool = False, lead: bool = False) -> Flag:
    classes = tuple(reason.name for reason in ring.reasons)
    return Flag(ring.number, distance, classes, _band(ring), single, lead)


def _band(ring: Ring) -> str:
    """The list's own words: two strong kinds, one, or none."""
    strong = sum(Terms().kinds[kind].strong for kind in ring.kinds)
    return "strong" if strong >= 2 or ring.motifs else "single" if strong else "weak"
