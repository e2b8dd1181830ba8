"""One made-up consortium with rings of every typology and look-alikes of every kind."""

import pytest

from server.simulation.rings.scenario import Planted, Scenario, made_up


@pytest.fixture(scope="package")
def made() -> Scenario:
    return made_up(6, 4_000, Planted(rings=38, decoys=60, clubs=3), seed=7)
