"""One whole federation in this process: folders, the real ServerApp and ClientApp, their results.

Invariants:
- A figure counts only when every lender is in every sum: a run with a missing answer raises.
- The run's folder lives in the system's temporary folder and is removed afterwards.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")

import pandas as pd

import client.app
import server.app
from client.desk import close_all
from client.personal import PersonalLayer
from server.simulation.book import Book, book_of
from server.simulation.founding import found
from server.simulation.grid import InProcessGrid, run_in_process
from server.simulation.outcome import Outcome, read_outcome
from server.simulation.study import Study
from shared.training.agreement import Agreement


class IncompleteRunError(Exception):
    """Some lender is missing from a sum, so the figures would not be those of the federation."""


@dataclass(frozen=True, eq=False)
class Federated:
    """A finished run over a book; `seconds` from the first question to the last total."""

    book: Book
    outcome: Outcome
    seconds: float


def federated(frame: pd.DataFrame, study: Study, *, personal: bool = True) -> Federated:
    """Train and evaluate as `simulate.py` does; `personal=False` leaves lenders' own layers out.

    Raises IncompleteRunError when a lender is missing from any stage.
    """
    book = book_of(frame, study)
    agreement = Agreement(
        name=study.title,
        schema=book.table.schema,
        family=study.family,
        seed=study.seed,
        test_share=study.test_share,
        validation_share=study.validation_share,
        rounds=study.rounds,
        minimum_lenders=study.minimum_lenders,
    )
    with tempfile.TemporaryDirectory(prefix="lianfang-bench-") as folder, _personal(personal):
        homes = found(Path(folder), agreement, book)
        start = time.monotonic()
        conducted(Path(folder), homes)
        seconds = time.monotonic() - start
        outcome = read_outcome(Path(folder), book)
    for record in outcome.records:
        if record.missing or len(record.members) != len(book.codes):
            raise IncompleteRunError(f"stage {record.stage} went on without {record.missing}")
    return Federated(book, outcome, seconds)


def conducted(folder: Path, homes: list[Path]) -> None:
    """Run the coordinator's app over these lenders to its end."""
    close_all()
    grid = InProcessGrid(client.app.app, homes, workers=os.cpu_count() or 1)
    try:
        run_in_process(server.app.app, grid, {"run-directory": str(folder), "resume": False})
    finally:
        grid.close()
        close_all()


@contextmanager
def _personal(wanted: bool) -> Iterator[None]:
    if wanted:
        yield
        return
    with (
        patch("client.lender.try_personal", _no_trial),
        patch("client.lender.fit_personal", _no_layer),
    ):
        yield


def _no_trial(*_: object) -> None:
    return None


def _no_layer(*_: object) -> PersonalLayer:
    return PersonalLayer(intercept=0.0)
