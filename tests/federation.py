"""A tiny consortium on disk, and a run over it in this process.

Five lenders of some sixty rows each, so that nobody's personal layer is more than an intercept and
a whole run takes a fraction of a second. The outcome follows an interaction, which a line cannot.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import client.app
from client.desk import close_all
from server.coordinator.exchange import Policy
from server.coordinator.rounds import conduct
from server.simulation.book import Book, book_of
from server.simulation.faults import Faults
from server.simulation.founding import found, lender_folders
from server.simulation.grid import InProcessGrid
from server.simulation.study import DataSource, References, Study
from shared.model.saved import digest_of
from shared.training.agreement import Agreement, Sums
from shared.training.run import Run

SIZES = (61, 60, 59, 58, 57)
ROUNDS = 2
STAGES = ("census", "refine", "bins", "trees/0", "trees/1", "mixture", "evaluation", "close")
"""Of a run of `ROUNDS` rounds of the boosted family."""

PATIENT = Policy(minimum=3, patience=30.0, deadline=60.0)


def table(sizes: tuple[int, ...] = SIZES, seed: int = 1) -> pd.DataFrame:
    """Applicants of all lenders, shuffled: numbers, a category, missing cells, years, a label."""
    rng = np.random.default_rng(seed)
    rows = sum(sizes)
    income, age = rng.normal(50, 15, rows), rng.integers(18, 70, rows)
    region = rng.choice(["north", "east", "south"], rows)
    risk = (income - 50) / 6 * np.where(age > 42, 1, -1) + 1.5 * (region == "south") - 0.5
    frame = pd.DataFrame(
        {
            "loan_id": [f"A{i:05d}" for i in range(rows)],
            "income": np.where(rng.random(rows) < 0.05, np.nan, income.round(2)),
            "age": age,
            "region": region,
            "year": rng.integers(2000, 2010, rows),
            "defaulted": (rng.random(rows) < 1 / (1 + np.exp(-risk))).astype(int),
            "lender": np.repeat([f"L{i + 1:02d}" for i in range(len(sizes))], sizes),
        }
    )
    return frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)


def study(**run: object) -> Study:
    """What a researcher would ask of `table`: two rounds, no references."""
    source = DataSource(
        Path("applicants.csv"), label="defaulted", row_key="loan_id", time="year", lender="lender"
    )
    none = References(pooled=False, local=False, fedavg_mlp=False)
    asked = {"rounds": ROUNDS, "references": none} | run
    return Study(source, "Five tiny lenders", **asked)  # type: ignore[arg-type]


class Hurried:
    """A run's time: real while a lender is at work, else waiting takes no time at all."""

    def __init__(self, grid: InProcessGrid) -> None:
        self._grid = grid
        self._skipped = 0.0

    def clock(self) -> float:
        """Seconds, skipped ones among them."""
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Until these seconds are over or a lender answers, whichever is first."""
        at_work = [reply for reply in self._grid._replies.values() if not reply.done()]
        if at_work:
            wait(at_work, timeout=seconds, return_when=FIRST_COMPLETED)
        else:
            self._skipped += seconds


@dataclass(frozen=True, eq=False)
class Consortium:
    """A founded run: its folder, its terms and all its rows."""

    folder: Path
    agreement: Agreement
    book: Book

    @property
    def homes(self) -> list[Path]:
        """The lenders' folders."""
        return lender_folders(self.folder)

    def lenders_forget(self) -> None:
        """As if they had never taken part: no outbox, no key sets, no result."""
        for home in self.homes:
            for path in (home / "own").iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != "identity.key":
                    path.unlink()

    def coordinator_forgets(self) -> None:
        """As if its folder were lost, but for the counter of set-ups."""
        shutil.rmtree(self.folder / "stages", ignore_errors=True)
        for path in (self.folder / "rounds").glob("*.*"):
            path.unlink()

    def conducted(
        self,
        *,
        resume: bool = False,
        faults: Faults | None = None,
        policy: Policy = PATIENT,
        wrapped: Callable[[InProcessGrid], InProcessGrid] = lambda grid: grid,
    ) -> Run:
        """Run from the start, or go on, with the real apps over the in-process grid.

        From the start, both sides forget what was before: in earnest lenders never do.
        """
        close_all()
        if not resume:
            self.lenders_forget()
            self.coordinator_forgets()
        grid = InProcessGrid(client.app.app, self.homes, workers=2, faults=faults)
        time_of_run = Hurried(grid)
        try:
            return conduct(
                wrapped(grid),
                self.folder,
                policy,
                resume=resume,
                clock=time_of_run.clock,
                sleep=time_of_run.sleep,
            )
        finally:
            grid.close()
            close_all()


def founded_in(
    folder: Path,
    frame: pd.DataFrame | None = None,
    asked: Study | None = None,
    *,
    sums: Sums = "secure",
) -> Consortium:
    """A new consortium over `table()` or another frame, in `folder`."""
    asked = asked or study()
    book = book_of(table() if frame is None else frame, asked)
    agreement = Agreement(
        name=asked.title,
        schema=book.table.schema,
        family=asked.family,
        seed=asked.seed,
        rounds=asked.rounds,
        sums=sums,
    )
    found(folder, agreement, book)
    return Consortium(folder, agreement, book)


def model_of(run: Run) -> str:
    """Digest of the model a run ended with."""
    return digest_of(run.model())
