"""What the model is worth on later years than it was trained on."""

from __future__ import annotations

from typing import Any

from server.simulation.book import Book
from server.simulation.comparison import Comparison
from server.simulation.gain import auc
from server.simulation.outcome import Outcome
from shared.errors import InternalError


def out_of_time_section(book: Book, outcome: Outcome, comparison: Comparison) -> dict[str, Any]:
    """The report's section on a run whose test rows are later than its cutoff."""
    if book.table.bad is None:
        raise InternalError("an out-of-time result is asked for of rows without labels")
    bad = book.table.bad[outcome.test]
    return {
        "cutoff": outcome.run.agreement.time_cutoff,
        "train_rows": book.table.rows - len(outcome.test),
        "test_rows": len(outcome.test),
        "auc_shared": auc(bad, outcome.shared),
        "auc_personal": auc(bad, outcome.personal),
        "auc_lightgbm": None if comparison.pooled is None else auc(bad, comparison.pooled),
    }
