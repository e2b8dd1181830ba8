"""Runs of a founded consortium in this process, as `lianfang-server run start` founds them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import client.app
from client.desk import close_all
from server.coordinator.rounds import conduct
from server.deployment.runs import found_run
from server.simulation.grid import InProcessGrid
from shared.model.saved import digest_of
from shared.training.consortium import FILE, parse_consortium
from tests.deployment.consortium import Consortium
from tests.federation import PATIENT, Hurried


def trained(made: Consortium, name: str, seed: int, family: str, minutes: int = 0) -> str:
    """Digest of the model of a run of two rounds, on the terms its members joined under, with the
    coordinator's clock so many minutes ahead.
    """
    terms = parse_consortium((made.coordinator / FILE).read_bytes())
    agreement = terms.agreement(seed=seed, family=family, rounds=2, name=f"{terms.name}: {name}")
    run = found_run(made.coordinator, name, agreement)
    for home in made.lenders.values():  # as its node fetches them at the gate
        (home / "terms").mkdir(exist_ok=True)
        shutil.copy(run / "agreement.json", home / "terms" / f"{agreement.digest()}.json")
    close_all()
    grid = InProcessGrid(client.app.app, [*made.lenders.values()])
    try:
        ahead, time_of_run = timedelta(minutes=minutes), Hurried(grid)
        done = conduct(
            grid,
            run,
            PATIENT,
            clock=time_of_run.clock,
            sleep=time_of_run.sleep,
            now=lambda: datetime.now(UTC) + ahead,
        )
        return digest_of(done.model())
    finally:
        grid.close()
        close_all()
