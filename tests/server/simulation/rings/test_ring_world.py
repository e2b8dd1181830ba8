"""What people state, use and pay becomes rows by lender and week, and nothing else."""

import numpy as np
import pytest

from server.simulation.rings.world import FORM, World
from shared.rings.edges import amount_band
from shared.rings.kinds import Kind


@pytest.fixture
def world() -> World:
    """Two lenders, four borrowers: 0 and 1 at the first, 2 and 3 at the second."""
    rng = np.random.default_rng(1)
    lender, bad = np.array([0, 0, 1, 1]), np.zeros(4, dtype=bool)
    return World(("L01", "L02"), 10, lender, bad, np.arange(4), rng)


def rows(world: World) -> set[tuple[int, int, int, int, int, int]]:
    made = world.frozen()
    columns = (made.subject, made.attribute, made.kind, made.week, made.band, made.lender)
    return set(zip(*(column.tolist() for column in columns), strict=True))


def test_a_payment_names_the_account_by_the_number_its_owner_states(world: World):
    """Otherwise no flow from person to person could be seen."""
    world.stated(Kind.BANK_CARD)[:] = world.fresh(4)
    world.pay(0, world.account(3), 5, 7_500.0)
    assert (0, 3, Kind.PAYEE, 5, int(amount_band(7_500.0)), 0) in rows(world)


def test_what_is_stated_goes_to_every_lender_applied_to(world: World):
    world.stated(Kind.PHONE)[:] = world.fresh(4)
    world.apply(np.repeat(0, 30), 1, 6)  # often enough that a gap does not matter
    assert (0, 0, Kind.PHONE, 6, 0, 1) in rows(world)


def test_what_nobody_states_is_no_row(world: World):
    assert len(world.frozen().subject) == 0
    assert world.own.shape == (4, len(FORM))


def test_what_falls_outside_the_simulations_weeks_is_no_row(world: World):
    world.use(1, world.fresh(4), Kind.WIFI, [-1, 0, 9, 10])
    assert {row[3] for row in rows(world)} == {0, 9}


def test_fresh_numbers_are_never_given_twice(world: World):
    given = [*world.fresh(3), *world.fresh(0), *world.fresh(4)]
    assert given == list(range(7))
