"""Rings at one week, scored 0 to 100, and what an applicant tied to one is told.

The score is the chance that log-odds stand for. They fall by ln 2 with every half-life since the
ring's latest tie, and listed subjects nearby add to them, yet a ring that misses the floor stays
below it however much is listed around it: being near a listed person proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shared.errors import OperatorError
from shared.rings.background import Background
from shared.rings.columns import Floats, Ints, Mask
from shared.rings.edges import Edges
from shared.rings.graph import Graph
from shared.rings.kinds import Kind, Terms
from shared.rings.motifs import Motif
from shared.rings.proximity import proximity
from shared.rings.ring import Flag, Reason, Ring
from shared.rings.traced import MOTIF_CODE, Traced


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """Rings by falling score, and how far each subject near one is from it."""

    rings: tuple[Ring, ...]
    _subject: Ints
    _ring: Ints
    _distance: Ints

    def flag(self, subject: int) -> Flag | None:
        """What the applicant's lender is told; None when no ring is within two steps."""
        at = int(np.searchsorted(self._subject, subject))
        if at == len(self._subject) or self._subject[at] != subject:
            return None
        ring, distance = self.rings[self._ring[at]], int(self._distance[at])
        classes = tuple(reason.name for reason in ring.reasons)
        return Flag(ring.number, distance, classes, _band(ring))


def flagged(detection: Detection, floor: float = 60.0) -> set[int]:
    """Members of the rings that score at least `floor`."""
    return {member for ring in detection.rings if ring.score >= floor for member in ring.members}


def detect(
    edges: Edges | Graph,
    *,
    week: int,
    seeds: Sequence[int] = (),
    terms: Terms | None = None,
    background: Background | None = None,
) -> Detection:
    """Rings among edges up to `week`; `seeds` are subjects on the list.

    Without a background, that of the edges. A Graph brings its own terms and background, and must
    have no later edge. OperatorError otherwise.
    """
    if isinstance(edges, Graph):
        if edges.last_week > week:
            raise OperatorError(
                f"the graph has edges up to week {edges.last_week}, later than week {week}",
                remedy="ask for the week of the graph's latest edge, or pass the edges instead",
            )
        return _detection(edges, week, seeds, np.arange(len(edges.edges)))
    known = np.flatnonzero(edges.week <= week)
    known = known[edges.take(known).distinct()]
    return _detection(Graph.of(edges.take(known), terms, background), week, seeds, known)


def _detection(graph: Graph, week: int, seeds: Sequence[int], places: Ints) -> Detection:
    traced, terms = graph.traced, graph.terms
    near = _near(traced, seeds, terms)
    score = _scores(traced, week, near, terms)
    rings = _rings(traced, score, places, terms)
    return Detection(rings, *_reach(traced, rings, terms))


def _near(traced: Traced, seeds: Sequence[int], terms: Terms) -> Floats:
    """Proximity of each ring to the listed: what stays with its members, at most 1."""
    result = np.zeros(traced.rings)
    size = int(traced.subject.max()) + 1 if len(traced.subject) else 0
    listed = np.zeros(size, dtype=bool)
    listed[[each for each in set(seeds) if 0 <= each < size]] = True
    if not listed[traced.tie_subject].any():
        return result
    subject, stays = proximity(
        traced.tie_subject, traced.tie_node, traced.tie_weight, listed, terms.restart
    )
    held = np.zeros(size)
    held[subject] = stays
    np.add.at(result, traced.member_ring, held[traced.member_subject])
    return np.minimum(np.round(result, 9), 1.0)


def _scores(traced: Traced, week: int, near: Floats, terms: Terms) -> Floats:
    age = np.maximum(week - traced.ring_last, 0)
    odds = traced.ring_evidence - np.log(2) * age / terms.half_life_weeks
    odds = np.clip(odds + terms.seed_weight * near, -50, 50)
    score: Floats = np.round(100 / (1 + np.exp(-odds)), 6)
    return np.asarray(np.where(traced.ring_proved, score, np.minimum(score, terms.unproved)))


def _rings(traced: Traced, score: Floats, places: Ints, terms: Terms) -> tuple[Ring, ...]:
    chosen = np.flatnonzero(score >= terms.report)
    members = _by_ring(traced.member_ring, traced.rings)
    reasons = _by_ring(traced.reason_ring, traced.rings)
    edges = _by_ring(traced.edge_ring, traced.rings)
    rings = [
        _ring(
            traced,
            float(score[each]),
            int(each),
            members(each),
            reasons(each),
            places[np.unique(traced.edge_index[edges(each)])],
        )
        for each in chosen
    ]
    rings.sort(key=lambda ring: (-ring.score, -len(ring.members), ring.first_week, ring.members))
    return tuple(replace(ring, number=number) for number, ring in enumerate(rings))


def _by_ring(ring: Ints, rings: int):  # type: ignore[no-untyped-def]
    """A function from a ring to its rows."""
    order = np.argsort(ring, kind="stable")
    bounds = np.searchsorted(ring[order], np.arange(rings + 1))
    return lambda each: order[bounds[each] : bounds[each + 1]]


def _ring(
    traced: Traced, score: float, number: int, members: Ints, reasons: Ints, edges: Ints
) -> Ring:
    members = members[np.argsort(traced.member_subject[members])]
    why = sorted(
        (
            Reason(
                _name(int(traced.reason_code[row])),
                int(traced.reason_members[row]),
                int(traced.reason_points[row]),
                round(float(traced.reason_weight[row]), 6),
            )
            for row in reasons
        ),
        key=lambda reason: (-reason.weight, reason.name),
    )
    codes = sorted(int(code) for code in traced.reason_code[reasons])
    return Ring(
        number=number,
        members=tuple(int(each) for each in traced.member_subject[members]),
        score=score,
        strength=tuple(float(each) for each in traced.member_strength[members]),
        reasons=tuple(why),
        kinds=tuple(Kind(code) for code in codes if code < MOTIF_CODE),
        motifs=tuple(Motif(code - MOTIF_CODE) for code in codes if code >= MOTIF_CODE),
        edges=tuple(int(each) for each in edges),
        first_week=int(traced.ring_first[number]),
        last_week=int(traced.ring_last[number]),
    )


def _name(code: int) -> str:
    return (Kind(code) if code < MOTIF_CODE else Motif(code - MOTIF_CODE)).name.lower()


def _reach(traced: Traced, rings: tuple[Ring, ...], terms: Terms) -> tuple[Ints, Ints, Ints]:
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


def _band(ring: Ring) -> str:
    """The list's own words: two strong kinds, one, or none."""
    strong = sum(Terms().kinds[kind].strong for kind in ring.kinds)
    return "strong" if strong >= 2 or ring.motifs else "single" if strong else "weak"
