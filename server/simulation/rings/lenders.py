"""What is seen from where: one lender's own books, or what all of them contribute.

Invariants:
- A lender sees rows of its own books only, however many attributes nobody else shares.
- Contributed are only rows whose attribute two subjects of the consortium have, as the blinded
  count of degrees lets them be; a lender is not named in them.
- A view until a week holds nothing later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from server.simulation.rings.world import Traffic
from shared.rings.edges import Edges
from shared.rings.kinds import Kind

SHARED_BY = 2
"""Subjects of the consortium that an attribute must have to be contributed."""


def alone(traffic: Traffic, lender: int, *, until: int | None = None) -> Edges:
    """The rows of one lender (place in `codes`), up to a week."""
    return _edges(traffic, (traffic.lender == lender) & _up_to(traffic, until))


def together(traffic: Traffic, *, until: int | None = None, without: Kind | None = None) -> Edges:
    """What the consortium contributes up to a week; `without` a kind of edge, to see its worth."""
    there = _up_to(traffic, until)
    if without is not None:
        there &= traffic.kind != int(without)
    pairs = traffic.attribute[there] * traffic.subjects + traffic.subject[there]
    degree = np.bincount(np.unique(pairs) // traffic.subjects, minlength=traffic.attributes)
    return _edges(traffic, there & (degree[traffic.attribute] >= SHARED_BY))


def customers(traffic: Traffic, lender: int) -> NDArray[np.int64]:
    """Subjects that a lender has any row of."""
    return np.unique(traffic.subject[traffic.lender == lender])


def _up_to(traffic: Traffic, until: int | None) -> NDArray[np.bool_]:
    return traffic.week <= (traffic.weeks if until is None else until)


def _edges(traffic: Traffic, which: NDArray[np.bool_]) -> Edges:
    return Edges(
        traffic.subject[which],
        traffic.attribute[which],
        traffic.kind[which],
        traffic.week[which],
        traffic.band[which],
    )
