"""Look-alikes share what their kind shares, and are in no ring."""

from collections import Counter

import numpy as np
import pytest

from server.simulation.rings.innocents import KINDS
from server.simulation.rings.scenario import Scenario
from server.simulation.rings.truth import Decoy
from shared.rings.kinds import Kind

SHARED = {
    "family": Kind.ADDR_UNIT,
    "couple": Kind.ADDR_UNIT,
    "dormitory": Kind.ADDR_BUILDING,
    "factory": Kind.EMPLOYER,
    "call_centre": Kind.EMPLOYER,
    "tablet": Kind.DEVICE,
    "village": Kind.PAYEE,
}


def decoys_of(made: Scenario, kind: str) -> list[Decoy]:
    return [decoy for decoy in made.truth.decoys if decoy.kind == kind]


def most_shared(made: Scenario, decoy: Decoy, kind: Kind) -> float:
    """Share of the people who have the thing of this kind that most of them have."""
    traffic = made.traffic
    which = np.isin(traffic.subject, decoy.people) & (traffic.kind == kind)
    pairs = set(
        zip(traffic.attribute[which].tolist(), traffic.subject[which].tolist(), strict=True)
    )
    return max(Counter(what for what, _ in pairs).values(), default=0) / len(decoy.people)


def test_every_usual_kind_is_planted_about_as_often_as_its_share(made: Scenario):
    usual = [decoy for decoy in made.truth.decoys if decoy.kind != "club"]
    for name, kind in KINDS.items():
        found = len(decoys_of(made, name)) / len(usual)
        assert name == "club" or abs(found - kind.share) < 0.06


@pytest.mark.parametrize("kind", SHARED)
def test_a_look_alike_shares_what_makes_it_one(made: Scenario, kind: str):
    """But for gaps in forms."""
    shares = [most_shared(made, decoy, SHARED[kind]) for decoy in decoys_of(made, kind)]
    assert np.median(shares) >= 0.6
    assert np.mean(np.array(shares) >= 0.5) > 0.9


def test_a_club_pays_everybody_in_turn(made: Scenario):
    """Fan-in every other week, to another each time: innocent, and hard to tell."""
    for club in decoys_of(made, "club"):
        traffic = made.traffic
        own = np.isin(traffic.subject, club.people)
        cards = {*traffic.attribute[own & (traffic.kind == Kind.BANK_CARD)].tolist()}
        paid = own & (traffic.kind == Kind.PAYEE) & np.isin(traffic.attribute, list(cards))
        assert len({*traffic.attribute[paid].tolist()}) >= len(club.people) - 1


def test_nobody_planted_as_innocent_is_in_a_ring_or_in_two_groups(made: Scenario):
    people = [one for decoy in made.truth.decoys for one in decoy.people]
    assert len(set(people)) == len(people)
    assert not set(people) & made.truth.members


def test_ring_members_move_in_with_look_alikes(made: Scenario):
    """Some share an innocent group's building, employer or tablet."""
    traffic, guests = made.traffic, 0
    crooks = np.isin(traffic.subject, list(made.truth.members))
    for decoy in made.truth.decoys:
        if decoy.kind in ("dormitory", "factory", "call_centre"):
            kind = traffic.kind == SHARED[decoy.kind]
            inside = np.isin(traffic.subject, decoy.people) & kind
            values, counts = np.unique(traffic.attribute[inside], return_counts=True)
            guests += bool((crooks & kind & (traffic.attribute == values[counts.argmax()])).any())
    assert guests > 0
