"""What a detection puts into the bulletin: a flag of each subject near a ring, a body of each ring.

Invariants:
- A ring that one lender's edges alone evidence is not published: that lender can see it by itself.
- Who is a member on one lender's word alone is published as one step away, with that lender's mark:
  it knows it again, and takes the subject for a member; nobody else does
  (`shared.rings.provenance`). On the word of several alone, it is one step away for all.
- A lender without whose edges the ring is none gets no key by its word: with two people made up
  around a stranger's telephone it would open that stranger's record.
- A ring keeps its name from week to week while at least half of it stays; its key is new each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from server.cases.bodies import body, shown
from server.cases.collected import Collected
from shared.cases.case_tokens import ring_names
from shared.cases.ring_body import RingBody
from shared.cases.ring_flag import (
    MARK_BYTES,
    MOST_MARKS,
    MOST_TIES,
    RingFlag,
    Tie,
    mark_of,
    ordered,
    score_band,
)
from shared.rings.detect import Detection
from shared.rings.detection import LEAST_SCORE
from shared.rings.kinds import Terms
from shared.rings.provenance import NOBODY
from shared.rings.ring import Ring
from shared.tokens.group import RandomBytes

_Place = tuple[int, int, tuple[int, ...], frozenset[int]]
"""Ring, distance, and edges and lenders on whose word alone it is: none where that is not so."""
_NO_ONE = frozenset[int]()


@dataclass(frozen=True)
class Findings:
    """`flags`: by subject token; `bodies`: by ring key; `rings`: members' tokens by ring."""

    flags: dict[bytes, RingFlag]
    bodies: dict[bytes, RingBody]
    rings: dict[bytes, frozenset[bytes]]


def findings(
    graph: Collected,
    detection: Detection,
    before: Mapping[bytes, frozenset[bytes]],
    random: RandomBytes,
    least_score: float = LEAST_SCORE,
) -> Findings:
    """All that is published of a detection; `before`: the rings of the last bulletin."""
    told = [
        ring
        for ring in detection.rings
        if ring.score >= least_score and len(ring.sources) != 1 and len(shown(graph, ring)) > 0
    ]
    tokens = {
        ring.number: frozenset(graph.subjects[member].tobytes() for member in ring.members)
        for ring in told
    }
    names = _names(tokens, before, random)
    keys = {ring.number: random(32) for ring in told}
    flags = _flags(graph, detection, told, names, keys, random)
    bodies = {keys[ring.number]: body(graph, ring, names[ring.number]) for ring in told}
    return Findings(flags, bodies, {names[number]: who for number, who in tokens.items()})


def _names(
    rings: Mapping[int, frozenset[bytes]],
    before: Mapping[bytes, frozenset[bytes]],
    random: RandomBytes,
) -> dict[int, bytes]:
    names: dict[int, bytes] = {}
    for number, members in rings.items():
        free = [name for name in before if name not in names.values()]
        best = max(free, key=lambda name: (len(before[name] & members), name), default=None)
        keeps = best is not None and 2 * len(before[best] & members) >= len(before[best])
        names[number] = best if best is not None and keeps else random(16)
    return names


def _flags(
    graph: Collected,
    detection: Detection,
    told: Sequence[Ring],
    names: Mapping[int, bytes],
    keys: Mapping[int, bytes],
    random: RandomBytes,
) -> dict[bytes, RingFlag]:
    rings = {ring.number: ring for ring in told}
    near = _near(graph, told) | _single(graph, told, detection)
    flags: dict[bytes, RingFlag] = {}
    for subject, (number, distance, edges, lenders) in near.items():
        ring, token = rings[number], graph.subjects[subject].tobytes()
        keyed = distance == 0 or (bool(lenders) and lenders.isdisjoint(ring.needs))
        flags[token] = RingFlag(
            names[number],
            distance,
            ordered({reason.name for reason in ring.reasons}),
            _strength(ring),
            score_band(ring.score),
            _ties(graph, names[number], edges),
            bool(lenders),
            keys[number] if keyed else None,
            _marks(graph, lenders, names[number], token, random),
        )
    return flags


def _near(graph: Collected, told: Sequence[Ring]) -> dict[int, _Place]:
    """Members that several lenders' word ties, at distance 0; and who is one or two steps from any
    member, over strong kinds below their cap: with offices and houses it would be everybody.
    """
    none = len(told)
    ring = np.full(len(graph.subjects), none)
    for at in reversed(range(none)):
        ring[np.array(told[at].members)] = at
    distance = np.where(ring < none, 0, 3)
    terms, edges = Terms(), graph.edges
    ties = np.flatnonzero(terms.strong()[edges.kind])
    ties = ties[graph.sharers[edges.attribute[ties]] <= terms.caps()[edges.kind[ties]]]
    subject, thing = edges.subject[ties], edges.attribute[ties]
    for step in (1, 2):
        best, reached = np.full(len(graph.attributes), none), np.full(len(ring), none)
        np.minimum.at(best, thing, ring[subject])
        np.minimum.at(reached, subject, best[thing])
        new = (ring == none) & (reached < none)
        ring[new], distance[new] = reached[new], step
    for one in told:
        for member, lender in zip(one.members, one.alone, strict=False):
            distance[member] = max(distance[member], int(lender != NOBODY))
    near = np.flatnonzero(ring < none)
    return {int(one): (told[ring[one]].number, int(distance[one]), (), _NO_ONE) for one in near}


def _single(graph: Collected, told: Sequence[Ring], detection: Detection) -> dict[int, _Place]:
    """Of who is a member on one lender's word alone: the best such ring, a step away."""
    edges, said = graph.edges.subject, graph.sources
    word = dict[tuple[int, int], list[int]]()
    for ring in told:
        alone = dict(zip(ring.members, ring.alone, strict=False))
        for edge in ring.edges:
            if alone.get(int(edges[edge]), NOBODY) == said[edge]:
                word.setdefault((int(edges[edge]), ring.number), []).append(edge)
    numbers = {ring.number for ring in told}
    for tie in detection.attached:
        if tie.ring in numbers:
            word.setdefault((tie.subject, tie.ring), []).append(tie.edge)
    found: dict[int, _Place] = {}
    for (subject, number), own in sorted(word.items()):
        lenders = frozenset(int(said[edge]) for edge in own)
        found.setdefault(subject, (number, 1, tuple(own[-MOST_TIES:]), lenders))
    return found


def _marks(
    graph: Collected, lenders: frozenset[int], ring: bytes, subject: bytes, random: RandomBytes
) -> tuple[bytes, ...]:
    """Those of the lenders among drawn ones, in the order of their bytes; none without lenders."""
    marks = [mark_of(graph.marks[one], ring, subject) for one in sorted(lenders)][:MOST_MARKS]
    drawn = range(MOST_MARKS - len(marks) if marks else 0)
    return tuple(sorted([*marks, *(random(MARK_BYTES) for _ in drawn)]))


def _ties(graph: Collected, ring: bytes, edges: Sequence[int]) -> tuple[Tie, ...]:
    which = np.array(edges, np.int64)
    tokens = ring_names(ring, graph.attributes[graph.edges.attribute[which]])
    return tuple(
        Tie(token.tobytes(), int(graph.edges.kind[edge]), int(graph.edges.week[edge]))
        for token, edge in zip(tokens, edges, strict=True)
    )


def _strength(ring: Ring) -> str:
    strong = sum(Terms().kinds[kind].strong for kind in ring.kinds)
    return "strong" if strong >= 2 or ring.motifs else "single" if strong else "weak"
