"""Popular things tie nobody by themselves, and making a ring's things popular hides no ring.

Every defence is switched off by its own term in a control, with which the same world comes out the
other way.
"""

from dataclasses import replace
from itertools import combinations

import pytest
from rings_worlds import CARD, DEVICE, GUARANTOR, PHONE, Rows, ring

from shared.rings.detect import Detection, detect, flagged
from shared.rings.edges import Edges
from shared.rings.kinds import Terms

TERMS = Terms()
NO_PAIRS = replace(TERMS, most_hubs=0)
NOT_CROWDED = replace(TERMS, crowded=1.0)
UNCAPPED = {kind: replace(one, cap=1000) for kind, one in TERMS.kinds.items()}
NO_HUBS = replace(TERMS, kinds=UNCAPPED, said_once=(), worth_kin=0.0)
"""Nor is anything that speaks against telephones and guarantees for other reasons."""
Thing = tuple[int, int]
DEVICE_OF, CARD_OF, PHONE_OF = (1000, DEVICE), (1050, CARD), (1080, PHONE)


def found(rows: Rows, terms: Terms = TERMS) -> Detection:
    return detect(Edges.of(rows), week=14, terms=terms)


def all_at(*things: Thing, size: int = 4, week: int = 10) -> Rows:
    """People 0, 1, … , every one at each of the things."""
    return [(who, at, kind, week + who % 3, 0) for who in range(size) for at, kind in things]


def strangers(number: int, *things: Thing) -> Rows:
    """So many at each thing, others at every one: each is tied once."""
    return [
        (500 + 100 * place + who, at, kind, 11, 0)
        for place, (at, kind) in enumerate(things)
        for who in range(number)
    ]


@pytest.mark.parametrize(
    "kind_at", [[(1000, DEVICE)], [(1050, CARD)], [(1000, DEVICE), (1050, CARD)]]
)
def test_a_hub_made_by_an_attacker_hides_no_ring(kind_at: list[Thing]) -> None:
    """Sixty strangers planted on a ring's device, or card, or both: half of it is still found."""
    detection = found([*ring(), *strangers(60, *kind_at)])
    assert len(set(range(6)) & flagged(detection)) >= 3
    assert not flagged(detection) & set(range(500, 700))


@pytest.mark.parametrize("number", [8, 20, 60])
@pytest.mark.parametrize("things", [(DEVICE_OF, CARD_OF), (DEVICE_OF, CARD_OF, PHONE_OF)])
def test_a_ring_all_of_whose_things_are_made_hubs_is_found(
    number: int, things: tuple[Thing, ...]
) -> None:
    """Who shares two hubs stays tied, though the ring has nothing else; no stranger is flagged."""
    rows = [*all_at(*things), *strangers(number, *things)]
    assert flagged(found(rows)) == {0, 1, 2, 3}


@pytest.mark.parametrize("number", [8, 20, 60])
def test_without_pairs_of_hubs_it_would_be_lost(number: int) -> None:
    """Positive control: the same worlds, pairs of hubs switched off. The strangers are what hides
    the ring: without them it is found in either way.
    """
    for things in ((DEVICE_OF, CARD_OF), (DEVICE_OF, CARD_OF, PHONE_OF)):
        rows = [*all_at(*things), *strangers(number, *things)]
        assert flagged(found(rows, NO_PAIRS)) == set()
        assert flagged(found(all_at(*things), NO_PAIRS)) == {0, 1, 2, 3}


def at_one_device() -> Rows:
    """Four at one device, two each at one telephone."""
    return [
        *all_at(DEVICE_OF),
        *((who, 1080 + who // 2, PHONE, 11 + who % 2, 0) for who in range(4)),
    ]


@pytest.mark.parametrize("number", [2, 3])
def test_a_few_planted_sharers_untie_no_ring(number: int) -> None:
    """Up to 1.6 caps a thing still ties, less; without that two sharers more hide the ring."""
    rows = [*at_one_device(), *strangers(number, DEVICE_OF)]
    assert flagged(found(rows)) == {0, 1, 2, 3}
    assert flagged(found(rows, NOT_CROWDED)) == set()
    assert flagged(found(at_one_device(), NOT_CROWDED)) == {0, 1, 2, 3}


TWO = list(combinations((DEVICE, CARD, PHONE, GUARANTOR), 2))


def at_two_hubs(one: int, two: int) -> Rows:
    """An agent's tablet and an office telephone, say: twelve at each, in two weeks; one at both."""
    return [
        row
        for who in range(12)
        for week in (11, 13)
        for row in ((who, 1, one, week, 0), (who + 11, 2, two, week, 0))
    ]


@pytest.mark.parametrize(("one", "two"), TWO)
def test_hubs_of_two_strong_kinds_tie_nobody(one: int, two: int) -> None:
    """Twelve at a thing of each kind are above both caps: no ring and no flag."""
    detection = found(at_two_hubs(one, two))
    assert detection.rings == ()
    assert detection.flag(0) is None


@pytest.mark.parametrize(("one", "two"), TWO)
def test_without_caps_they_would_be_a_ring(one: int, two: int) -> None:
    """Positive control: what the caps are for."""
    assert flagged(found(at_two_hubs(one, two), NO_HUBS)) == set(range(23))
