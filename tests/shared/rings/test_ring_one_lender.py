"""Whatever one lender adds around a ring (flats, weeks, thousands of points) makes no member of
another lender's customer, leads at most. Controls: the words of two lenders do.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rings_worlds import CARD, CONTACT, DEVICE, PHONE, UNIT, Rows, planted_world, ring

from shared.rings.detect import Detection, detect
from shared.rings.detection import flagged_at
from shared.rings.edges import Edges
from shared.rings.households import homes_without
from shared.rings.kinds import Terms
from shared.rings.points import meeting_points
from shared.rings.stacking import above_usual, chances, chances_without

RIVAL, OTHER = 9, 8
VICTIM = 102
Words = list[int]


def ordinary() -> Rows:
    """Six thousand people of whom one in ten shares a device with another."""
    shared: Rows = [(1_000 + who, 200_000 + who // 2, DEVICE, who % 14, 0) for who in range(600)]
    return shared + [(1_600 + who, 300_000 + who // 2, PHONE, who % 14, 0) for who in range(5_400)]


ORDINARY = ordinary()


def found(rows: Rows, words: Words, planted: Rows, rivals: Words, week: int = 14) -> Detection:
    """With the planted rows, said by each of the rivals."""
    sources = [*words, *(rival for rival in rivals for _ in planted)]
    return detect(Edges.of([*rows, *planted * len(rivals)]), week=week, sources=sources)


def standing(detection: Detection, who: int, lender: int) -> str:
    if who in flagged_at(detection, lender, {who}):
        return "member"
    return "lead" if who in flagged_at(detection, lender, {who}, leads=True) else "none"


def family() -> tuple[Rows, Words]:
    """Four in one flat with things of their own, each seen at two of six lenders."""
    rows: Rows = [(who, 500, UNIT, who % 3, 0) for who in range(100, 104)]
    rows += [(who, 501, DEVICE, 10 + who % 2, 0) for who in range(100, 104)]
    rows += [(who, 502, CARD, 10 + who % 2, 0) for who in range(100, 103)]
    rows += [(who, 503, PHONE, 10, 0) for who in range(100, 104)]
    words = [row[0] % 3 for row in rows] + [3 + row[0] % 3 for row in rows]
    return [*rows, *rows, *ORDINARY], [*words, *(row[0] % 3 for row in ORDINARY)]


IN_THE_FLAT: Rows = [(9_000, 500, UNIT, 10, 0)]
BESIDE_IT: Rows = [(9_000, 777, UNIT, 10, 0), (100, 777, UNIT, 10, 0)]


@pytest.mark.parametrize("planted", [IN_THE_FLAT, BESIDE_IT])
@pytest.mark.parametrize(
    ("rivals", "told"), [([], "none"), ([RIVAL], "lead"), ([RIVAL, OTHER], "member")]
)
def test_who_ends_a_household_alone_makes_no_members(
    planted: Rows, rivals: Words, told: str
) -> None:
    """A stranger in a family's flat, whom its lender alone knows and who is in no ring, makes four
    households of it: the family is a ring then. Others know it as one household.
    """
    detection = found(*family(), planted, rivals)
    assert {standing(detection, who, who % 3) for who in range(100, 104)} == {told}


@pytest.mark.parametrize("late", [14, 16])
@pytest.mark.parametrize(
    ("rivals", "told"), [([], "none"), ([RIVAL], "lead"), ([RIVAL, OTHER], "member")]
)
def test_who_makes_a_ring_last_longer_alone_makes_no_members(
    late: int, rivals: Words, told: str
) -> None:
    """The victim came to the ring's device weeks after it; one made-up edge of a member there makes
    the ring still be at work.
    """
    rows: Rows = [*ring(0, 1000), *((who, 1500, DEVICE, 11, 0) for who in range(6))]
    rows += [(VICTIM, 1500, DEVICE, late, 0), *ORDINARY]
    planted: Rows = [(3, 1500, DEVICE, late, 0)]
    detection = found(rows, [row[0] % 3 for row in rows], planted, rivals, week=24)
    assert standing(detection, VICTIM, VICTIM % 3) == told


@pytest.mark.parametrize(
    ("rivals", "told"), [([], "none"), ([RIVAL], "lead"), ([RIVAL, OTHER], "member")]
)
def test_who_makes_meetings_common_alone_makes_no_members(rivals: Words, told: str) -> None:
    """Six friends of three lenders are no ring; among thousands made up who meet by contacts their
    meetings are rarer, by a bounded factor. Without the lender they are what they were.
    """
    rows: Rows = [(who, 500, DEVICE, 13 * (who % 2), 0) for who in range(120, 126)]
    rows += [(who, 600 + who // 2, PHONE, 13 * (who % 2), 0) for who in range(120, 126)]
    words = [row[0] // 2 % 3 for row in rows]
    people: Rows = [(20_000 + who, 300_000 + who // 2, PHONE, who % 14, 0) for who in range(4_000)]
    rows, words = [*rows, *people], [*words, *(row[0] % 6 for row in people)]
    for rival in rivals:
        made_up = range(6_000 * rival, 6_000 * (rival + 1))
        rows += [(50_000 + who, 400_000 + who // 2, CONTACT, who % 14, 0) for who in made_up]
        words += [rival] * 6_000
    detection = found(rows, words, [], [])
    assert {standing(detection, who, who // 2 % 3) for who in range(120, 126)} == {told}


def test_people_whom_one_lender_makes_up_make_nobody_rare_at_several() -> None:
    """Without the lender shares are as if it had not said so, whether it makes people up or claims
    to know others', too; control: with it, who is at three lenders is rarer.
    """
    honest = np.array([0, 9_000, 900, 90, 9, 0, 0, 0, 0])
    lenders = dict.fromkeys(range(12), honest // 12)
    plain = chances(honest, lenders)
    planted = np.array([0, 50_000, 0, 0, 0, 0, 0, 0, 0])
    claimed = np.array([0, 0, 9_000, 900, 90, 9, 0, 0, 0])
    for people, known in ((honest + planted, planted), (claimed, claimed)):
        assert np.allclose(chances_without(people, known), plain)
    flooded = chances(honest + planted, lenders | {99: planted})
    three = np.array([3])
    assert above_usual(three, flooded)[0] > above_usual(three, plain)[0] + 0.3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([lambda who: who % 3, lambda who: 0 * who]))
def test_households_without_a_lender_are_those_of_the_others_edges(
    seed: int, lender_of: Callable[[np.ndarray], np.ndarray]
) -> None:
    """As a graph that never had its edges has them; without a lender that said nothing, those of
    all.
    """
    edges = planted_world(seed)
    sources = lender_of(edges.attribute)
    people = np.arange(int(edges.subject.max()) + 1)
    for lender in (0, 5):
        others = edges.take(sources != lender)
        expected = people.copy()
        if len(others):
            homes = meeting_points(others, Terms())[2]
            expected[: len(homes)] = homes
        asked = np.full(len(people), lender)
        assert np.array_equal(homes_without(edges, sources, people, asked, Terms()), expected)
