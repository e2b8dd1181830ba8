"""Rings as part of a simulation: plant, look, measure, keep the truth where only the researcher is.

Invariants:
- `truth.json` is readable by its owner only and is no part of the report.
- Every seed plants its own rings; the first is measured in full, the others for the spread.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from server.simulation.book import Book
from server.simulation.founding import clear, mark
from server.simulation.rings.finding import Figures, Finder, detected, headline, in_full, over_seeds
from server.simulation.rings.scenario import Planted, Scenario, scenario_of_book

TRUTH = "truth.json"


def ring_figures(
    books: Sequence[tuple[int, Book]], folder: Path, planted: Planted, find: Finder = detected
) -> Figures:
    """JSON-ready figures of rings on the books of all seeds (seed, book), the first in full.

    Writes each seed's truth into `folder`. OperatorError when a book has too few borrowers for
    what is planted, or `folder` holds something else.
    """
    clear(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark(folder)
    measured: list[Figures] = []
    for seed, book in books:
        made = scenario_of_book(book, planted, seed=seed)
        _keep(made, folder / (f"seed-{seed}" if measured else "."))
        measured.append(headline(made, find) if measured else in_full(made, find))
    seeds = [seed for seed, _ in books]
    spread = {"over_seeds": over_seeds(seeds, measured)} if len(books) > 1 else {}
    return {"habits": planted.habits.name} | measured[0] | spread


def _keep(made: Scenario, folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / TRUTH
    path.touch(mode=0o600)
    path.write_text(json.dumps(made.truth.to_dict(), indent=1), encoding="utf-8")
