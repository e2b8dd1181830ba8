"""Strangers that one lender puts at a ring's things hide no ring and unmake no member.

In each control the rule is off (`Terms.by_no_one_word`), or two lenders do it.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rings_worlds import CARD, DEVICE, EMPLOYER, PAYEE, PHONE, Rows, planted_world, ring

from shared.rings.columns import dense
from shared.rings.detect import Detection, detect
from shared.rings.detection import flagged_at
from shared.rings.edges import Edges
from shared.rings.kinds import Kind, Terms
from shared.rings.made_hubs import hubs, not_without

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


ATTACKS = {
    "cards": strangers(2, *CARDS),
    "cards and devices": [*strangers(2, *CARDS), *strangers(6, *DEVICES)[:12]],
    "outnumbered": [*strangers(3, *CARDS, *PHONES), *strangers(4, *DEVICES)],
    "flooded": strangers(60, *CARDS, *DEVICES, *PHONES),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_strangers_of_one_lender_hide_no_ring(name: str) -> None:
    """All six stay members; before, some were leads or nothing."""
    assert told([]) == told([], OLD) == "6 members, 0 leads"
    assert told(ATTACKS[name]) == "6 members, 0 leads"
    assert told(ATTACKS[name], OLD) != "6 members, 0 leads"


def test_two_lenders_can() -> None:
    """Control: strangers of whom two lenders speak are believed."""
    assert told(ATTACKS["flooded"], rivals=(RIVAL, OTHER)) != "6 members, 0 leads"


def hub_of(edges: Edges, sources: list[int], terms: Terms = TERMS) -> tuple[bool, int]:
    """Whether the only thing is a hub, and of how many edges it is not heard."""
    group, first = dense(edges.attribute, edges.kind)
    hub, heard = hubs(edges, np.array(sources), group, edges.kind[first].astype(np.int64), terms)
    return bool(hub[0]), int((~heard).sum())


@pytest.mark.parametrize(
    ("words", "hub", "unheard"),
    [
        ([0, 1, 2, 3, 4, 9, 9, 9, 9], False, 0),  # five are left: the cap
        ([0, 1, 2, 3, 4, 5, 9, 9, 9], True, 0),  # six are left
        ([0, 1, 2, 3, 4, *[9] * 60], False, 60),
        ([0, 0, 1, 1, 2, 2, 3, 3, *[9] * 9], False, 9),  # eight are left: they tie crowded
        ([0, 0, 1, 1, 2, 2, 3, 3, 4, *[9] * 10], True, 0),
        ([9] * 9, True, 0),  # a lender's own hub
        ([0, *[9] * 9], True, 0),
        ([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], True, 0),  # an agent's tablet
    ],
)
def test_a_hub_is_one_without_each_lender(words: list[int], hub: bool, unheard: int) -> None:
    """Nobody is heard of whom one lender alone knows where those are most; the old rule calls all
    of these hubs.
    """
    edges = Edges.of([(who, 1, DEVICE, who % 3, 0) for who in range(len(words))])
    assert hub_of(edges, words) == (hub, unheard)
    assert hub_of(edges, words, OLD) == (True, 0)


FEW = settings(max_examples=60, deadline=None)
WORDS = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 3), st.integers(0, 25)), max_size=40)


@FEW
@given(WORDS, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 25)), min_size=1, max_size=40))
def test_one_lender_makes_no_hub_of_what_is_within_its_cap(
    honest: list[tuple[int, int, int]], planted: list[tuple[int, int]]
) -> None:
    """Whoever it names, known to others or not, in whatever weeks."""
    rows: Rows = [(who, 1, DEVICE, week, 0) for who, _, week in honest]
    within = len({who for who, *_ in honest}) <= TERMS.cap(Kind.DEVICE)
    rows += [(who, 1, DEVICE, week, 0) for who, week in planted]
    words = [by for _, by, _ in honest] + [RIVAL] * len(planted)
    if within and len({who for who, *_ in honest}) >= 2:
        assert not hub_of(Edges.of(rows), words)[0]


def test_whose_hub_another_lender_unmakes_ties_nobody_without_it() -> None:
    """Nine of one lender's and a tenth at a tablet: a hub. A rival that claims to know five of them
    makes it none; of the edges that then tie, none does without the rival.
    """
    rows: Rows = [(who, 1, DEVICE, who % 3, 0) for who in range(9)]
    claims: Rows = [(who, 1, DEVICE, who % 3, 0) for who in range(4)]
    words = [*[1] * 8, 0]
    assert hub_of(Edges.of(rows), words) == (True, 0)
    edges, said = Edges.of([*rows, *claims]), [*words, *[RIVAL] * 4]
    assert not hub_of(edges, said)[0]
    edge, lender = not_without(edges, np.array(said), TERMS)
    assert set(edge[lender == RIVAL].tolist()) == set(range(9))


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
