"""What a detection puts into the bulletin: a flag of each subject near a ring, a body of each ring.

Invariants:
- A ring that one lender's edges alone evidence is not published: that lender can see it by itself.
- Who is a member on one lender's word alone is published as a lead, one step away, with that
  lender's mark: it knows it again, and takes the subject for a member; nobody else does
  (`shared.rings.provenance`). On the word of several single ones, it is a lead for all.
- Whom a lender's own observation ties to what is no ring without some other one is a lead for that
  lender, by a mark of its own kind, and near for all others.
- A ring of which every member is a lead only has flags and no body: there is nothing to be shown.
- The key of a ring that comes with such a flag is sealed for that lender: it opens for nobody else.
- A lender without whose edges the ring is none gets no key by its word: with two people made up
  around a stranger's telephone it would open that stranger's record.
- A ring keeps its name from week to week while at least half of it stays; its key is new each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
    lead_mark_of,
    mark_of,
    ordered,
    score_band,
)
from shared.cases.sealed_key import KEY_BYTES, SealedKey, with_pad
from shared.rings.detect import Detection
from shared.rings.detection import LEAST_SCORE
from shared.rings.kinds import Terms
from shared.rings.provenance import NOBODY
from shared.rings.ring import Ring
from shared.tokens.group import RandomBytes


@dataclass(frozen=True)
class _Place:
    """Ring and distance; `lead`: one to all lenders but those on whose word alone the subject is a
    member; `lenders`: these, `leads`: to whom alone it is a lead by its own tie; `edges`: theirs.
    """

    ring: int
    distance: int
    lead: bool = False
    lenders: frozenset[int] = frozenset()
    leads: frozenset[int] = frozenset()
    edges: tuple[int, ...] = ()


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
        ring for ring in detection.rings if ring.score >= least_score and len(ring.sources) != 1
    ]
    tokens = {
        ring.number: frozenset(graph.subjects[member].tobytes() for member in ring.members)
        for ring in told
    }
    names = _names(tokens, before, random)
    bodied = [ring for ring in told if len(shown(graph, ring)) > 0]
    keys = {ring.number: random(32) for ring in bodied}
    flags = _flags(graph, detection, told, names, keys, random)
    bodies = {keys[ring.number]: body(graph, ring, names[ring.number]) for ring in bodied}
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
    strength = {ring.number: _strength(ring) for ring in told}
    near = _near(graph, told)
    flags: dict[bytes, RingFlag] = {}
    for subject, place in (near | _single(graph, told, detection, near)).items():
        ring, token = rings[place.ring], graph.subjects[subject].tobytes()
        opens = bool(place.lenders) and place.lenders.isdisjoint(ring.needs)
        name, key = names[ring.number], keys.get(ring.number)
        marks = _marks(graph, place, name, token, random)
        flags[token] = RingFlag(
            name,
            place.distance,
            ordered({reason.name for reason in ring.reasons}),
            strength[ring.number],
            score_band(ring.score),
            _ties(graph, name, place.edges),
            bool(place.lenders | place.leads),
            key if place.distance == 0 else None,
            tuple(mark for mark, _ in marks),
            place.lead,
            _sealed(key, [by for _, by in marks], name, token, random) if key and opens else None,
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
    found = dict[int, _Place]()
    for person in np.flatnonzero(ring < none).tolist():
        found[person] = _Place(told[int(ring[person])].number, int(distance[person]))
    for at, one in enumerate(told):
        for member, lender in zip(one.members, one.alone, strict=False):
            if ring[member] == at and lender != NOBODY:
                found[member] = _Place(one.number, 1, lead=True)
    return found


def _single(
    graph: Collected, told: Sequence[Ring], detection: Detection, near: Mapping[int, _Place]
) -> dict[int, _Place]:
    """Of who is a member, or a lead, on one lender's word alone: the best such ring, a step away. A
    member of another ring stays that, and so does a lead rather than become one by its own tie.
    """
    sure, unsure = _words(graph, told, detection)
    found: dict[int, _Place] = {}
    for (subject, number), edges in sorted(sure.items()):
        here, hints = near.get(subject), unsure.get((subject, number), [])
        if subject in found or (here is not None and here.distance == 0):
            continue
        lead = here is not None and here.lead and here.ring == number
        said = _Place(number, 1, lead, _said(graph, edges), edges=tuple(edges[-MOST_TIES:]))
        found[subject] = replace(said, leads=_said(graph, hints) - said.lenders)
    for (subject, number), edges in sorted(unsure.items()):
        here = near.get(subject)
        if subject in found or (here is not None and (here.lead or here.distance == 0)):
            continue
        leads = _said(graph, edges)
        found[subject] = _Place(number, 1, leads=leads, edges=tuple(edges[-MOST_TIES:]))
    return found


_Words = dict[tuple[int, int], list[int]]


def _words(graph: Collected, told: Sequence[Ring], detection: Detection) -> tuple[_Words, _Words]:
    """Edges, by subject and ring, on which alone it is a member at their lenders; or a lead."""
    sure, unsure = _Words(), _Words()
    for ring in told:
        alone = dict(zip(ring.members, ring.alone, strict=False))
        for edge in ring.edges:
            subject = int(graph.edges.subject[edge])
            if alone.get(subject, NOBODY) == graph.sources[edge]:
                sure.setdefault((subject, ring.number), []).append(edge)
    numbers = {ring.number for ring in told}
    for tie in detection.attached:
        if tie.ring in numbers:
            word = sure if tie.sure else unsure
            word.setdefault((tie.subject, tie.ring), []).append(tie.edge)
    return sure, unsure


def _said(graph: Collected, edges: Sequence[int]) -> frozenset[int]:
    return frozenset(int(graph.sources[edge]) for edge in edges)


def _marks(
    graph: Collected, place: _Place, ring: bytes, subject: bytes, random: RandomBytes
) -> list[tuple[bytes, bytes | None]]:
    """Those of the lenders among drawn ones, in the order of their bytes; none without lenders.
    With each, the mark key of a lender to which the subject is a member.
    """
    marks = list[tuple[bytes, bytes | None]]()
    for one in sorted(place.lenders):
        marks.append((mark_of(graph.marks[one], ring, subject), graph.marks[one]))
    marks += [(lead_mark_of(graph.marks[one], ring, subject), None) for one in sorted(place.leads)]
    drawn = range(MOST_MARKS - len(marks) if marks else 0)
    there = [*marks[:MOST_MARKS], *((random(MARK_BYTES), None) for _ in drawn)]
    return sorted(there, key=lambda pair: pair[0])


def _sealed(
    key: bytes,
    by: Sequence[bytes | None],
    ring: bytes,
    subject: bytes,
    random: RandomBytes,
) -> SealedKey:
    """The ring's key in the slots of lenders with these mark keys; drawn bytes in the others."""
    nonce = random(KEY_BYTES)
    slots = [
        random(KEY_BYTES) if mark is None else with_pad(key, mark, nonce, ring, subject)
        for mark in by
    ]
    return SealedKey(nonce, tuple(slots))


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
