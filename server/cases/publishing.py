"""A bulletin of what is found in a graph: rows, bodies, and the head that signs them.

Invariants:
- A head follows the last one that is kept, and its time never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from server.cases.collected import Collected
from server.cases.findings import Findings, findings
from shared.cases.bulletin import BEGINNING, Head, content_of
from shared.cases.case import Case
from shared.identity.certificate import Identity
from shared.rings.detect import detect
from shared.tokens.group import RandomBytes


@dataclass(frozen=True)
class Published:
    """`rings`: members' tokens by ring."""

    head: Head
    content: bytes
    rings: dict[bytes, frozenset[bytes]]


def found_in(
    graph: Collected,
    week: int,
    before: dict[bytes, frozenset[bytes]],
    least_score: float,
    random: RandomBytes,
) -> Findings:
    """All that is published of a graph up to a week; `before`: the rings of the last bulletin."""
    seeds = [int(one) for one in np.flatnonzero(graph.listed)]
    detection = detect(graph.edges, week=week, seeds=seeds, sources=graph.sources)
    return findings(graph, detection, before, random, least_score)


def published(
    case: Case,
    found: Findings,
    last: Head | None,
    identity: Identity,
    random: RandomBytes,
    *,
    week: int,
    now: int,
    closed: bool = False,
) -> Published:
    """The bulletin after `last`, made `now` (seconds since 1970)."""
    version = 1 if last is None else last.version + 1
    content, rows, bodies = content_of(case, version, found.flags, found.bodies, random)
    head = Head(
        desk=identity.member.code,
        certificate=identity.member.certificate,
        case=case.digest,
        version=version,
        week=week,
        before=BEGINNING if last is None else last.head,
        content=sha256(content).digest(),
        rows=rows,
        bodies=bodies,
        size=len(content),
        at=max(now, 0 if last is None else last.at),
        closed=closed,
    )
    return Published(head.signed(identity.private), content, found.rings)
