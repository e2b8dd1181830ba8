"""The same rows, seed and terms give the same model, whether simulate.py or a consortium trains it.

The boosted family: `test_consortium.py`, over real processes. A network also follows from each
lender's `secret`, which shuffles its rows and rounds its answers and stays where it is: it is the
same model where the secrets are the same, and another where one is not.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import client.app
from client.desk import close_all
from server.coordinator.rounds import conduct
from server.deployment.runs import found_run
from server.simulation.grid import InProcessGrid
from shared.model.saved import digest_of
from shared.training.consortium import FILE, parse_consortium
from tests.deployment.consortium import CODES, SIZES, Consortium, founded
from tests.deployment.simulated import simulated
from tests.federation import PATIENT

_SECRET = re.compile(r"^secret = \d+$", re.M)


def _secret_of(home: Path) -> str:
    found = _SECRET.search((home / "client.toml").read_text())
    assert found is not None
    return found[0]


def _with_secret(home: Path, line: str) -> None:
    path = home / "client.toml"
    path.write_text(_SECRET.sub(line, path.read_text()))


def _model(made: Consortium, name: str, seed: int, family: str, minutes: int = 0) -> str:
    """Of a run of the founded consortium, on the terms its members joined under, so many minutes
    ahead: numbers of set-ups follow seconds, and a second run in the same one would be refused.
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
        ahead = timedelta(minutes=minutes)
        done = conduct(grid, run, PATIENT, now=lambda: datetime.now(UTC) + ahead)
        return digest_of(done.model())
    finally:
        grid.close()
        close_all()


@pytest.mark.parametrize("family", ["network", "blend"])
def test_lenders_with_the_same_secrets_train_the_same_network(tmp_path: Path, family: str) -> None:
    """Those that simulate.py gives its lenders; control: with one other secret it is another."""
    expected, homes = simulated(tmp_path / "simulated", family=family, seed=3)
    made = founded(tmp_path / "founded", CODES, SIZES)
    for code, home in made.lenders.items():
        _with_secret(home, _secret_of(homes[code]))
    assert _model(made, "same", 3, family) == expected
    _with_secret(made.lenders["L02"], "secret = 1")
    assert _model(made, "other", 3, family, minutes=1) != expected
