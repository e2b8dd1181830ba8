"""The rings that `shared.rings.detect` finds, found in parts: exactly the same ones.

    edges ──by attribute──► shards ──► points, counts ──► one background
                              │          └──► households and rare points ──► components
                              └──by component──► parts ──► analyse each ──► tables ──► rings

Invariants:
- Whether an edge ties, and with whom, is decided by all edges of its attribute, which lie in one
  shard; beside them by homes, and by things that crowds have, which every shard is given.
- The background is counted over all shards before anything is judged by it.
- A part holds whole components, and of each attribute that its people meet at every edge.

What one process still holds: the edges of units and of crowds' things, the homes that hang
together, the ties that proximity walks on, and the edges that found rings rest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from server.large_rings.engine import Engine, swapped
from server.large_rings.hanging_together import Pairs, hanging, part_of, within
from server.large_rings.one_background import one_background
from server.large_rings.piece import Piece, together
from server.large_rings.shard import Met, common, points
from shared.rings.analysis import analyse
from shared.rings.background import Background
from shared.rings.columns import Ints
from shared.rings.detect import Detection, detect
from shared.rings.edges import Edges
from shared.rings.graph import Graph
from shared.rings.kinds import Terms
from shared.rings.traced import Traced

_POINT = 1 << 41
"""Numbers of points begin here, above those of all subjects."""


def detect_in_parts(
    engine: Engine,
    pieces: Sequence[Any],
    *,
    week: int,
    seeds: Sequence[int] = (),
    terms: Terms | None = None,
) -> Detection:
    """Rings among edges up to `week`; `pieces`: references to `Piece`s, in as many parts as the
    detection is to have. `seeds`: subjects on the list. Raises what `shared.rings.detect` raises.
    """
    terms, parts = terms or Terms(), len(pieces)
    shards = swapped(engine, by_attribute, pieces, gathered, week)
    everywhere = engine.done(together_of, *(engine.done(common, one, terms) for one in shards))
    met = [engine.done(points, one, everywhere, terms, parts, at) for at, one in enumerate(shards)]
    background = engine.kept(one_background(engine, met, terms))
    ties = [engine.done(linked, one, background, terms, at) for at, one in enumerate(met)]
    roots = engine.done(all_pairs, *hanging(engine, ties))
    dealt = [
        engine.dealt(by_component, parts, shard, one, roots, parts)
        for shard, one in zip(shards, met, strict=True)
    ]
    found = [
        engine.done(analysed, everywhere, background, terms, *(piece[at] for piece in dealt))
        for at in range(parts)
    ]
    whole: Background = engine.fetched([background])[0]
    return _told(engine.fetched(found), whole, week, seeds, terms)


def by_attribute(piece: Piece, week: int, parts: int) -> list[Piece]:
    """Its edges up to `week`, by the shard of their attribute."""
    piece = piece.take(piece.edges.week <= week)
    part = part_of(piece.edges.attribute, parts)
    return [piece.take(part == at) for at in range(parts)]


def gathered(*pieces: Piece) -> Piece:
    """A shard: equal edges are of one attribute, so here they meet."""
    return together(pieces).distinct()


def together_of(*pieces: Piece) -> Piece:
    """All of them."""
    return together(pieces)


def linked(met: Met, background: Background, terms: Terms, at: int) -> Pairs:
    """Households that meet at points so rare that a group may hang on them."""
    rare = background.surprise(met.classes) >= min(terms.levels)
    kept = rare[met.point]
    node, smallest = within((met.home[kept], _POINT + met.point[kept]))
    homes = node < _POINT
    return node[homes], smallest[homes]


def all_pairs(*given: Pairs) -> Pairs:
    """In the order of their nodes."""
    node, root = (np.concatenate([pairs[at] for pairs in given]) for at in range(2))
    order = np.argsort(node)
    return node[order], root[order]


def by_component(shard: Piece, met: Met, roots: Pairs, parts: int) -> list[tuple[Piece, Ints]]:
    """By the part of the component of whoever is tied there: all edges of such attributes, and
    those people.
    """
    node, root = roots
    at = np.minimum(np.searchsorted(node, met.tied_home), max(len(node) - 1, 0))
    hangs = node[at] == met.tied_home if len(node) else np.zeros(len(met.tied), dtype=bool)
    component = met.tied_home.copy()
    component[hangs] = root[at[hangs]]
    part = part_of(component, parts)
    return [
        (
            shard.take(np.isin(shard.edges.attribute, met.tied_at[part == each])),
            np.unique(met.tied[part == each]),
        )
        for each in range(parts)
    ]


def analysed(
    everywhere: Piece, background: Background, terms: Terms, *given: tuple[Piece, Ints]
) -> tuple[Traced, Piece]:
    """Tables of one part, edges named by their places in the whole, and the edges they name."""
    part = together([everywhere, *(piece for piece, _ in given)])
    which = np.unique(np.concatenate([people for _, people in given]))
    traced, _ = analyse(part.edges, which, terms, background, part.sources)
    named = np.unique(np.concatenate([traced.edge_index, traced.attached_index]))
    return _renamed(traced, part.place), part.take(named)


def _renamed(traced: Traced, names: Ints) -> Traced:
    columns = {name: getattr(traced, name) for name in Traced.__slots__}
    for name in ("edge_index", "attached_index"):
        columns[name] = names[columns[name]]
    return Traced(**columns)


def _told(
    found: Sequence[tuple[Traced, Piece]],
    background: Background,
    week: int,
    seeds: Sequence[int],
    terms: Terms,
) -> Detection:
    """The detection of one graph of which only the edges that tables name are at hand."""
    traced, *more = (tables for tables, _ in found)
    for one in more:
        traced = traced.beside(one)
    named = together([piece for _, piece in found])
    back = np.zeros(int(named.place.max(initial=-1)) + 1, dtype=np.int64)
    back[named.place] = np.arange(len(named.place))
    graph = Graph(named.edges, terms, background, _renamed(traced, back), named.sources)
    told = detect(graph, week=week, seeds=seeds)
    rings = tuple(
        replace(ring, edges=tuple(named.place[list(ring.edges)].tolist())) for ring in told.rings
    )
    ties = tuple(replace(tie, edge=int(named.place[tie.edge])) for tie in told.attached)
    return replace(told, rings=rings, attached=ties)


def dealt_out(edges: Edges, parts: int, sources: Ints | None = None) -> list[Piece]:
    """Edges that one process holds, in parts, as lenders' pages would come."""
    whole = Piece(edges, sources, np.arange(len(edges)))
    return [whole.take(np.arange(at, len(edges), parts)) for at in range(parts)]
