"""Edges of a case that lie in one part, with their places in the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.rings.columns import Ints, Mask
from shared.rings.edges import Edges


@dataclass(frozen=True, eq=False)
class Piece:
    """`edges`, the lender of each where that is known, and `place` (n,): its index in the whole."""

    edges: Edges
    sources: Ints | None
    place: Ints

    def take(self, which: Ints | Mask) -> Piece:
        """Those at these indices, or where the mask holds."""
        sources = None if self.sources is None else self.sources[which]
        return Piece(self.edges.take(which), sources, self.place[which])

    def distinct(self) -> Piece:
        """The first of equal edges, of each lender."""
        return self.take(self.edges.distinct(self.sources))


def together(pieces: Sequence[Piece]) -> Piece:
    """All of them in the order of the whole, each edge of it once."""
    columns = (
        np.concatenate([getattr(piece.edges, name) for piece in pieces]) for name in Edges.__slots__
    )
    known = [piece.sources for piece in pieces if piece.sources is not None]
    place, first = np.unique(np.concatenate([piece.place for piece in pieces]), return_index=True)
    sources = np.concatenate(known)[first] if len(known) == len(pieces) else None
    return Piece(Edges(*columns).take(first), sources, place)
