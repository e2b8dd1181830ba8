"""From tables to what is told: rings by falling score, and who is attached to those that flag."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from shared.rings.columns import Floats, Ints
from shared.rings.graph import Graph
from shared.rings.kinds import Kind
from shared.rings.motifs import Motif
from shared.rings.provenance import NOBODY
from shared.rings.ring import Attached, Reason, Ring
from shared.rings.traced import MOTIF_CODE, Traced


def rings_of(graph: Graph, score: Floats, places: Ints) -> tuple[tuple[Ring, ...], Ints]:
    """Rings by falling score, and the number given to each of the tables' rings, -1 for none.

    `score` of each of the tables' rings; `places` of the graph's edges among those asked about.
    """
    traced = graph.traced
    reasons = _by_ring(traced.reason_ring, traced.rings)
    members = _by_ring(traced.member_ring, traced.rings)
    edges = _by_ring(traced.edge_ring, traced.rings)
    codes = traced.reason_code
    found = []
    for each in np.flatnonzero(score >= graph.terms.report).tolist():
        why = tuple(sorted(codes[reasons(each)].tolist()))
        used = np.unique(traced.edge_index[edges(each)])
        who = members(each)[np.argsort(traced.member_subject[members(each)])]
        ring = Ring(
            number=each,
            members=tuple(traced.member_subject[who].tolist()),
            score=float(score[each]),
            strength=tuple(traced.member_strength[who].tolist()),
            reasons=_reasons(traced, reasons(each)),
            kinds=tuple(Kind(code) for code in why if code < MOTIF_CODE),
            motifs=tuple(Motif(code - MOTIF_CODE) for code in why if code >= MOTIF_CODE),
            edges=tuple(places[used].tolist()),
            first_week=int(traced.ring_first[each]),
            last_week=int(traced.ring_last[each]),
            sources=() if graph.sources is None else _different(graph.sources[used]),
            alone=tuple(traced.member_alone[who].tolist()),
            needs=_different(traced.needs_lender[traced.needs_ring == each]),
        )
        found.append(ring)
    found.sort(key=lambda ring: (-ring.score, -len(ring.members), ring.first_week, ring.members))
    number = np.full(traced.rings, -1)
    number[[ring.number for ring in found]] = np.arange(len(found))
    return tuple(replace(ring, number=at) for at, ring in enumerate(found)), number


def attached_to(
    graph: Graph, rings: tuple[Ring, ...], number: Ints, places: Ints
) -> tuple[Attached, ...]:
    """Who is attached to the rings that flag; `number` and `places` as in `rings_of`."""
    traced, sources = graph.traced, graph.sources
    flags = np.zeros(traced.rings + 1, dtype=bool)
    flags[:-1] = [at >= 0 and rings[at].score >= graph.terms.flag for at in number.tolist()]
    found: dict[tuple[int, int, int], Attached] = {}
    for row in np.flatnonzero(flags[traced.attached_ring]).tolist():
        tie = Attached(
            int(traced.attached_subject[row]),
            int(number[traced.attached_ring[row]]),
            int(places[traced.attached_index[row]]),
            NOBODY if sources is None else int(sources[traced.attached_index[row]]),
            bool(traced.attached_sure[row]),
        )
        # One edge can tie at two points of a ring.
        key = tie.ring, tie.subject, tie.edge
        found[key] = tie if tie.sure else found.get(key, tie)
    return tuple(found[key] for key in sorted(found))


def _by_ring(ring: Ints, rings: int) -> Callable[[int], Ints]:
    """A function from a ring to its rows."""
    order = np.argsort(ring, kind="stable")
    bounds = np.searchsorted(ring[order], np.arange(rings + 1))
    return lambda each: order[bounds[each] : bounds[each + 1]]


def _different(values: npt.NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(np.unique(values).tolist())


def _reasons(traced: Traced, rows: Ints) -> tuple[Reason, ...]:
    """The heaviest first."""
    found = [
        Reason(
            _name(int(traced.reason_code[row])),
            int(traced.reason_members[row]),
            int(traced.reason_points[row]),
            round(float(traced.reason_weight[row]), 6),
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda reason: (-reason.weight, reason.name)))


def _name(code: int) -> str:
    return (Kind(code) if code < MOTIF_CODE else Motif(code - MOTIF_CODE)).name.lower()
