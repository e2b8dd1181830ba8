"""One ring to show: which lenders' customers it holds and what ties them, without any number of
theirs.

Invariants:
- People and things are places in this drawing (0, 1, 2 …), which say nothing outside it.
"""

from __future__ import annotations

from typing import Any

from server.simulation.rings.evaluation import Findings, is_found
from server.simulation.rings.truth import PlantedRing, Truth
from server.simulation.rings.visibility import invisible, ties
from server.simulation.rings.world import Traffic
from shared.rings.kinds import Kind

_GOOD_SIZE = 7


def drawn_ring(traffic: Traffic, truth: Truth, found: Findings) -> dict[str, Any] | None:
    """A found ring that no lender could see alone, else any found one, near seven members."""
    seen = [ring for ring in truth.rings if is_found(ring, found)]
    unseen = set(invisible(traffic, truth))
    pool = [ring for ring in seen if ring.number in unseen] or seen
    if not pool:
        return None
    ring = min(pool, key=lambda one: (abs(len(one.members) - _GOOD_SIZE), one.number))
    return _drawing(traffic, truth, ring, ring.number in unseen, found)


def _drawing(
    traffic: Traffic, truth: Truth, ring: PlantedRing, hidden: bool, found: Findings
) -> dict[str, Any]:
    tied = ties(traffic, ring)
    things = {what: place for place, what in enumerate(dict.fromkeys(t[1] for t in tied))}
    people = {who: place for place, who in enumerate(ring.members)}
    kinds: dict[int, set[int]] = {}
    for _, what, kind in tied:
        kinds.setdefault(what, set()).add(kind)
    edges = sorted({(people[who], things[what]) for who, what, _ in tied})
    return {
        "typology": ring.typology,
        "invisible": hidden,
        "members": [
            {"lender": truth.codes[truth.lender[one]], "flagged": one in found.flagged}
            for one in ring.members
        ],
        "things": [
            "/".join(Kind(kind).name.lower() for kind in sorted(kinds[what])) for what in things
        ],
        "edges": [list(edge) for edge in edges],
    }
