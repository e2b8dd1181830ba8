"""What is seen from where: one lender's own books, or what all of them contribute.

Invariants:
- A lender sees rows of its own books only, however many attributes nobody else shares.
- Contributed are only rows whose attribute two subjects of the consortium have, as the blinded
  count of degrees lets them be. Who contributed a row is known to who puts them together.
- A view until a week holds nothing later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.simulation.rings.world import Traffic
from shared.rings.edges import Edges
from shared.rings.kinds import Kind

SHARED_BY = 2
"""Subjects of the consortium that an attribute must have to be contributed."""


@dataclass(frozen=True, eq=False)
class View:
    """Edges, and the lender (place in `codes`) that contributed each."""

    edges: Edges
    sources: NDArray[np.int64]


def alone(traffic: Traffic, lender: int, *, until: int | None = None) -> View:
    """The rows of one lender (place in `codes`), up to a week."""
    return _view(traffic, (traffic.lender == lender) & _up_to(traffic, until))


def together(traffic: Traffic, *, until: int | None = None, without: Kind | None = None) -> View:
    """What the consortium contributes up to a week; `without` a kind of edge, to see its worth."""
    there = _up_to(traffic, until)
    if without is not None:
        there &= traffic.kind != int(without)
    pairs = traffic.attribute[there] * traffic.subjects + traffic.subject[there]
    degree = np.bincount(np.unique(pairs) // traffic.subjects, minlength=traffic.attributes)
    return _view(traffic, there & (degree[traffic.attribute] >= SHARED_BY))


def customers(traffic: Traffic, lender: int) -> NDArray[np.int64]:
    """Subjects that a lender has any row of."""
    return np.unique(traffic.subject[traffic.lender == lender])


def _up_to(traffic: Traffic, until: int | None) -> NDArray[np.bool_]:
    return traffic.week <= (traffic.weeks if until is None else until)


def _view(traffic: Traffic, which: NDArray[np.bool_]) -> View:
    edges = Edges(
        traffic.subject[which],
        traffic.attribute[which],
        traffic.kind[which],
        traffic.week[which],
        traffic.band[which],
    )
    return View(edges, traffic.lender[which].astype(np.int64))
