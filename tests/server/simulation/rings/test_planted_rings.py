"""Planted rings are of every typology, over several lenders, grow over weeks and live besides."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from server.simulation.rings.habits import HARD, USUAL
from server.simulation.rings.rings import TYPOLOGIES
from server.simulation.rings.scenario import Planted, Scenario, made_up, scenario
from server.simulation.rings.truth import PlantedRing
from server.simulation.rings.visibility import ties
from shared.errors import OperatorError
from shared.rings.kinds import Kind

BY_KIND = {
    "shared_device": Kind.DEVICE,
    "shared_phone": Kind.PHONE,
    "shared_card": Kind.BANK_CARD,
    "shared_contact": Kind.EMERGENCY_CONTACT,
    "shared_unit": Kind.ADDR_UNIT,
    "shared_wifi": Kind.WIFI,
    "employer_burst": Kind.EMPLOYER,
    "agency_script": Kind.DEVICE,
    "common_payee": Kind.PAYEE,
}
Flow = tuple[int, int, int, int]


def rings_of(made: Scenario, typology: str) -> list[PlantedRing]:
    return [ring for ring in made.truth.rings if ring.typology == typology]


def users(made: Scenario, kind: Kind) -> dict[int, set[int]]:
    """People by attribute of a kind."""
    traffic = made.traffic
    which = np.flatnonzero(traffic.kind == kind)
    found: dict[int, set[int]] = defaultdict(set)
    for who, what in zip(
        traffic.subject[which].tolist(), traffic.attribute[which].tolist(), strict=True
    ):
        found[what].add(who)
    return found


def flows(made: Scenario, ring: PlantedRing) -> Iterator[Flow]:
    """(giver, taker, week, band) of payments between members' accounts."""
    traffic = made.traffic
    inside = np.isin(traffic.subject, ring.members)
    owner = defaultdict(set)
    for at in np.flatnonzero(inside & (traffic.kind == Kind.BANK_CARD)):
        owner[int(traffic.attribute[at])].add(int(traffic.subject[at]))
    for at in np.flatnonzero(inside & (traffic.kind == Kind.PAYEE)):
        for taker in owner.get(int(traffic.attribute[at]), ()):
            if taker != traffic.subject[at]:
                row = (int(traffic.subject[at]), taker)
                yield (*row, int(traffic.week[at]), int(traffic.band[at]))


def test_every_typology_is_planted_in_turn(made: Scenario):
    assert set(Counter(ring.typology for ring in made.truth.rings).values()) == {2}
    assert len(TYPOLOGIES) == 19


def test_every_ring_is_over_several_lenders_and_nobody_is_in_two(made: Scenario):
    members = [one for ring in made.truth.rings for one in ring.members]
    assert len(set(members)) == len(members)
    for ring in made.truth.rings:
        assert len(ring.members) >= 3
        assert len({int(made.truth.lender[one]) for one in ring.members}) >= 2


@pytest.mark.parametrize("typology", BY_KIND)
def test_a_ring_shares_what_its_typology_says(made: Scenario, typology: str):
    """Among most of its members; with the same among ordinary people it would mean nothing."""
    by_thing = users(made, BY_KIND[typology])
    for ring in rings_of(made, typology):
        sharing = set().union(
            *(who for who in by_thing.values() if len(who & set(ring.members)) > 1)
        )
        assert len(sharing & set(ring.members)) >= 0.6 * len(ring.members)


def test_guarantors_in_a_circle_are_members(made: Scenario):
    phones = users(made, Kind.PHONE)
    for ring in rings_of(made, "guarantor_circle"):
        own = {what for what, who in phones.items() if who & set(ring.members)}
        signed = users(made, Kind.GUARANTOR)
        inside = [what for what, who in signed.items() if who & set(ring.members) and what in own]
        assert len(inside) >= len(ring.members) - 2


@pytest.mark.parametrize("typology", [name for name, one in TYPOLOGIES.items() if one.flow])
def test_a_flow_ties_most_members_by_money(made: Scenario, typology: str):
    for ring in rings_of(made, typology):
        ends = {end for giver, taker, *_ in flows(made, ring) for end in (giver, taker)}
        assert len(ends) >= 0.6 * len(ring.members)


def test_a_round_trip_comes_back_within_a_month_with_most_of_its_value(made: Scenario):
    """At the resolution of weeks and of bands that double."""
    for ring in rings_of(made, "round_trip"):
        found = list(flows(made, ring))
        back = [
            (week, later)
            for giver, taker, week, band in found
            for other, third, later, less in found
            if (other, third) == (taker, giver) and 0 < later - week <= 4 and band - less in (0, 1)
        ]
        assert back


def test_a_cycle_closes(made: Scenario):
    for ring in rings_of(made, "cycle"):
        paid = {(giver, taker) for giver, taker, *_ in flows(made, ring)}
        reached = set(paid)
        for _ in range(5):
            reached |= {(a, d) for a, b in reached for c, d in paid if b == c}
        assert any(giver == taker for giver, taker in reached)


def test_rings_grow_over_weeks_and_bursts_do_not(made: Scenario):
    length = {ring.number: max(ring.joined) - min(ring.joined) for ring in made.truth.rings}
    slow = [length[r.number] for r in made.truth.rings if not TYPOLOGIES[r.typology].burst]
    assert np.median(slow) >= 3
    for ring in made.truth.rings:
        if TYPOLOGIES[ring.typology].burst:
            assert length[ring.number] <= 3


def test_members_also_share_things_with_people_in_no_ring(made: Scenario):
    """They live ordinary lives: no detector gets a ring that hangs together with nobody else."""
    crooks = made.truth.members
    outside = [
        len(who - crooks) > 0
        for kind in (Kind.DEVICE, Kind.PHONE, Kind.EMERGENCY_CONTACT, Kind.ADDR_UNIT)
        for who in users(made, kind).values()
        if len(who) > 1 and who & crooks
    ]
    assert 0.1 < np.mean(outside) < 0.9


def test_members_are_rather_borrowers_who_went_bad():
    rng = np.random.default_rng(0)
    lender, bad = rng.integers(0, 4, 3_000), rng.random(3_000) < 0.2
    made = scenario(("L01", "L02", "L03", "L04"), lender, bad, Planted(20, 5), seed=1)
    assert bad[made.truth.row[sorted(made.truth.members)]].mean() > 0.35


def test_too_few_borrowers_are_refused_with_a_remedy():
    """A ring's lenders must have enough customers."""
    lender, bad = np.arange(700), np.zeros(700, dtype=bool)
    codes = tuple(f"L{at:03d}" for at in range(700))
    with pytest.raises(OperatorError, match="too few borrowers") as refused:
        scenario(codes, lender, bad, Planted(10, 0), seed=1)
    assert "--rings" in refused.value.remedy


def test_a_ring_is_the_same_under_the_same_seed(made: Scenario):
    again = made_up(6, 4_000, Planted(rings=38, decoys=60, clubs=3), seed=7)
    assert again.truth.to_dict() == made.truth.to_dict()


def test_usual_rings_leave_more_than_hard_ones():
    """More lenders for each member, more ties, and no fewer ties of innocents."""
    worlds = [made_up(6, 2_000, Planted(19, 20, habits=one), seed=3) for one in (USUAL, HARD)]
    lenders, tied = [], []
    for world in worlds:
        pairs = np.unique(np.stack([world.traffic.subject, world.traffic.lender]), axis=1)
        number = np.bincount(pairs[0])
        lenders.append([number[who].mean() for who in (sorted(world.truth.members), slice(None))])
        tied.append(np.mean([len(ties(world.traffic, ring)) for ring in world.truth.rings]))
    assert lenders[0][0] > lenders[1][0] + 0.3
    assert lenders[0][1] > lenders[1][1]
    assert tied[0] > tied[1]


def test_who_states_a_unit_states_its_building(made: Scenario):
    """A ring's address is one place, as everybody's is."""
    units, buildings = users(made, Kind.ADDR_UNIT), users(made, Kind.ADDR_BUILDING)
    for ring in rings_of(made, "shared_unit"):
        shared = max((who & set(ring.members) for who in units.values()), key=len)
        assert any(len(shared & who) >= len(shared) - 1 for who in buildings.values())
