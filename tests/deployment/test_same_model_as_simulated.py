"""The same rows, seed and terms give the same model, whether simulate.py or a consortium trains it.

The boosted family: `test_consortium.py`, over real processes. A network also follows from each
lender's `secret`, which shuffles its rows and rounds its answers and stays where it is: it is the
same model where the secrets are the same, and another where one is not.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deployment.consortium import CODES, SIZES, founded
from tests.deployment.in_process import trained
from tests.deployment.simulated import simulated

_SECRET = re.compile(r"^secret = \d+$", re.M)


def _secret_of(home: Path) -> str:
    found = _SECRET.search((home / "client.toml").read_text())
    assert found is not None
    return found[0]


def _with_secret(home: Path, line: str) -> None:
    path = home / "client.toml"
    path.write_text(_SECRET.sub(line, path.read_text()))


@pytest.mark.parametrize("family", ["network", "blend"])
def test_lenders_with_the_same_secrets_train_the_same_network(tmp_path: Path, family: str) -> None:
    """Those that simulate.py gives its lenders; control: with one other secret it is another."""
    expected, homes = simulated(tmp_path / "simulated", family=family, seed=3)
    made = founded(tmp_path / "founded", CODES, SIZES)
    for code, home in made.lenders.items():
        _with_secret(home, _secret_of(homes[code]))
    assert trained(made, "same", 3, family) == expected
    _with_secret(made.lenders["L02"], "secret = 1")
    assert trained(made, "other", 3, family, minutes=1) != expected
