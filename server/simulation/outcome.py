"""What a finished run left behind, read back: the coordinator's stages and the lenders' own files.

The lenders' files are theirs; a researcher reads them because in a simulation all lenders are the
researcher's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from server.coordinator.checkpoint import Checkpoints, StageRecord
from server.coordinator.rounds import STAGES, read_agreement
from server.simulation.book import Book
from server.simulation.founding import lender_folders
from shared.errors import InternalError
from shared.model.saved import digest_of
from shared.schema import Table
from shared.training.roles import Roles, roles_of
from shared.training.run import Run

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcome:
    """A run folded up again, and the test rows' logits in the book's order.

    `test`: positions of the book's rows that some lender tested on; `shared` and `personal`: their
    logits; `results`: each lender's own result by code (lenders that answered).
    """

    run: Run
    records: tuple[StageRecord, ...]
    roles: Roles
    test: NDArray[np.intp]
    shared: Floats
    personal: Floats
    results: dict[str, dict[str, Any]]

    @property
    def model_digest(self) -> str:
        """Digest of the shared model."""
        return digest_of(self.run.model())


def read_outcome(folder: Path, book: Book) -> Outcome:
    """Read a finished run; InternalError when it is not finished."""
    run = Run(read_agreement(folder))
    _, records = Checkpoints(folder / STAGES).replay(run)
    if not run.finished:
        raise InternalError(f"the run in {folder} is not finished")
    scores, results = [], {}
    for home in lender_folders(folder):
        if (home / "own" / "result.json").exists():
            text = (home / "own" / "result.json").read_text(encoding="utf-8")
            results[home.name] = json.loads(text)
            scores.append(pd.read_parquet(home / "own" / "test_scores.parquet"))
    scored = pd.concat(scores, ignore_index=True)
    place = pd.Index(book.table.row_key.astype(str)).get_indexer(scored["row_key"].to_numpy())
    if (place < 0).any():
        raise InternalError(f"the run in {folder} tested rows that the book does not hold")
    order = np.argsort(place)
    return Outcome(
        run,
        tuple(records),
        roles_of(book.table, run.agreement),
        place[order],
        scored["shared"].to_numpy()[order],
        scored["personal"].to_numpy()[order],
        results,
    )


def training_rows(outcome: Outcome) -> NDArray[np.intp]:
    """Rows a reference may train on: training and validation, in the book's order."""
    return np.sort(np.concatenate([outcome.roles.training, outcome.roles.validation]))


def split(book: Book, outcome: Outcome) -> tuple[Table, Table]:
    """The book's training and test tables."""
    return book.table.take(training_rows(outcome)), book.table.take(outcome.test)
