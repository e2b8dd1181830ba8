"""What lenders read in the bulletin is what the detector would give each of them directly."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from server.cases.collected import Collected, collected
from server.cases.findings import Findings, findings
from server.simulation.rings.lenders import together
from server.simulation.rings.scenario import Planted, made_up
from shared.cases.case_tokens import Rows
from shared.cases.pages import EdgeRows
from shared.cases.ring_flag import mark_of
from shared.rings.detect import detect
from shared.rings.detection import Detection, flagged_at
from shared.rings.edges import Edges
from shared.rings.kinds import Kind
from shared.rings.provenance import NOBODY, SEVERAL
from shared.rings.ring import Ring
from tests.identities import fixed_random


class Page:
    """As `EdgePage`, of any length."""

    week = 0

    def __init__(self, rows: EdgeRows, lender: int = 0) -> None:
        self._rows, self.mark = rows, mark(lender)

    def edges(self) -> EdgeRows:
        return self._rows


def tokens(name: str, number: int) -> Rows:
    joined = b"".join(sha256(f"{name}{one}".encode()).digest() for one in range(number))
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def mark(lender: int) -> bytes:
    return bytes([lender]) * 32


def members_at(graph: Collected, found: Findings, lender: int) -> set[int]:
    """As docs/protocols/rings.md: members, and who is one on the lender's own word."""
    members = set()
    for subject in np.unique(graph.edges.subject[graph.sources == lender]).tolist():
        token = graph.subjects[subject].tobytes()
        flag = found.flags.get(token)
        if flag is None:
            continue
        if flag.distance == 0 or mark_of(mark(lender), flag.ring, token) in flag.marks:
            members.add(subject)
    return members


def test_each_lender_reads_what_the_detector_gives_it() -> None:
    """Over a made-up world: nobody is lost and nobody added; bodies hold those who are members
    somewhere.
    """
    world = made_up(8, 5000, Planted(25, 60), seed=101).traffic
    view = together(world)
    people, things = tokens("s", world.subjects), tokens("a", world.attributes)
    pages = []
    for lender in np.unique(view.sources):
        rows = view.edges.take(view.sources == lender)
        columns = (rows.kind, rows.week, rows.band, np.zeros(len(rows), np.uint8))
        edges = EdgeRows(people[rows.subject], things[rows.attribute], *columns)
        pages.append((f"L{lender:02}", Page(edges, int(lender))))
    graph = collected(pages)  # type: ignore[arg-type]
    assert len(graph.edges) == len(view.edges)
    detection = detect(graph.edges, week=int(world.weeks), sources=graph.sources)
    found = findings(graph, detection, {}, fixed_random("agree"))
    direct, read = set(), set()
    for lender in np.unique(graph.sources).tolist():
        customers = set(graph.edges.subject[graph.sources == lender].tolist())
        told = {ring.number for ring in detection.rings if len(ring.sources) > 1}
        own = flagged_at(detection, lender, customers)
        alone = {m for ring in detection.rings if ring.number not in told for m in ring.members}
        direct |= {(lender, one) for one in own - alone}
        read |= {(lender, one) for one in members_at(graph, found, lender)}
    assert len(direct) > 50
    assert direct - read == set()
    assert read - direct == set()
    assert {body.ring for body in found.bodies.values()} == set(found.rings)
    for body in found.bodies.values():
        assert 0 < len(body.members) <= len(found.rings[body.ring])


def test_whom_one_lenders_word_ties_is_a_member_nowhere_else() -> None:
    """Several lenders' word: distance 0. One's: a step away, with that lender's mark. Either of
    two: a step away, with nothing that could make a member of it.
    """
    ring = Ring(
        number=0,
        members=(0, 1, 2),
        score=90.0,
        strength=(0.5, 0.5, 0.5),
        reasons=(),
        kinds=(Kind.DEVICE,),
        motifs=(),
        edges=(0, 1, 2),
        first_week=0,
        last_week=0,
        sources=(0, 1),
        alone=(NOBODY, 1, SEVERAL),
    )
    none = np.zeros(0, np.int64)
    detection = Detection((ring,), (), none, none, none)
    people, things = tokens("s", 3), tokens("a", 1)
    edges = Edges.of([(subject, 0, Kind.DEVICE, 0, 0) for subject in range(3)])
    sources, listed = np.array([0, 1, 1]), np.zeros(3, dtype=bool)
    graph = Collected(
        people, things, edges, sources, listed, np.array([3]), listed, (mark(0), mark(1))
    )
    flags = findings(graph, detection, {}, fixed_random("x")).flags
    found = [flags[one.tobytes()] for one in people]
    assert [(flag.distance, flag.attached, len(flag.ties)) for flag in found] == [
        *((0, False, 0), (1, True, 1), (1, False, 0))
    ]
    assert [flag.ring_key is None for flag in found] == [False, False, True]


def test_what_meets_nothing_is_left_out() -> None:
    """What a page was filled up with, and what one subject alone has, are not in the graph."""
    people, things = tokens("s", 4), tokens("a", 3)
    which, what = np.array([0, 1, 2, 2, 3]), np.array([0, 0, 1, 1, 2])
    zeros = np.zeros(5, np.uint8)
    rows = EdgeRows(people[which], things[what], zeros, zeros, zeros, zeros)
    graph = collected([("L01", Page(rows))])  # type: ignore[list-item]
    assert len(graph.edges) == 2
    assert graph.attributes.tobytes() == things[0].tobytes()
    assert graph.sharers.tolist() == [2]
