"""What `--borrowing` adds to a book, kept until there are two runs to compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.simulation.book import Book
from server.simulation.borrowing.features import bands_of, with_columns
from server.simulation.borrowing.history import History, read_history
from server.simulation.borrowing.reported import Scores, borrowing_figures
from server.simulation.study import Study
from shared.borrowing.answer import Bands
from shared.errors import OperatorError


@dataclass(frozen=True, eq=False)
class Added:
    """`bare`: the book as it was; `history` and `bands`: what the columns were made of."""

    bare: Book
    history: History
    bands: Bands

    def figures(self, joined: Scores, bare: Scores, seed: int) -> dict[str, Any]:
        """The report's section, JSON-ready."""
        return borrowing_figures(self.bare, self.history, self.bands, (joined, bare), seed)


def add_borrowing(book: Book, study: Study) -> tuple[Book, Added]:
    """The book with its columns; OperatorError when the study names no file of borrowers."""
    if study.data.borrowers is None:
        raise OperatorError(
            "--borrowing needs to know which rows are of one borrower; the study does not say",
            remedy='write borrowers = "borrowers.csv" under [data], see docs/simulation.md, or '
            "leave --borrowing out",
        )
    history = read_history(study.data.borrowers, book)
    bands = bands_of(history)
    return with_columns(book, bands), Added(book, history, bands)
