"""What lenders read in the bulletin is what the detector would give each of them directly."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from server.cases.collected import Collected, collected
from server.cases.findings import Findings, findings
from server.simulation.rings.lenders import together
from server.simulation.rings.scenario import Planted, made_up
from shared.cases.case_tokens import Rows
from shared.cases.pages import EdgeRows
from shared.cases.ring_flag import lead_mark_of, mark_of
from shared.rings.detect import detect
from shared.rings.detection import Detection, flagged_at
from shared.rings.edges import Edges
from shared.rings.kinds import Kind
from shared.rings.provenance import NOBODY, SEVERAL
from shared.rings.ring import Attached, Ring
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


def read_at(graph: Collected, found: Findings, lender: int, leads: bool) -> set[int]:
    """As docs/protocols/rings.md: members, and who is one on the lender's own word; and leads."""
    members = set()
    for subject in np.unique(graph.edges.subject[graph.sources == lender]).tolist():
        token = graph.subjects[subject].tobytes()
        flag = found.flags.get(token)
        if flag is None:
            continue
        if (
            flag.distance == 0
            or mark_of(mark(lender), flag.ring, token) in flag.marks
            or (leads and (flag.lead or lead_mark_of(mark(lender), flag.ring, token) in flag.marks))
        ):
            members.add(subject)
    return members


def test_each_lender_reads_what_the_detector_gives_it() -> None:
    """Over a made-up world: no member and no lead is lost, and none added; bodies hold those who
    are members somewhere.
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
    direct: dict[bool, set[tuple[int, int]]] = {False: set(), True: set()}
    read: dict[bool, set[tuple[int, int]]] = {False: set(), True: set()}
    told = {ring.number for ring in detection.rings if len(ring.sources) > 1}
    alone = {m for ring in detection.rings if ring.number not in told for m in ring.members}
    for lender in np.unique(graph.sources).tolist():
        customers = set(graph.edges.subject[graph.sources == lender].tolist())
        for leads in (False, True):
            own = flagged_at(detection, lender, customers, leads=leads)
            direct[leads] |= {(lender, one) for one in own - alone}
            read[leads] |= {(lender, one) for one in read_at(graph, found, lender, leads)}
    assert len(direct[False]) > 50
    assert direct[False] == read[False]
    assert direct[True] == read[True]
    assert len(direct[True] - direct[False]) > 5
    shown = {body.ring for body in found.bodies.values()}
    assert 10 < len(shown) <= len(found.rings)
    assert shown <= {*found.rings}
    for body in found.bodies.values():
        assert 0 < len(body.members) <= len(found.rings[body.ring])


def test_whom_one_lenders_word_ties_is_a_member_nowhere_else() -> None:
    """Several lenders' word: distance 0. One's: a lead, with that lender's mark. Either of two: a
    lead, with nothing that could make a member of it.
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
    told = findings(graph, detection, {}, fixed_random("x"))
    found = [told.flags[one.tobytes()] for one in people]
    assert [(flag.distance, flag.lead, flag.attached, len(flag.ties)) for flag in found] == [
        *((0, False, False, 0), (1, True, True, 1), (1, True, False, 0))
    ]
    (key,) = told.bodies
    subject = people[1].tobytes()
    assert [flag.ring_key for flag in found] == [key, None, None]
    assert [flag.sealed is None for flag in found] == [True, False, True]
    assert [found[1].key_for(mark(at), subject) for at in (0, 1, 2)] == [None, key, None]
    assert key not in found[1].pack()
    assert key in found[0].pack()  # control: a member's flag is opened by whoever has the token
    again = findings(graph, detection, told.rings, fixed_random("next week"))
    other = again.flags[subject]
    assert other.ring == found[1].ring
    assert other.sealed is not None
    assert found[1].sealed is not None
    assert other.sealed.nonce != found[1].sealed.nonce
    assert {other.key_for(mark(1), subject)} == {*again.bodies}


@pytest.mark.parametrize("sure", [True, False])
def test_an_own_tie_to_what_rests_on_another_lender_is_a_lead_by_the_own_mark_only(
    sure: bool,
) -> None:
    """No key, no other mark, and near for everybody else; a sure tie (control) makes a member."""
    ring = Ring(
        number=0,
        members=(0, 1),
        score=90.0,
        strength=(0.5, 0.5),
        reasons=(),
        kinds=(Kind.DEVICE,),
        motifs=(),
        edges=(0, 1),
        first_week=0,
        last_week=0,
        sources=(0, 1),
        alone=(NOBODY, NOBODY),
    )
    none = np.zeros(0, np.int64)
    tie = Attached(subject=2, ring=0, edge=2, source=1, sure=sure)
    detection = Detection((ring,), (tie,), none, none, none)
    people, things = tokens("s", 3), tokens("a", 1)
    edges = Edges.of([(subject, 0, Kind.DEVICE, 0, 0) for subject in range(3)])
    sources, listed = np.array([0, 1, 1]), np.zeros(3, dtype=bool)
    marks = (mark(0), mark(1))
    graph = Collected(people, things, edges, sources, listed, np.array([3]), listed, marks)
    token = people[2].tobytes()
    flag = findings(graph, detection, {}, fixed_random("x")).flags[token]
    assert (flag.distance, flag.lead, flag.sealed is None) == (1, False, not sure)
    assert flag.ring_key is None
    kinds = (mark_of, lead_mark_of)
    found = [[one(mark(at), flag.ring, token) in flag.marks for one in kinds] for at in (0, 1)]
    assert found == [[False, False], [sure, not sure]]


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
