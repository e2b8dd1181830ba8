"""Strangers that one lender puts at a ring's things outnumber no ring, and explain none.

In each control the rule is off (`Terms.by_no_one_word`), or two lenders do it.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rings_worlds import CARD, DEVICE, EMPLOYER, PAYEE, PHONE, Rows, planted_world, ring

from shared.rings.detect import Detection, detect
from shared.rings.detection import flagged_at
from shared.rings.edges import Edges
from shared.rings.kinds import Terms

TERMS = Terms()
OLD = replace(TERMS, by_no_one_word=False)
RIVAL, OTHER = 9, 8
Thing = tuple[int, int]
CARDS: list[Thing] = [(1050, CARD), (1051, CARD)]
DEVICES: list[Thing] = [(1000, DEVICE), (1001, DEVICE)]
PHONES: list[Thing] = [(1080 + at, PHONE) for at in range(3)]
ORDINARY: Rows = [(1_000 + who, 200_000 + who // 2, DEVICE, who % 14, 0) for who in range(600)]
ORDINARY += [(1_600 + who, 300_000 + who // 2, PHONE, who % 14, 0) for who in range(5_400)]


def told(planted: Rows, terms: Terms = TERMS, rivals: tuple[int, ...] = (RIVAL,)) -> str:
    """How many of a ring of six, each known to a lender of its own and another, are members and how
    many leads, among six thousand others.
    """
    honest = [*ring(), *ring()]
    words = [who for who, *_ in ring()] + [(who + 1) % 6 for who, *_ in ring()]
    rows = [*honest, *ORDINARY, *planted * len(rivals)]
    words += [row[0] % 6 for row in ORDINARY]
    words += [rival for rival in rivals for _ in planted]
    detection = detect(Edges.of(rows), week=14, sources=words, terms=terms)
    return counted(detection, {who: (who, (who + 1) % 6) for who in range(6)})


def counted(detection: Detection, lenders: dict[int, tuple[int, ...]]) -> str:
    members = leads = 0
    for who, at in lenders.items():
        sure = any(who in flagged_at(detection, one, {who}) for one in at)
        members += sure
        leads += not sure and any(
            who in flagged_at(detection, one, {who}, leads=True) for one in at
        )
    return f"{members} members, {leads} leads"


def strangers(number: int, *things: Thing) -> Rows:
    """So many at each, others at every one, in the weeks of the ring."""
    return [
        (9_000 + 100 * place + who, at, kind, 11, 0)
        for place, (at, kind) in enumerate(things)
        for who in range(number)
    ]


OUTNUMBERED = {
    "at cards and telephones": strangers(3, *CARDS, *PHONES),
    "at everything": [*strangers(3, *CARDS, *PHONES), *strangers(4, *DEVICES)],
}


@pytest.mark.parametrize("name", OUTNUMBERED)
def test_one_lenders_strangers_outnumber_no_ring(name: str) -> None:
    """All six stay members; without the rule none does, nor where two lenders say it."""
    assert told([]) == told([], OLD) == "6 members, 0 leads"
    assert told(OUTNUMBERED[name]) == "6 members, 0 leads"
    assert told(OUTNUMBERED[name], OLD) == "0 members, 0 leads"
    assert told(OUTNUMBERED[name], rivals=(RIVAL, OTHER)) != "6 members, 0 leads"


@pytest.mark.parametrize("number", [0, 1, 2, 4, 9])
def test_strangers_at_hubs_make_nobody_a_member(number: int) -> None:
    """Fourteen at a tablet and a telephone, nine known to one lender and five to another: these are
    members, and no others, however many strangers a rival puts there.
    """
    things = [(1000, DEVICE), (1080, PHONE)]
    people = range(50_000, 50_014)
    honest: Rows = [(who, at, kind, 11, 0) for who in people for at, kind in things]
    planted: Rows = [
        (60_000 + who, at, kind, 11, 0) for who in range(number) for at, kind in things
    ]
    words = [1 if who < 50_009 else 2 for who, *_ in honest] + [RIVAL] * len(planted)
    edges = Edges.of([*ORDINARY, *honest, *planted])
    words = [row[0] % 6 + 10 for row in ORDINARY] + words
    detection = detect(edges, week=14, sources=words)
    assert flagged_at(detection, 1, set(people)) == set(people[:9])
    assert flagged_at(detection, 2, set(people)) == set(people[9:])
    assert flagged_at(detection, 3, set(people)) == set()


def at_work() -> Rows:
    """The ring's employer, where 84 others are seen, half of all in one week."""
    rows: Rows = [(who, 9000, EMPLOYER, 11, 0) for who in range(6)]
    return rows + [
        (200 + who, 9000, EMPLOYER, 11 if who < 39 else 5 + who % 13, 0) for who in range(84)
    ]


@pytest.mark.parametrize(("words", "found"), [("one", True), ("three", False)])
def test_colleagues_whom_one_lender_makes_up_explain_no_ring(words: str, found: bool) -> None:
    """A place where hardly anybody else is does not say why people share things. Said by three
    lenders (control), half of ninety in one week are colleagues, and the ring is explained.
    """
    work = at_work()
    edges = Edges.of([*ring(), *ORDINARY, *work])
    said = [row[0] % 3 for row in (*ring(), *ORDINARY, *work[:6])]
    said += [RIVAL if words == "one" else at % 3 for at in range(84)]

    def best(terms: Terms) -> float:
        rings = detect(edges, week=14, sources=said, terms=terms).rings
        return max((one.score for one in rings), default=0.0)

    assert (best(TERMS) >= 60) == found
    assert best(OLD) < 60


@pytest.mark.parametrize("things", [1, 2])
def test_one_edge_is_one_observation_in_all_its_senses(things: int) -> None:
    """A stranger on a card that others have and pay meets them at it twice, by one edge: no member.
    By another thing besides (control) it is one.
    """
    rows: Rows = [*ring(), *((who, 1050, PAYEE, 11, 3) for who in (1, 3, 5))]
    rows += [(77, thing, kind, 11, 0) for thing, kind in ((1050, CARD), (1001, DEVICE))[:things]]
    found = detect(Edges.of(rows), week=14)
    assert (77 in found.rings[0].members) == (things == 2)
    assert set(range(6)) <= set(found.rings[0].members)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_names_of_lenders_carry_no_meaning(seed: int) -> None:
    """Other numbers for lenders, the same rings."""
    edges = planted_world(seed)
    sources = np.random.default_rng(seed).integers(0, 4, len(edges))
    one, two = (detect(edges, week=30, sources=given) for given in (sources, 50 - 3 * sources))
    assert [each.members for each in one.rings] == [each.members for each in two.rings]
