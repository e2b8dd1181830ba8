"""Four lenders and a borrowing desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.borrowing_members import Borrowers, borrowers


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Borrowers]:
    with borrowers(tmp_path) as made:
        yield made
