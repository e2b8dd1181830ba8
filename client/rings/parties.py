"""The case desk by the methods a lender uses (`client.rings.case_desk.CaseDeskClient`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal, Protocol

from client.exchange.parties import Progress, no_progress
from shared.cases.bulletin import Head
from shared.cases.case import Case, SignedCase
from shared.cases.case_tokens import Rows
from shared.cases.pages import Stage
from shared.cases.said import SaidShared
from shared.errors import OperatorError, PeerError


class LateError(OperatorError):
    """A page came after its week had closed at the desk."""


@dataclass(frozen=True)
class Standing:
    """A case and where it stands: `week`, which is being collected, and its `stage`; None: nothing
    is collected now; `bulletin`: the latest version, 0: none; `closes`: when the stage ends, in
    seconds since 1970; `over`: nothing will be collected any more, as its weeks are or its desk
    closed it.
    """

    signed: SignedCase
    week: int
    stage: Stage | None
    bulletin: int = 0
    closes: int = 0
    over: Literal["", "over", "closed"] = ""


@dataclass(frozen=True, eq=False)
class Shared:
    """What the desk told and signed: `ids` (k, 32)."""

    said: SaidShared
    ids: Rows


AHEAD = timedelta(hours=1)
"""By so much the desk's clock may be ahead of this lender's."""


def check_standing(standing: Standing, now: datetime) -> None:
    """PeerError unless the case has this week, and nothing is collected before the week is over."""
    case = standing.signed.case
    if not 0 <= standing.week < case.weeks or not 0 <= standing.bulletin <= case.weeks:
        raise PeerError("the case desk is at a week that its case does not have: nothing was sent")
    over = datetime.combine(case.monday(standing.week + 1), time(), UTC)
    if standing.stage is not None and now + AHEAD < over:
        raise PeerError(
            "the case desk collects a week that is not over: nothing was sent",
            remedy="check this machine's clock; if it is right, ask the desk's operator",
        )


class TheCaseDesk(Protocol):
    """Whoever has these methods; what comes is checked to be the desk's."""

    def cases(self) -> list[Standing]:
        """All cases."""

    def submit(self, standing: Standing, stage: Stage, text: bytes, page: bytes) -> bytes:
        """Send a page's text (`page`: its digest); the desk's receipt. LateError."""

    def told(self, case: Case, week: int) -> Shared:
        """Degree ids, of which this lender's are those with two subjects or more, after the count
        of this week.
        """

    def heads(self, case: Case, since: int) -> list[Head]:
        """Heads of bulletins after version `since`, in order, each signed by the desk."""

    def content(self, case: Case, head: Head, progress: Progress = no_progress) -> bytes:
        """The content of a bulletin; `progress`: of bytes."""
