"""One consortium of three lenders for the commands of the list, and one of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exchange_parties import Parties, open_epoch, parties


@pytest.fixture(scope="package")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    """The one consortium of most tests."""
    with parties(tmp_path_factory.mktemp("exchange")) as found:
        yield found


@pytest.fixture
def exchange(everybody: Parties, capsys: pytest.CaptureFixture[str]) -> Parties:
    """With an epoch that is open; others have filed there. A test leaves it running as it was."""
    everybody.capture = capsys
    if not (everybody.lender("L03") / "own" / "registry" / "checkpoint.json").exists():
        open_epoch(everybody)
    return everybody


@pytest.fixture
def fresh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Parties]:
    """A consortium of the test's own, which has no epoch yet."""
    folder = tmp_path / "parties"
    folder.mkdir()
    with parties(folder) as found:
        found.capture = capsys
        yield found


@pytest.fixture
def alone(fresh: Parties) -> Parties:
    """A consortium of the test's own with an epoch that is open: nobody has filed there."""
    open_epoch(fresh)
    return fresh
