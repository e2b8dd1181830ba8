"""A lender sees its own rows; the consortium sees what two people have, and whose word it is."""

from dataclasses import replace

import numpy as np

from server.simulation.rings.lenders import alone, customers, together
from server.simulation.rings.scenario import Scenario
from server.simulation.rings.truth import PlantedRing, Truth
from server.simulation.rings.visibility import invisible, meeting_floor, ties
from server.simulation.rings.world import Traffic
from shared.rings.kinds import Kind


def traffic_of(rows: list[tuple[int, int, int, int]], subjects: int = 10) -> Traffic:
    """(subject, attribute, kind, lender), all in week 0."""
    subject, attribute, kind, lender = np.array(rows).T
    none = np.zeros(len(rows), dtype=np.int16)
    return Traffic(
        subjects, 100, 1, ("L01", "L02"), subject, attribute, kind.astype(np.uint8), none,
        none.astype(np.uint8), lender.astype(np.int16),
    )  # fmt: skip


def truth_of(*rings: tuple[int, ...]) -> Truth:
    planted = tuple(
        PlantedRing(at, "shared_device", ring, (0,) * len(ring)) for at, ring in enumerate(rings)
    )
    return Truth(("L01", "L02"), np.zeros(10, dtype=int), np.arange(10), planted, (), ())


def test_a_lender_alone_sees_the_rows_of_its_customers_only(made: Scenario):
    parts = [alone(made.traffic, lender).edges for lender in range(6)]
    assert sum(map(len, parts)) == len(made.traffic.subject)
    for lender, part in enumerate(parts):
        assert set(part.subject.tolist()) == set(customers(made.traffic, lender).tolist())


def test_contributed_is_what_two_people_have_wherever_they_borrow():
    """Two rows of one person do not count as two people, two lenders of two people do."""
    traffic = traffic_of([(0, 1, 0, 0), (1, 1, 0, 1), (2, 2, 0, 0), (2, 2, 2, 1), (3, 3, 0, 0)])
    assert together(traffic).edges.attribute.tolist() == [1, 1]
    assert together(traffic).sources.tolist() == [0, 1]


def test_a_payment_and_the_owners_card_make_two_people():
    """The account is one attribute, whichever field names it."""
    traffic = traffic_of([(0, 1, Kind.BANK_CARD, 0), (1, 1, Kind.PAYEE, 1)])
    assert len(together(traffic).edges) == 2
    assert len(together(traffic, without=Kind.PAYEE).edges) == 0


def test_a_view_until_a_week_holds_nothing_later(made: Scenario):
    for view in (together(made.traffic, until=9), alone(made.traffic, 0, until=9)):
        assert len(view.edges) == len(view.sources) > 0
        assert view.edges.week.max() == 9
    assert len(together(made.traffic, until=9).edges) < len(together(made.traffic).edges)


def test_a_ring_is_visible_where_three_hang_together_at_one_lender():
    """Over two steps, too; the third member's other lender does not help."""
    chain = [(0, 1, 0, 0), (1, 1, 0, 0), (1, 2, 1, 0), (2, 2, 1, 0)]
    apart = [(0, 1, 0, 0), (1, 1, 0, 0), (1, 2, 1, 0), (2, 2, 1, 1)]
    assert invisible(traffic_of(chain), truth_of((0, 1, 2))) == ()
    assert invisible(traffic_of(apart), truth_of((0, 1, 2))) == (0,)


def test_what_mostly_others_have_ties_no_ring():
    """A shop that two members and five others pay."""
    rows = [(who, 1, 9, 0) for who in range(8)] + [(0, 2, 0, 0), (1, 2, 0, 0)]
    assert ties(traffic_of(rows), truth_of((0, 1, 9)).rings[0]) == [(0, 2, 0), (1, 2, 0)]


def test_some_rings_can_be_seen_by_no_lender_alone(made: Scenario):
    hidden = invisible(made.traffic, made.truth)
    assert 0 < len(hidden) < len(made.truth.rings)


def test_the_floor_asks_for_two_strong_kinds_or_a_pattern():
    """A shared contact is not strong; the second ring has two kinds of one thing each."""
    weak = [(0, 1, Kind.DEVICE, 0), (1, 1, Kind.DEVICE, 0), (1, 2, 3, 0), (2, 2, 3, 0)]
    strong = [(who + 3, what + 9, 0 if kind == 0 else 1, 0) for who, what, kind, _ in weak]
    assert meeting_floor(traffic_of(weak + strong), truth_of((0, 1, 2), (3, 4, 5))) == (1,)
    cycle = replace(truth_of((0, 1, 2)), rings=(PlantedRing(0, "cycle", (0, 1, 2), (0, 0, 0)),))
    assert meeting_floor(traffic_of(weak), cycle) == (0,)
