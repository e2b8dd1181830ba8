"""Rings at one week, scored 0 to 100, and what an applicant tied to one is told.

The score is the chance that log-odds stand for. They fall by ln 2 with every half-life since the
ring's latest tie, and listed subjects nearby add to them, yet a ring that misses the floor stays
below it however much is listed around it: being near a listed person proves nothing.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shared.errors import OperatorError
from shared.rings.assembly import attached_to, rings_of
from shared.rings.background import Background
from shared.rings.columns import Floats, Ints
from shared.rings.detection import Detection, flagged, reach
from shared.rings.edges import Edges, source_column
from shared.rings.graph import Graph
from shared.rings.kinds import Terms
from shared.rings.proximity import proximity
from shared.rings.traced import Traced

__all__ = ["Detection", "detect", "flagged"]


def detect(
    edges: Edges | Graph,
    *,
    week: int,
    seeds: Sequence[int] = (),
    terms: Terms | None = None,
    background: Background | None = None,
    sources: npt.ArrayLike | None = None,
) -> Detection:
    """Rings among edges up to `week`; `seeds` are subjects on the list, `sources` (n,) says which
    lender contributed each edge.

    Without a background, that of the edges. A Graph brings its own terms, background and sources,
    and must have no later edge: OperatorError otherwise. PeerError when sources do not fit.
    """
    if isinstance(edges, Graph):
        if edges.last_week > week:
            raise OperatorError(
                f"the graph has edges up to week {edges.last_week}, later than week {week}",
                remedy="ask for the week of the graph's latest edge, or pass the edges instead",
            )
        return _detection(edges, week, seeds, np.arange(len(edges.edges)))
    known = np.flatnonzero(edges.week <= week)
    given = None if sources is None else source_column(sources, edges)
    known = known[edges.take(known).distinct(None if given is None else given[known])]
    theirs = None if given is None else given[known]
    return _detection(Graph.of(edges.take(known), terms, background, theirs), week, seeds, known)


def _detection(graph: Graph, week: int, seeds: Sequence[int], places: Ints) -> Detection:
    traced, terms = graph.traced, graph.terms
    near = _near(traced, seeds, terms)
    score = _scores(traced, week, near, terms)
    rings, number = rings_of(graph, score, places)
    ties = attached_to(graph, rings, number, places)
    return Detection(rings, ties, *reach(traced, rings, terms))


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
