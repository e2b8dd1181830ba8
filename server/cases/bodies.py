"""A ring's body: what its members' lenders are shown, with what speaks against it.

Invariants:
- Members and attributes stand in the order of their names, which are hashes: order says nothing.
- Of a member on one lender's word alone there is what that lender says, its mark `listed` included,
  and of who is one on the word of several alone, nothing: it may be a stranger drawn in.
- What is too large is cut: the strongest members and the latest edges stay. Payments are summed
  before the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from server.cases.collected import Collected, Ints
from shared.cases import ring_body
from shared.cases.case_tokens import Rows, ring_names
from shared.cases.ring_body import BodyAttribute, BodyEdge, BodyMember, RingBody
from shared.cases.ring_flag import ordered
from shared.rings.edges import BAND_BASE
from shared.rings.kinds import Kind, Terms
from shared.rings.provenance import NOBODY
from shared.rings.ring import Ring

_SPREAD_WEEKS = 26
_ADDRESS, _EMPLOYER = (Kind.ADDR_UNIT, Kind.ADDR_BUILDING), (Kind.EMPLOYER,)
_EXPOSURES = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class _Named:
    """Indices in the order of their names in the ring, the names, and each index's place."""

    order: Ints
    names: Rows

    @classmethod
    def of(cls, tokens: Rows, which: Ints, ring: bytes) -> _Named:
        names = ring_names(ring, tokens[which])
        order = np.array(sorted(range(len(which)), key=lambda at: names[at].tobytes()), np.int64)
        return cls(which[order], names[order])

    def places(self) -> dict[int, int]:
        return {int(one): place for place, one in enumerate(self.order)}


def body(graph: Collected, ring: Ring, name: bytes) -> RingBody:
    """The body of a ring under its name, 16 bytes."""
    seen = shown(graph, ring)
    there = set(graph.edges.subject[seen].tolist())
    known = zip(ring.members, ring.strength, strict=True)
    strength = {member: value for member, value in known if member in there}
    strongest = sorted(strength, key=lambda one: (-strength[one], one))[: ring_body.MOST_MEMBERS]
    rows = _rows(graph, seen, strongest)
    people = _Named.of(graph.subjects, np.array(strongest, np.int64), name)
    things = _Named.of(graph.attributes, np.unique(graph.edges.attribute[rows]), name)
    edges = _edges(graph, rows, people.places(), things.places())
    return RingBody(
        ring=name,
        score=round(ring.score),
        reasons=ordered({reason.name for reason in ring.reasons}),
        motifs=ordered({motif.name.lower() for motif in ring.motifs}),
        members=_members(graph, ring, people, strength, rows),
        attributes=_attributes(graph, things, rows),
        edges=edges,
        counter_evidence=_counter_evidence(graph, ring, rows),
        exposure_band=_exposure(graph, seen),
        first_week=ring.first_week,
        last_week=ring.last_week,
    )


def shown(graph: Collected, ring: Ring) -> Ints:
    """The ring's edges that a body may have: of a member on one lender's word alone that lender's,
    of one on the word of several alone none.
    """
    rows = np.array(ring.edges, np.int64)
    alone = dict(zip(ring.members, ring.alone, strict=False))
    word = np.array([alone.get(int(one), NOBODY) for one in graph.edges.subject[rows]], np.int64)
    return np.asarray(rows[(word == NOBODY) | (word == graph.sources[rows])])


def _rows(graph: Collected, rows: Ints, members: Sequence[int]) -> Ints:
    """Edges of these members, the latest first, as many as fit."""
    rows = rows[np.isin(graph.edges.subject[rows], np.array(members))]
    rows = rows[np.argsort(-graph.edges.week[rows].astype(np.int64), kind="stable")]
    rows = rows[: ring_body.MOST_EDGES]
    _, first = np.unique(graph.edges.attribute[rows], return_index=True)
    things = graph.edges.attribute[rows][np.sort(first)[: ring_body.MOST_ATTRIBUTES]]
    return np.asarray(rows[np.isin(graph.edges.attribute[rows], things)])


def _members(
    graph: Collected, ring: Ring, people: _Named, strength: dict[int, float], rows: Ints
) -> tuple[BodyMember, ...]:
    listed = _listed(graph, ring)
    lenders = _lenders(graph.edges.subject[rows], graph.sources[rows])
    return tuple(
        BodyMember(
            token.tobytes(),
            round(100 * strength[int(who)]),
            int(who) in listed,
            "2+" if len(lenders.get(int(who), ())) > 1 else "1",
        )
        for who, token in zip(people.order, people.names, strict=True)
    )


def _listed(graph: Collected, ring: Ring) -> set[int]:
    """Members whom some lender marked as listed; on whose word alone they are ones, that lender."""
    word = dict(zip(ring.members, ring.alone or (NOBODY,) * len(ring.members), strict=True))
    heard = np.flatnonzero(graph.by)  # few of all, and this is asked of every ring
    heard = heard[np.isin(graph.edges.subject[heard], np.array(ring.members))]
    said = zip(graph.edges.subject[heard].tolist(), graph.sources[heard].tolist(), strict=True)
    return {member for member, lender in said if word[member] in (NOBODY, lender)}


def _attributes(graph: Collected, things: _Named, rows: Ints) -> tuple[BodyAttribute, ...]:
    kinds = dict(zip(graph.edges.attribute[rows], graph.edges.kind[rows], strict=True))
    return tuple(
        BodyAttribute(token.tobytes(), int(kinds[thing]), _sharers(int(graph.sharers[thing])))
        for thing, token in zip(things.order, things.names, strict=True)
    )


def _edges(
    graph: Collected, rows: Ints, people: dict[int, int], things: dict[int, int]
) -> tuple[BodyEdge, ...]:
    edges, confirmed = graph.edges, dict[tuple[int, int, int, int, int], set[int]]()
    for row in rows:
        one, two = people[int(edges.subject[row])], things[int(edges.attribute[row])]
        what = (int(edges.kind[row]), int(edges.week[row]), int(edges.band[row]))
        confirmed.setdefault((one, two, *what), set()).add(int(graph.sources[row]))
    return tuple(BodyEdge(*one, min(len(confirmed[one]), 2)) for one in sorted(confirmed))


def _counter_evidence(graph: Collected, ring: Ring, rows: Ints) -> tuple[str, ...]:
    """What an investigator should see that speaks against the ring."""
    edges, sources = graph.edges, graph.sources[rows]
    caps = Terms().caps()[edges.kind[rows]]
    found = {
        "one_address": _half_at_one(graph, ring, rows, _ADDRESS),
        "one_employer": _half_at_one(graph, ring, rows, _EMPLOYER),
        "crowded": bool((graph.sharers[edges.attribute[rows]] > caps).any()),
        "spread_in_time": ring.last_week - ring.first_week > _SPREAD_WEEKS,
        "no_money": not ring.motifs,
        "nobody_listed": not _listed(graph, ring),
        "mostly_one_lender": len(rows) > 0 and 4 * np.bincount(sources).max() >= 3 * len(rows),
    }
    return tuple(word for word in ring_body.COUNTER_EVIDENCE if found[word])


def _half_at_one(graph: Collected, ring: Ring, rows: Ints, kinds: Sequence[Kind]) -> bool:
    rows = rows[np.isin(graph.edges.kind[rows], np.array(kinds))]
    people = _lenders(graph.edges.attribute[rows], graph.edges.subject[rows])
    return 2 * max(map(len, people.values()), default=0) >= len(ring.members)


def _lenders(keys: Ints, values: Ints) -> dict[int, set[int]]:
    """The different values of each key."""
    found = dict[int, set[int]]()
    for key, value in zip(keys, values, strict=True):
        found.setdefault(int(key), set()).add(int(value))
    return found


def _sharers(number: int) -> str:
    return ring_body.SHARERS_BANDS[sum(number >= bound for bound in (2, 3, 6, 11))]


def _exposure(graph: Collected, rows: Ints) -> str:
    """Payments by the lower ends of their bands, each edge once, also what is cut from the body:
    a bound from below. Band 1 begins at nothing.
    """
    edges = graph.edges.take(rows)
    edges = edges.take(edges.distinct())
    bands = edges.band[(edges.kind == Kind.PAYEE) & (edges.band > 0)].astype(np.int64)
    if not len(bands):
        return ring_body.EXPOSURE_BANDS[0]
    amount = int((BAND_BASE * 2.0 ** (bands[bands > 1] - 2)).sum())
    return ring_body.EXPOSURE_BANDS[1 + sum(amount >= bound for bound in _EXPOSURES)]
