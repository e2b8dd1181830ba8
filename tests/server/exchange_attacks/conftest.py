"""Key holders as processes, shared by the tests that need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.exchange_processes import Exchange


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Three holders with a key."""
    exchange = Exchange(tmp_path_factory.mktemp("exchange"))
    yield exchange
    for one in exchange.holders.values():
        one.stop()


@pytest.fixture
def exchange(running: Exchange) -> Iterator[Exchange]:
    """All holders up, before and after."""
    running.ensure_running()
    yield running
    running.ensure_running()
