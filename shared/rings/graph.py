"""The graph of one case, kept with its analysis so that a week's edges cost only what they touch.

`with_week` analyses again exactly the components that hold a subject of an attribute named by the
new edges; everything else is carried over. The result equals an analysis of all edges from
scratch, except for the numbers given to rings inside.
"""

from dataclasses import dataclass

import numpy as np

from shared.errors import OperatorError
from shared.rings.analysis import analyse
from shared.rings.background import Background
from shared.rings.columns import Ints, Mask
from shared.rings.edges import Edges, source_column
from shared.rings.households import in_flats
from shared.rings.kinds import Terms
from shared.rings.traced import Traced


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """`edges` are distinct and keep their places as it grows; rings refer to those places.

    `background` is estimated once, when the graph is founded, unless given.
    """

    edges: Edges
    terms: Terms
    background: Background
    traced: Traced
    sources: Ints | None = None
    """Lender of each edge, where that is known."""

    @classmethod
    def of(
        cls,
        edges: Edges,
        terms: Terms | None = None,
        background: Background | None = None,
        sources: Ints | None = None,
    ) -> "Graph":
        """The graph of these edges; the same edge twice counts once, with `sources` (n,) once for
        each lender.
        """
        terms = terms or Terms()
        sources = None if sources is None else source_column(sources, edges)
        kept = edges.distinct(sources)
        edges, sources = edges.take(kept), None if sources is None else sources[kept]
        everyone = np.unique(edges.subject)
        traced, background = analyse(edges, everyone, terms, background, sources)
        return cls(edges, terms, background, traced, sources)

    @property
    def last_week(self) -> int:
        """Week of the latest edge, 0 when there is none."""
        return int(self.edges.week.max()) if len(self.edges) else 0

    def with_week(self, edges: Edges, sources: Ints | None = None) -> "Graph":
        """The graph with these edges too, whatever their weeks; this one stays as it was.

        OperatorError unless `sources` are given exactly where they were given before.
        """
        if (sources is None) != (self.sources is None):
            raise OperatorError(
                "some edges come with their lenders and some without",
                remedy="give sources with every week, or with none",
            )
        given = None if sources is None else source_column(sources, edges)
        merged, together, fresh = self._merged(edges, given)
        if not fresh:
            return self
        # Households change at most their neighbours' points, and hubs those of their neighbours.
        named = self._named(merged, merged.attribute[-fresh:])
        flats = in_flats(self.edges, named, self.terms, self.sources)
        again = self._around(self._around(flats))
        near = in_flats(merged, self._around(self._around(again)), self.terms, together)
        known = np.zeros(int(merged.attribute.max()) + 1, dtype=bool)
        known[merged.attribute[near[merged.subject]]] = True
        context = np.flatnonzero(known[merged.attribute])
        theirs = None if together is None else together[context]
        which = np.flatnonzero(again)
        part, _ = analyse(merged.take(context), which, self.terms, self.background, theirs)
        traced = self.traced.without(again).beside(_placed(part, context))
        return Graph(merged, self.terms, self.background, traced, together)

    def _merged(self, edges: Edges, sources: Ints | None) -> tuple[Edges, Ints | None, int]:
        """All edges, new ones last, their lenders, and how many are new; only old edges like them
        are compared.
        """
        like = np.flatnonzero(np.isin(self.edges.subject, edges.subject))
        both = self.edges.take(like).then(edges)
        theirs = _then(None if self.sources is None else self.sources[like], sources)
        first = both.distinct(theirs)
        fresh = first[first >= len(like)]
        together = _then(self.sources, None if theirs is None else theirs[fresh])
        return self.edges.then(both.take(fresh)), together, len(fresh)

    def _named(self, merged: Edges, added: Ints) -> Mask:
        """Subjects with one of these attributes."""
        named = np.zeros(int(merged.subject.max()) + 1, dtype=bool)
        named[merged.subject[np.isin(merged.attribute, added)]] = True
        return named

    def _around(self, subjects: Mask) -> Mask:
        """These subjects, those they met at a point until now, and the whole components of all."""
        old = self.traced
        around = self._whole(subjects)
        at = np.isin(old.tie_node, old.tie_node[around[old.tie_subject]])
        around[old.tie_subject[at]] = True
        return self._whole(around)

    def _whole(self, subjects: Mask) -> Mask:
        """These subjects and everyone in their components until now."""
        old, whole = self.traced, subjects.copy()
        parts = np.zeros(len(subjects), dtype=bool)
        parts[old.component[subjects[old.subject]]] = True
        whole[old.subject[parts[old.component]]] = True
        return whole


def _placed(part: Traced, context: Ints) -> Traced:
    """The analysis of a part of the edges, its edges named by their places in the whole."""
    columns = {name: getattr(part, name) for name in Traced.__slots__}
    columns["edge_index"] = context[part.edge_index]
    columns["attached_index"] = context[part.attached_index]
    return Traced(**columns)


def _then(one: Ints | None, two: Ints | None) -> Ints | None:
    return None if one is None or two is None else np.concatenate([one, two])
