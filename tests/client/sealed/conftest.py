"""Four lenders in secure sums, fresh for each test, and their naive twin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.wire.messages import Sum
from tests.client.sealed_consortium import TERMS, SealedConsortium


@pytest.fixture
def consortium(tmp_path: Path) -> Iterator[SealedConsortium]:
    ours = SealedConsortium(tmp_path)
    yield ours
    for lender in ours.lenders.values():
        lender.close()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> SealedConsortium:
    """The naive twin: the same lenders' plain sums, to the end of the run."""
    terms = replace(TERMS, sums="plain")
    ours = SealedConsortium(tmp_path_factory.mktemp("plain"), terms)
    while not ours.run.finished:
        replies = [ours.asked(code, ours.ask(None)) for code in ours.lenders]
        assert all(isinstance(reply, Sum) for reply in replies)
        ours.release(np.sum([reply.vector for reply in replies], axis=0))
    return ours
