"""A researcher with the tiny consortium's table and a study over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from researcher import Desk

from client.desk import close_all


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(tmp_path, capsys)
    made.write()
    yield made
    close_all()
