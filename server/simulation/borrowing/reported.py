"""What the columns of multi-lender borrowing add: two runs that differ in nothing else.

Invariants:
- Both models are judged on the same test rows of the same split, with the same seed.
- Gains are of AUC, with against without, and can be negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.simulation.book import Book
from server.simulation.borrowing.asked_round import Asked, ask, can_ask, differences
from server.simulation.borrowing.history import History
from server.simulation.gain import auc, gain_interval
from server.simulation.outcome import Outcome
from shared.borrowing.answer import Bands, no_record
from shared.borrowing.cells import CELLS, PLACE, label
from shared.borrowing.columns import OF_LOANS, PREFIX
from shared.errors import InternalError

Figures = dict[str, Any]
Floats = NDArray[np.float64]
_MODELS = ("shared", "personal")


@dataclass(frozen=True, eq=False)
class Scores:
    """A run's logits of its test rows; small enough to come back from another process."""

    test: NDArray[np.intp]
    shared: Floats
    personal: Floats

    @classmethod
    def of(cls, outcome: Outcome) -> Scores:
        """Of a finished run."""
        return cls(outcome.test, outcome.shared, outcome.personal)


def borrowing_figures(
    book: Book, history: History, bands: Bands, runs: tuple[Scores, Scores], seed: int
) -> Figures:
    """JSON-ready figures of one seed. `runs`: with and without the columns."""
    joined, bare = runs
    if not np.array_equal(joined.test, bare.test):
        raise InternalError("the runs with and without columns tested other rows")
    assert book.table.bad is not None  # a book is labelled
    bad, known = book.table.bad, ~no_record(bands)
    tested = known[joined.test]
    return {
        "source": "loans of one borrower at several lenders",
        "borrowers": len(np.unique(history.events.subject)),
        "loans": len(history.events),
        "rows": len(bad),
        "with_record": int(known.sum()),
        "test_rows": len(tested),
        "test_with_record": int(tested.sum()),
        "bad_rate": float(bad.mean()),
        "bad_rate_with_record": float(bad[known].mean()) if known.any() else None,
        "columns": [_column(cell, bands, bad) for cell in OF_LOANS],
        **{f"auc_{name}": _gain(bad, known, runs, name, seed) for name in _MODELS},
        "lenders": [_lender(code, book, known, runs) for code in book.codes],
        "asked": _asked(history, seed),
    }


def borrowing_over_seeds(seeds: Sequence[int], measured: Sequence[Figures]) -> Figures:
    """The first seed's figures with mean, standard deviation and extremes of all gains."""
    gains = {name: [one[f"auc_{name}"]["gain"] for one in measured] for name in _MODELS}
    known = {name: values for name, values in gains.items() if None not in values}
    return measured[0] | {
        "over_seeds": {
            "seeds": list(seeds),
            **{
                name: {
                    "gains": values,
                    "mean": float(np.mean(values)),
                    "sd": float(np.std(values, ddof=1)),
                }
                for name, values in known.items()
            },
        }
    }


def _gain(
    bad: NDArray[np.int8],
    known: NDArray[np.bool_],
    runs: tuple[Scores, Scores],
    name: str,
    seed: int,
) -> dict[str, float | None]:
    """`ceiling`: AUC if every test row with a record stood where its outcome belongs, and all
    others stayed where they are without the columns: the most that columns about records can add.
    """
    test = runs[0].test
    joined, bare = (np.asarray(getattr(run, name)) for run in runs)
    found = gain_interval(bad[test], bare, joined, seed=seed)
    gain, low, high = (None, None, None) if found is None else found
    ends = np.where(bad[test] == 1, bare.max() + 1, bare.min() - 1)
    placed = np.where(known[test], ends, bare)
    measured = {
        "with": auc(bad[test], joined),
        "without": auc(bad[test], bare),
        "ceiling": auc(bad[test], placed),
    }
    return measured | {"gain": gain, "low": low, "high": high}


def _column(cell: str, bands: Bands, bad: NDArray[np.int8]) -> Figures:
    """How many rows lie in each band of a column, and how many of them went bad."""
    values = bands[:, PLACE[cell]]
    return {
        "name": PREFIX + cell,
        "bands": [
            {
                "band": label(CELLS[PLACE[cell]], int(band)),
                "rows": int((values == band).sum()),
                "bad": int(bad[values == band].sum()),
            }
            for band in np.unique(values)
        ],
    }


def _lender(
    code: str, book: Book, known: NDArray[np.bool_], runs: tuple[Scores, Scores]
) -> Figures:
    joined, bare = runs
    assert book.table.bad is not None  # a book is labelled
    mine = book.lender[joined.test] == code
    bad = book.table.bad[joined.test][mine]
    return {
        "code": code,
        "with_record": int(known[book.lender == code].sum()),
        "auc_with": auc(bad, joined.personal[mine]),
        "auc_without": auc(bad, bare.personal[mine]),
    }


def _asked(history: History, seed: int) -> Figures | None:
    """The stronger mode once, with real masks; nothing where too few lenders are there."""
    if not can_ask(history):
        return None
    found: Asked = ask(history, seed=seed)
    return {
        "tokens": len(found.subject),
        "lenders": len(history.codes),
        "numbers": len(found.total),
        "known": int((~(found.bands == -1).all(axis=1)).sum()),
        "differences": differences(history, found),
        "bytes": found.bytes,
        "measured": {"cpu": found.cpu},
    }
