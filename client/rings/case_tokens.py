"""Case tokens as this lender has them: one evaluation of an identifier for all cases of an epoch.

Invariants:
- What the holders gave is kept sealed (`client.exchange.cache`): another week, and another case of
  the same key epoch, cost new identifiers only.
- Tokens of the shared list are others: their inputs differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.exchange.own_tokens import OwnTokens
from client.exchange.parties import Progress, TokenKey, no_progress
from client.rings.attributes import PURPOSE
from shared.cases import case_tokens
from shared.cases.case import Case
from shared.tokens.identifiers import Canonical

Rows = NDArray[np.uint8]


class CaseTokens:
    """Cached in `folder`; `context`: the consortium's name."""

    def __init__(
        self, context: str, folder: Path, holders: TokenKey, random: Callable[[int], bytes]
    ) -> None:
        self._tokens = OwnTokens(f"{context}/ring", folder, holders, tuple, random)

    def outputs(
        self, identifiers: Sequence[Canonical], epoch: int, progress: Progress = no_progress
    ) -> Rows:
        """(m, 64). Where the holders fail, what they answered until then is kept."""
        return self._tokens.outputs(identifiers, epoch, PURPOSE, progress)

    def subjects(
        self, case: Case, people: Sequence[Canonical], progress: Progress = no_progress
    ) -> Rows:
        """(m, 32): the subject tokens of people."""
        return case_tokens.subject_tokens(case.id, self.outputs(people, case.epoch, progress))

    def attributes(
        self, case: Case, things: Sequence[Canonical], progress: Progress = no_progress
    ) -> Rows:
        """(m, 32): the attribute tokens of what people share."""
        return case_tokens.attribute_tokens(case.id, self.outputs(things, case.epoch, progress))
