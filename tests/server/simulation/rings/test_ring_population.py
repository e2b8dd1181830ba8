"""Ordinary lives share things as people do: mostly not, in homes often, shops without bound."""

import numpy as np
import pytest

from server.simulation.rings.lenders import together
from server.simulation.rings.scenario import Planted, made_up
from server.simulation.rings.world import Traffic
from shared.rings.kinds import Kind


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    """Six thousand ordinary people and one ring."""
    return made_up(6, 6_000, Planted(rings=1, decoys=0), seed=3).traffic


def users(traffic: Traffic, kind: Kind) -> np.ndarray:
    """How many subjects each attribute of a kind has."""
    which = traffic.kind == kind
    pairs = np.unique(np.stack([traffic.attribute[which], traffic.subject[which]]), axis=1)
    return np.unique(pairs[0], return_counts=True)[1]


@pytest.mark.parametrize("kind", [Kind.DEVICE, Kind.PHONE, Kind.BANK_CARD])
def test_what_is_personal_is_shared_by_few_but_by_some(traffic: Traffic, kind: Kind):
    """Families share, numbers are re-issued, devices re-sold."""
    count = users(traffic, kind)
    assert 0.005 < np.mean(count > 1) < 0.1
    assert np.mean(count > 3) < 0.005


@pytest.mark.parametrize("kind", [Kind.EMPLOYER, Kind.PAYEE])
def test_employers_and_shops_follow_a_power_law(traffic: Traffic, kind: Kind):
    """Most have a few people, the largest more than a hundred times the median."""
    count = users(traffic, kind)
    assert count.max() > 50 * np.median(count)


def test_buildings_hold_several_homes_and_homes_few_people(traffic: Traffic):
    assert users(traffic, Kind.ADDR_BUILDING).mean() > 2
    assert users(traffic, Kind.ADDR_UNIT).max() <= 12


def test_friends_pay_back_so_that_innocent_round_trips_exist(traffic: Traffic):
    owner = dict(
        zip(
            traffic.attribute[traffic.kind == Kind.BANK_CARD].tolist(),
            traffic.subject[traffic.kind == Kind.BANK_CARD].tolist(),
            strict=True,
        )
    )
    paid = traffic.kind == Kind.PAYEE
    flows = {
        (who, owner[what])
        for who, what in zip(
            traffic.subject[paid].tolist(), traffic.attribute[paid].tolist(), strict=True
        )
        if what in owner
    }
    assert sum((taker, giver) in flows for giver, taker in flows) > 30


def test_contributions_leave_out_what_one_person_has(traffic: Traffic):
    assert 0.2 < len(together(traffic).edges) / len(traffic.subject) < 0.8


def test_the_same_seed_gives_the_same_rows_and_another_does_not(traffic: Traffic):
    again = made_up(6, 6_000, Planted(rings=1, decoys=0), seed=3).traffic
    other = made_up(6, 6_000, Planted(rings=1, decoys=0), seed=4).traffic
    assert all(
        np.array_equal(getattr(traffic, name), getattr(again, name))
        for name in ("subject", "attribute", "kind", "week", "band", "lender")
    )
    assert not np.array_equal(traffic.attribute, other.attribute)
