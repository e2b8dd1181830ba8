"""A world of three lenders and a case desk for the commands of rings, after its first week."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.rings.ring_parties import Rings, ready, ring_parties


@pytest.fixture(scope="package")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rings]:
    with ring_parties(tmp_path_factory.mktemp("rings")) as found:
        yield found


@pytest.fixture
def rings(everybody: Rings, capsys: pytest.CaptureFixture[str]) -> Rings:
    """After the first week; others have filed and decided there."""
    everybody.parties.capture = capsys
    if not everybody.desk.desk.heads(everybody.case.id, 0):
        ready(everybody)
    return everybody


@pytest.fixture
def alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Rings]:
    """The same, for one test."""
    folder = tmp_path / "parties"
    folder.mkdir()
    with ring_parties(folder) as found:
        found.parties.capture = capsys
        ready(found)
        yield found
