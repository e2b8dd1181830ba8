"""Whose word a ring is decides who may act on it; what one lender plants convicts no other's
customer.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rings_worlds import CARD, DEVICE, PAYEE, PHONE, Rows, essence, planted_world, ring

from shared.errors import OperatorError, PeerError
from shared.rings.background import Background
from shared.rings.detect import Detection, detect
from shared.rings.detection import flagged_at
from shared.rings.edges import Edges
from shared.rings.graph import Graph
from shared.rings.kinds import Terms
from shared.rings.provenance import NOBODY, SEVERAL

OWN, RIVAL = 0, 9
VICTIM = 77
FEW = settings(max_examples=25, deadline=None)


def found(rows: Rows, sources: list[int] | None, **more: object) -> Detection:
    return detect(Edges.of(rows), week=14, sources=sources, **more)  # type: ignore[arg-type]


def honest(rows: Rows) -> list[int]:
    """Customers of three lenders in turn."""
    return [row[0] % 3 for row in rows]


def distance(detection: Detection, lender: int | None, who: int = VICTIM) -> int | None:
    flag = detection.flag(who, lender)
    return flag and flag.distance


def test_a_ring_of_one_lenders_edges_is_told_to_that_lender_only() -> None:
    """It may be made up as a whole."""
    detection = found(ring(), [RIVAL] * 18)
    assert detection.rings[0].sources == (RIVAL,)
    assert distance(detection, RIVAL, 0) == 0
    assert detection.flag(0, OWN) is None


def test_a_ring_of_several_lenders_edges_is_told_to_all() -> None:
    """Positive control: the same edges, contributed by three. Members are members where they are
    customers.
    """
    detection = found(ring(), honest(ring()))
    assert detection.rings[0].sources == (0, 1, 2)
    assert detection.rings[0].alone == (0, 1, 2, 0, 1, 2)
    assert [distance(detection, lender, 0) for lender in (OWN, RIVAL)] == [0, 1]


PLANTED = (VICTIM, 1000, DEVICE, 11, 0)
TOGETHER: Rows = [*ring(), (3, 1000, DEVICE, 11, 0), (4, 1000, DEVICE, 11, 0)]
"""Five of the six at the device that the victim is seen at, too."""


@pytest.mark.parametrize(("source", "at_home"), [(RIVAL, 1), (OWN, 0)])
def test_one_edge_counts_where_it_was_observed(source: int, at_home: int) -> None:
    """A rival's edge flags nobody at home, the lender's own observation does."""
    detection = found([*TOGETHER, PLANTED], [*honest(TOGETHER), source])
    [tie] = [each for each in detection.attached if each.subject == VICTIM]
    assert (tie.edge, tie.source, tie.sure) == (20, source, True)
    assert distance(detection, OWN) == at_home
    assert (VICTIM in flagged_at(detection, OWN, {VICTIM})) == (at_home == 0)
    assert distance(detection, None) == 1


LENDERS = (*range(3), RIVAL)


def standing(detection: Detection, lender: int, who: int = VICTIM) -> str:
    """As `flagged_at` and `flag` both tell it."""
    flag = detection.flag(who, lender)
    told = "none"
    if flag:
        told = "lead" if flag.lead else "near" if flag.distance else "member"
    sure, led = (who in flagged_at(detection, lender, {who}, leads=each) for each in (False, True))
    assert (sure, led) == (told == "member", told in ("member", "lead"))
    return told


@pytest.mark.parametrize(("lender", "told"), [(OWN, "lead"), (RIVAL, "member")])
def test_what_one_rival_plants_makes_leads_of_others_customers(lender: int, told: str) -> None:
    """However many edges; at the rival itself it is a member, by its own books."""
    detection = found([*ring(), *MANY], [*honest(ring()), *[RIVAL] * 3])
    assert standing(detection, lender) == told
    flag = detection.flag(VICTIM, lender)
    assert flag is not None
    assert flag.distance == (told == "lead")


def test_what_several_lenders_saw_is_no_lead() -> None:
    """Positive control: the same edges of two lenders make a member, at each of them."""
    words = [*honest(ring()), *[RIVAL] * 3, *[8] * 3]
    detection = found([*ring(), *MANY, *MANY], words)
    assert [standing(detection, lender) for lender in (OWN, RIVAL)] == ["member"] * 2


@pytest.mark.parametrize(
    ("others", "told"),
    [([RIVAL] * 14, "lead"), ([1] * 6 + [2] * 6 + [1, 2], "member"), ([OWN] * 14, "member")],
)
def test_an_own_observation_of_a_ring_of_one_others_word_is_a_lead(
    others: list[int], told: str
) -> None:
    """One of the ring's customers is its lender's own, so it is told of the ring, and it saw the
    victim at the ring's device; but all other members are one lender's word. Of two lenders' word,
    or its own, it is a ring it may rely on.
    """
    rows = [*TOGETHER, PLANTED]
    given = iter(others)
    sources = [OWN if row[0] < 2 else next(given) for row in TOGETHER]
    assert standing(found(rows, [*sources, OWN]), OWN) == told


def test_who_rests_on_either_of_two_lenders_is_a_lead_at_all() -> None:
    """Two made-up people around a customer: nobody may act on it, and both may look."""
    rows: Rows = [
        (who, 720 + at, kind, 11, 0) for who in range(3) for at, kind in enumerate((DEVICE, CARD))
    ]
    detection = found(rows, [OWN, OWN, *[RIVAL] * 4])
    assert {standing(detection, lender, 0) for lender in (OWN, RIVAL)} == {"lead"}


def test_nothing_is_a_lead_of_a_ring_that_a_lender_is_not_told_of() -> None:
    """A ring of one lender's edges alone is that lender's."""
    detection = found([*ring(), PLANTED], [RIVAL] * 19)
    assert [standing(detection, lender, 0) for lender in LENDERS] == [*["none"] * 3, "member"]
    assert [standing(detection, lender) for lender in LENDERS] == [*["none"] * 3, "member"]


def test_without_lenders_nothing_is_a_lead() -> None:
    """Whose word it is cannot be asked."""
    detection = found([*ring(), PLANTED], None)
    assert all(tie.sure for tie in detection.attached)
    assert [standing(detection, OWN, who) for who in (0, VICTIM)] == ["member"] * 2


def test_without_the_rules_one_edge_would_convict() -> None:
    """Positive control: were one observation enough, the planted edge would make a member."""
    detection = found([*ring(), PLANTED], None, terms=replace(Terms(), least_observations=1))
    assert distance(detection, None) == 0


MANY: Rows = [
    (VICTIM, 1000, DEVICE, 11, 0),
    (VICTIM, 1050, CARD, 11, 0),
    (VICTIM, 1080, PHONE, 12, 0),
]


def test_many_edges_of_one_rival_make_nobody_a_member_elsewhere() -> None:
    """The victim is a member to the rival alone; all others are told that a ring is near."""
    detection = found([*ring(), *MANY], [*honest(ring()), *[RIVAL] * 3])
    only = detection.rings[0].alone[detection.rings[0].members.index(VICTIM)]
    assert only == RIVAL
    assert distance(detection, OWN) == 1
    assert distance(detection, RIVAL) == 0
    assert VICTIM not in flagged_at(detection, OWN, {VICTIM})


@pytest.mark.parametrize("sources", [None, [RIVAL, OWN, OWN]])
def test_edges_of_several_lenders_make_a_member(sources: list[int] | None) -> None:
    """Positive control: without provenance, or seen by two lenders, the same customer is one."""
    given = None if sources is None else [*honest(ring()), *sources]
    assert distance(found([*ring(), *MANY], given), OWN if sources else None) == 0


def test_members_planted_on_a_customers_own_things_do_not_draw_it_in() -> None:
    """The victim's device and telephone are its own lender's honest rows; two members on each of
    them are the rival's word. From two lenders the same edges make it a member.
    """
    own: Rows = [(VICTIM, 500, DEVICE, 11, 0), (VICTIM, 501, PHONE, 11, 0)]
    others: Rows = [(who, thing, kind, 11, 0) for who in (0, 1) for _, thing, kind, *_ in own]
    rows = [*ring(), *own, *others]
    planted = found(rows, [*honest(ring()), OWN, OWN, *[RIVAL] * 4])
    twice = [*honest(ring()), OWN, OWN, *[1] * 4, *[2] * 4]
    seen = found([*rows, *others], twice)
    assert distance(planted, OWN) == 1
    assert distance(seen, OWN) == 0


@pytest.mark.parametrize("copied", [False, True])
def test_one_honest_tie_and_a_rivals_are_the_rivals_word(copied: bool) -> None:
    """Two customers of two lenders share a telephone; one rival adds a device and a card of both
    and of somebody made up, and may repeat the honest rows. Said by two lenders (control), all are
    members.
    """
    tie: Rows = [(100, 700, PHONE, 11, 0), (101, 700, PHONE, 12, 0)]
    plants: Rows = [
        (who, 710 + at, kind, 11, 0)
        for who in (100, 101, 102)
        for at, kind in enumerate((DEVICE, CARD))
    ]
    plants += tie if copied else []
    base = [*ordinary(), *tie]

    def members(*rivals: int) -> list[set[int]]:
        words = [one for each in rivals for one in [each] * len(plants)]
        sources = [*honest(ordinary()), 0, 1, *words]
        detection = found([*base, *plants * len(rivals)], sources)
        return [flagged_at(detection, lender, {100, 101}) for lender in (0, 1)]

    assert members(RIVAL) == [set(), set()]
    assert members(RIVAL, 8) == [{100, 101}, {100, 101}]


def test_who_rests_on_several_lenders_words_is_a_member_nowhere() -> None:
    """Two made-up people around a customer: without either lender there is no ring at all."""
    rows: Rows = [
        (who, 720 + at, kind, 11, 0) for who in range(3) for at, kind in enumerate((DEVICE, CARD))
    ]
    [made_up] = found(rows, [OWN, OWN, *[RIVAL] * 4]).rings
    assert (made_up.alone, made_up.needs) == ((SEVERAL,) * 3, (OWN, RIVAL))
    [real] = found(rows * 3, [OWN] * 6 + [RIVAL] * 6 + [1] * 6).rings
    assert (real.alone, real.needs) == ((NOBODY,) * 3, ())


def test_who_is_only_named_is_not_attached() -> None:
    """Being paid by a ring, or being its member's contact, is nobody's own act."""
    rows: Rows = [*ring(), (VICTIM, 600, CARD, 11, 0)]
    rows += [(who, 600, PAYEE, 11, 3) for who in range(3)]
    detection = found(rows, honest(rows))
    assert all(tie.subject != VICTIM for tie in detection.attached)


def test_the_same_edge_from_two_lenders_is_two_observations() -> None:
    """From one lender twice it is one."""
    rows: Rows = [*ring(), PLANTED, PLANTED]
    twice = found(rows, [*honest(ring()), OWN, OWN])
    both = found(rows, [*honest(ring()), OWN, 1])
    assert [VICTIM in each.rings[0].members for each in (twice, both)] == [False, True]


def crowd(lender: int) -> tuple[Rows, list[int]]:
    """Two thousand made-up rings of one lender's customers, three at a device each, all at once."""
    rows: Rows = [
        (10_000 + who, 50_000 + who // 3 + 9_000 * thing, kind, 11, 0)
        for who in range(6_000)
        for thing, kind in enumerate((DEVICE, CARD, PHONE))
    ]
    return rows, [lender] * len(rows)


def ordinary() -> Rows:
    """Six thousand people of whom one in ten shares a device with another."""
    shared: Rows = [(1_000 + who, 200_000 + who // 2, DEVICE, who % 14, 0) for who in range(600)]
    return shared + [(1_600 + who, 300_000 + who // 2, PHONE, who % 14, 0) for who in range(5_400)]


def test_planting_thousands_of_points_hides_no_ring() -> None:
    """With provenance the ring still flags; without, it has become what everybody does."""
    base = [*ring(), *ordinary()]
    planted, words = crowd(RIVAL)
    rows, sources = [*base, *planted], [*honest(base), *words]

    def score(given: list[int] | None) -> float:
        rings = found(rows, given).rings
        return max((each.score for each in rings if 0 in each.members), default=0.0)

    assert score(sources) >= 60
    assert score(None) < 40


def test_padding_changes_nobodys_score() -> None:
    """Rows of people who share nothing, as a page is filled with, do not make rings rarer."""
    base = [*ring(), *ordinary()]
    padding: Rows = [(20_000 + at, 900_000 + at, DEVICE, 11, 0) for at in range(5_000)]
    plain, padded = found(base, honest(base)), found([*base, *padding], honest([*base, *padding]))
    assert essence(plain) == essence(padded)


@FEW
@given(st.integers(0, 10**6), st.integers(5, 28))
def test_week_by_week_keeps_whose_word_it_is(seed: int, cut: int) -> None:
    """Who is attached, by whose edge, and on whose word members rest, as from scratch."""
    edges = planted_world(seed)
    sources = np.random.default_rng(seed).integers(0, 3, len(edges))
    usual = Background.prior()
    early = edges.week <= cut
    graph = Graph.of(edges.take(early), background=usual, sources=sources[early])
    graph = graph.with_week(edges.take(~early), sources[~early])
    parts = detect(graph, week=30)
    whole = detect(edges, week=30, background=usual, sources=sources)

    def told(each: Detection) -> set[object]:
        ties = {
            (tie.subject, each.rings[tie.ring].members, tie.source, tie.sure)
            for tie in each.attached
        }
        return ties | {(one.members, one.alone, one.sources) for one in each.rings}

    assert told(parts) == told(whole)


def test_sources_that_do_not_fit_are_refused() -> None:
    """Too few, negative, or missing in a later week."""
    for bad in ([0], [-1] * 18):
        with pytest.raises(PeerError, match="sources"):
            found(ring(), bad)
    graph = Graph.of(Edges.of(ring()), sources=np.zeros(18, dtype=np.int64))
    with pytest.raises(OperatorError, match="lenders"):
        graph.with_week(Edges.of(ring(100, 5000)))
