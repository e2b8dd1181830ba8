"""What a coordinator carries to its end, whatever is added up: a fold over released totals.

`Run` (training) and `AskedRun` (a batch of tokens about borrowing) are such folds.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.training.agreement import Profile, Sums
from shared.training.question import Question


class RunTerms(Protocol):
    """What lenders agree on before a run, as far as its kind does not matter."""

    @property
    def profile(self) -> Profile:
        """The consortium's."""
        ...

    @property
    def sums(self) -> Sums:
        """Whether single lenders' vectors are hidden."""
        ...

    @property
    def minimum_lenders(self) -> int:
        """Fewest lenders in any sum."""
        ...

    @property
    def minimum_cell(self) -> int:
        """Smallest count that a lender sends as it is."""
        ...

    @property
    def rounds(self) -> int | None:
        """An upper bound of rounds, where the terms have one."""
        ...

    def digest(self) -> str:
        """SHA-256, hex: who holds another text holds other terms."""
        ...


class Fold(Protocol):
    """One copy at the coordinator and at every lender."""

    @property
    def agreement(self) -> RunTerms:
        """Its terms."""
        ...

    @property
    def absorbed(self) -> int:
        """How many totals it has taken."""
        ...

    @property
    def digest(self) -> str:
        """Hex: two copies that have seen the same have the same."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing is left to ask."""
        ...

    @property
    def steps(self) -> int | None:
        """Questions in all, once that is known."""
        ...

    @property
    def largest(self) -> int | None:
        """Bound on the rows of the largest lender, once that is known: what gradients need."""
        ...

    @property
    def all_hear(self) -> bool:
        """Whether the end is void until all lenders of the sums have heard it."""
        ...

    def question(self) -> Question:
        """What is asked next; InternalError when it is finished."""
        ...

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Take the total of the question at hand, or what lenders are told of it; PeerError."""
        ...

    def told(self, total: NDArray[np.int64]) -> NDArray[np.int64]:
        """What lenders are told of a released total."""
        ...
