"""The case desk by the methods a lender uses (`client.rings.case_desk.CaseDeskClient`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from client.exchange.parties import Progress, no_progress
from shared.cases.bulletin import Head
from shared.cases.case import Case, SignedCase
from shared.cases.case_tokens import Rows
from shared.cases.pages import Stage
from shared.errors import OperatorError


class LateError(OperatorError):
    """A page came after its week had closed at the desk."""


@dataclass(frozen=True)
class Standing:
    """A case and where it stands: `week`, which is being collected, and its `stage`; None: nothing
    is collected now; `bulletin`: the latest version, 0: none; `closes`: when the stage ends, in
    seconds since 1970.
    """

    signed: SignedCase
    week: int
    stage: Stage | None
    bulletin: int = 0
    closes: int = 0


class TheCaseDesk(Protocol):
    """Whoever has these methods; what comes is checked to be the desk's."""

    def cases(self) -> list[Standing]:
        """All cases."""

    def submit(self, standing: Standing, stage: Stage, text: bytes, page: bytes) -> bytes:
        """Send a page's text (`page`: its digest); the desk's receipt. LateError."""

    def told(self, case: Case) -> Rows:
        """(k, 32): degree ids of which this lender's are those with two subjects or more."""

    def heads(self, case: Case, since: int) -> list[Head]:
        """Heads of bulletins after version `since`, in order, each signed by the desk."""

    def content(self, case: Case, head: Head, progress: Progress = no_progress) -> bytes:
        """The content of a bulletin; `progress`: of bytes."""
