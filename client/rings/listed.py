"""Which of a case's people this lender finds on the shared list: where the search for rings begins.

Invariants:
- The list is searched here, as for any screening; what leaves of it is one mark at an edge.
- A person listed for their own protection is not marked, nor one whose record does not open.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from client.exchange.desk import Desk
from client.exchange.parties import Progress, no_progress
from client.rings.contributed import Edge
from shared.blacklist.answer import answer_of
from shared.blacklist.reasons import ListClass
from shared.tokens.tags import tags_of

_PURPOSE = "portfolio"


def listed_among(
    desk: Desk, edges: Sequence[Edge], progress: Progress = no_progress
) -> Collection[bytes]:
    """Subject tokens of the listed. None while this lender has no copy of the list (`has_list`).
    Raises as `Desk.check`.
    """
    people = {edge.person.token: edge.person.identifier for edge in edges}
    if not people or not has_list(desk):
        return frozenset()
    index = desk.copy.answering()
    used, _ = desk.usable_epochs()
    tokens, identifiers = [*people], [*people.values()]
    found: set[int] = set()
    for epoch in used:
        outputs = desk.outputs(identifiers, epoch, _PURPOSE, progress)
        found |= {int(at) for at in np.unique(index.find(tags_of(outputs, epoch)).asked)}
    return frozenset(tokens[at] for at in found if _stands(desk, identifiers[at]))


def has_list(desk: Desk) -> bool:
    """Whether there is a copy of the list whose key epoch is known."""
    return bool(desk.known_epochs())


def _stands(desk: Desk, identifier: object) -> bool:
    hits = desk.check([identifier], purpose=_PURPOSE).hits  # type: ignore[list-item]
    answer = answer_of(hits, desk.today)
    return answer is not None and answer.hit_class is not ListClass.VICTIM_PROTECTIVE
