"""A registry on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.list_registry import Served


@pytest.fixture
def url(list_url: str) -> str:
    """An empty database of one kind."""
    return list_url


@pytest.fixture
def served(url: str) -> Iterator[Served]:
    """A registry in this process, with key epoch 1 open."""
    served = Served(url)
    served.found()
    yield served
    served.close()
