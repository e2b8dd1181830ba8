"""A researcher with the tiny consortium's table and a study over it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from researcher import NO_EXTRAS, Desk, read_report

import simulate
from client.desk import close_all
from tests.pictures import undrawn  # noqa: F401


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(tmp_path, capsys)
    made.write()
    yield made
    close_all()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """report.json of the usual study, to which nothing happens."""
    made = Desk(tmp_path_factory.mktemp("undisturbed"), None)
    made.write()
    assert simulate.main(["--config", str(made.config), "--out", str(made.out), *NO_EXTRAS]) == 0
    close_all()
    return read_report(made.out)
