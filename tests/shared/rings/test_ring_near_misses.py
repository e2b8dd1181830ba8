"""Bounds of time and of number are where they are said to be: one step past each, nothing is tied.

Each has a control in which that bound alone is moved, and the same world comes out the other way.
"""

from dataclasses import replace

import pytest
from rings_worlds import CARD, DEVICE, EMPLOYER, PHONE, Rows, ring

from shared.rings.background import Background
from shared.rings.detect import Detection, detect
from shared.rings.edges import Edges
from shared.rings.kinds import Kind, Terms

TERMS = Terms()
SOMEBODY = 77
TOGETHER: Rows = [*ring(), (3, 1000, DEVICE, 11, 0), (4, 1000, DEVICE, 11, 0)]
"""At work from week 10 to 12; five of the six at one device."""


def seen_at_the_device(week: int, terms: Terms = TERMS) -> set[int]:
    """Who is attached when somebody comes to the ring's device in this week."""
    rows = [*TOGETHER, (SOMEBODY, 1000, DEVICE, week, 0)]
    detection = detect(Edges.of(rows), week=20, terms=terms)
    assert detection.rings[0].members == tuple(range(6))
    assert (detection.rings[0].first_week, detection.rings[0].last_week) == (10, 12)
    return {tie.subject for tie in detection.attached}


@pytest.mark.parametrize("week", [9, 13])
def test_who_comes_a_week_before_or_after_a_ring_is_attached(week: int) -> None:
    """Within one week of when it was at work."""
    assert seen_at_the_device(week) == {SOMEBODY}
    assert seen_at_the_device(week, replace(TERMS, attach_weeks=0)) == set()


@pytest.mark.parametrize("week", [6, 8, 14, 16])
def test_who_comes_later_or_earlier_than_that_is_not(week: int) -> None:
    """However fair the odds still are: with a longer time allowed it would be (control)."""
    assert seen_at_the_device(week) == set()
    assert seen_at_the_device(week, replace(TERMS, attach_weeks=4)) == {SOMEBODY}


SMALL = replace(
    TERMS,
    kinds={**TERMS.kinds, Kind.EMPLOYER: replace(TERMS.kinds[Kind.EMPLOYER], cap=20)},
)
"""More than twenty at an employer in 90 days are many."""


def began_together(others: int, week: int, terms: Terms = SMALL) -> Detection:
    """The ring and five others are seen at one employer in week 11, so many more around `week`."""
    work: Rows = [(who, 9000, EMPLOYER, 11, 0) for who in (*range(6), *range(100, 105))]
    work += [(200 + who, 9000, EMPLOYER, week + who % 3, 0) for who in range(others)]
    edges = Edges.of([*ring(), *work])
    return detect(edges, week=30, terms=terms, background=Background.prior())


def steps(detection: Detection, who: int = 100) -> int | None:
    flag = detection.flag(who)
    return flag and flag.distance


@pytest.mark.parametrize("week", [5, 14])
def test_a_week_at_an_employer_ties_if_it_is_half_of_its_90_days(week: int) -> None:
    """Eleven of 22 began together: those beside the ring are one step from it."""
    assert steps(began_together(11, week)) == 1


@pytest.mark.parametrize("week", [5, 14])
def test_a_week_that_is_less_than_half_ties_nobody(week: int) -> None:
    """Eleven of 23: a large employer where people begin all the time, and the ring is one still.
    Were 23 not many (control), they would be tied at any time.
    """
    detection = began_together(12, week)
    assert detection.rings[0].members == tuple(range(6))
    assert steps(detection) is None
    assert steps(began_together(12, week, TERMS)) == 1


def strength(*weeks: int, terms: Terms = TERMS) -> tuple[float, ...]:
    """Of each of a ring's members, all seen in week 22 but the first, who was in these weeks."""
    rows = [
        (who, thing, kind, each, band)
        for who, thing, kind, _, band in ring()
        for each in ((22,) if who else weeks)
    ]
    (one,) = detect(Edges.of(rows), week=22, terms=terms).rings
    assert (one.members, one.last_week) == (tuple(range(6)), 22)
    return one.strength


@pytest.mark.parametrize("weeks", [13, 14, 6.5])
def test_a_member_weighs_less_the_longer_ago_it_was_seen(weeks: float) -> None:
    """Each kind's weight halves with every half-life before the ring's latest week: those of the
    first member, seen 13 weeks earlier, and of nobody else. Without half-lives (control), all weigh
    the same.
    """
    first, *others = strength(9, terms=replace(TERMS, half_life_weeks=weeks))
    doubt = 1.0
    for kind in (DEVICE, CARD, PHONE):
        doubt *= 1 - TERMS.weights()[kind] * 0.5 ** (13 / weeks)
    assert first == pytest.approx(1 - doubt, abs=1e-6)
    assert min(others) > 0.999
    assert min(strength(9, terms=replace(TERMS, half_life_weeks=1e9))) > 0.999


def test_a_member_who_was_seen_again_weighs_as_one_of_today() -> None:
    """The latest of its ties of each kind counts."""
    assert strength(9, 22) == strength(22)
