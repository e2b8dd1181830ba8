"""How many lenders people are at at once: counted, weighed against what is usual, bounded."""

import numpy as np
import pytest
from rings_worlds import CARD, EMPLOYER, PHONE, Rows, ring

from shared.rings.detect import Detection, detect
from shared.rings.detection import flagged_at
from shared.rings.edges import Edges
from shared.rings.stacking import (
    MOST,
    NOBODY_ABOVE,
    above_usual,
    at_once,
    chances,
    stacked,
    tallied,
)

RARE = chances(np.array([0, 9000, 900, 90, 9, 1, 0, 0, 0]), dict.fromkeys((1, 2, 3), np.zeros(9)))
VICTIM = 77


def lenders(weeks: list[int], sources: list[int]) -> int:
    rows = (np.zeros(len(weeks), dtype=int), np.array(sources), np.array(weeks))
    return int(at_once(*rows, 1, 4)[0])


def test_lenders_count_within_weeks_only() -> None:
    """Three in four weeks are three; a fifth week apart they are two; one lender thrice is one."""
    assert lenders([5, 6, 8], [0, 1, 2]) == 3
    assert lenders([5, 6, 9], [0, 1, 2]) == 2
    assert lenders([5, 6, 7], [1, 1, 1]) == 1
    assert lenders(list(range(3)) * 5, list(range(15))) == MOST


def test_more_lenders_than_usual_are_above_and_fewer_below() -> None:
    """Over all people it comes to nothing: an average of zero."""
    people = np.repeat(np.arange(1, 6), [9000, 900, 90, 9, 1])
    exact = chances(np.bincount(people, minlength=9) * 1_000_000, _far(people))
    above = above_usual(people, exact)
    assert above[0] < 0 < above_usual(np.array([2]), exact)[0]
    assert np.all(np.diff(above) >= 0)
    assert abs(above.mean()) < 1e-3


def _far(people: np.ndarray) -> dict[int, np.ndarray]:
    none = np.zeros(9)
    return {0: none, 1: none, 2: none}


def test_what_everybody_does_is_no_evidence() -> None:
    """Positive control of the same four lenders: rare, they weigh; common, hardly."""
    common = chances(np.array([0, 0, 0, 0, 50_000, 0, 0, 0, 0]), _far(np.zeros(0)))
    assert above_usual(np.array([4]), RARE)[0] > 3
    assert above_usual(np.array([4]), common)[0] < 0.1


def test_one_lender_cannot_make_stacking_common() -> None:
    """It adds at most twice what is left; control: the same people known by many lenders."""
    honest = np.array([0, 9000, 900, 0, 0, 0, 0, 0, 0])
    planted = np.array([0, 0, 100_000, 0, 0, 0, 0, 0, 0])
    several = dict.fromkeys(range(12), honest // 12)
    alone = chances(honest + planted, several | {99: planted})
    shared = chances(honest + planted, several | dict.fromkeys(range(12), planted // 12))
    assert alone[2] <= 3 * (900 + 300) / (9000 + 900 + 1000) < 0.5 < 0.9 < shared[2]


@pytest.mark.parametrize("number", [1, 2])
def test_of_one_or_two_lenders_nobody_can_tell(number: int) -> None:
    """Nobody is above or below; control: of three some are."""
    people = np.array([0, 10, 10, 0, 0, 0, 0, 0, 0])
    assert chances(people, dict.fromkeys(range(number), people)) is NOBODY_ABOVE
    assert np.all(above_usual(np.arange(9), NOBODY_ABOVE) == 0)
    assert chances(people, _far(people))[2] < 1


def test_tallies_of_parts_add_up() -> None:
    """Each subject in one part; the order of edges does not matter."""
    rng = np.random.default_rng(3)
    who, by, week = rng.integers(0, 40, 300), rng.integers(0, 5, 300), rng.integers(0, 9, 300)
    known = at_once(who, by, week, 40, 4)
    people, theirs = tallied(who, by, known)
    parts = [tallied(who[who % 3 == at], by[who % 3 == at], known) for at in range(3)]
    assert np.array_equal(people, sum(part for part, _ in parts))
    assert all(np.array_equal(theirs[at], sum(of[at] for _, of in parts)) for at in theirs)
    order = rng.permutation(300)
    assert np.array_equal(known, at_once(who[order], by[order], week[order], 40, 4))
    assert np.array_equal(people, tallied(who[order], by[order], known)[0])


def test_a_group_counts_by_its_sum_over_the_root_of_its_size() -> None:
    """Four who are one nat above the usual weigh as one who is two above."""
    group = np.array([0, 0, 0, 0, 1])
    weight = stacked(group, np.array([1.0, 1.0, 1.0, 1.0, 2.0]), np.array([4, 1]))
    assert weight.tolist() == [2.0, 2.0]


def found(rows: Rows, sources: list[int]) -> Detection:
    return detect(Edges.of(rows), week=14, sources=sources)


def again(rows: Rows, source: int) -> tuple[Rows, list[int]]:
    """The same rows once more at another lender."""
    return [*rows, *rows], [row[0] % 3 for row in rows] + [source] * len(rows)


def test_a_ring_at_several_lenders_scores_more_whatever_the_order() -> None:
    """The same ring, each of whose members is at two lenders, against one at one lender each."""
    rows = ring()
    once = found(rows, [row[0] % 3 for row in rows]).rings[0]
    twice, sources = again(rows, 5)
    order = np.random.default_rng(1).permutation(len(twice))
    more = found(twice, sources).rings[0]
    mixed = found([twice[at] for at in order], [sources[at] for at in order]).rings[0]
    assert more.members == once.members == mixed.members
    assert more.score == mixed.score > once.score


def test_lenders_convict_nobody() -> None:
    """Who shares nothing rare is in no ring, at however many lenders; control: a ring's are."""
    rows: Rows = [(who, 500, EMPLOYER, 5, 0) for who in range(60)]
    everywhere = [(row, lender) for row in rows for lender in range(6)]
    assert not found([row for row, _ in everywhere], [lender for _, lender in everywhere]).rings
    assert found(*again(ring(), 5)).rings


@pytest.mark.parametrize(("others", "tied"), [(0, []), (1, [False]), (2, [True])])
def test_at_more_lenders_a_tie_is_closer_and_sure_without_any_one(
    others: int, tied: list[bool]
) -> None:
    """Two of the ring have the victim's telephone, which alone ties nobody. Seen at a second lender
    as well, the victim is tied, but by that lender's word; at a third, too, whoever is left out.
    """
    base = [*ring(), *ring()]
    sources = [row[0] % 3 for row in ring()] + [3 + row[0] % 3 for row in ring()]
    rows, words = [*base, (VICTIM, 1080, PHONE, 11, 0)], [*sources, 0]
    for at in range(others):
        rows += [(VICTIM, 900 + at, EMPLOYER, 11, 0), (300 + at, 900 + at, EMPLOYER, 2, 0)]
        words += [7 + at] * 2
    detection = found(rows, words)
    assert [tie.sure for tie in detection.attached if tie.subject == VICTIM] == tied


def lifted(*rivals: int) -> list[set[int]]:
    """Six at two lenders each, months apart, share cards and telephones in pairs. Each rival says
    that it knows them, too. Whom each honest lender then takes for a member, from a score of 40.
    """
    pairs: Rows = [
        (who, thing, kind, 1 + 8 * (who % 2), 0)
        for who in range(6)
        for thing, kind in ((1000 + who // 2, CARD), (1050 + (who + 1) // 2, PHONE))
    ]
    later = [(who, thing, kind, week + 8, band) for who, thing, kind, week, band in pairs]
    rows, words = pairs + later, [row[0] % 3 for row in pairs] + [3 + row[0] % 3 for row in pairs]
    for rival in rivals:
        rows += [(who, 500, EMPLOYER, 1 + 8 * (who % 2), 0) for who in range(6)]
        words += [rival] * 6
    detection = detect(Edges.of(rows), week=24, sources=words)
    everybody = set(range(6))
    assert all(ring.members == tuple(everybody) for ring in detection.rings)
    return [flagged_at(detection, lender, everybody, floor=40) for lender in range(6)]


def test_one_lender_that_claims_to_know_people_convicts_none_elsewhere() -> None:
    """They are no ring; with one lender's claim it is one on that lender's word. Two lenders'
    claims make all members (control).
    """
    assert lifted() == [set()] * 6
    assert lifted(9) == [set()] * 6
    assert lifted(8, 9) == [set(range(6))] * 6
