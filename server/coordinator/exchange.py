"""What a run needs of its lenders: the total of one stage, whichever way it is added up.

    SecureExchange   lenders' vectors arrive under masks: the coordinator sees the total only
    PlainExchange    they arrive as they are: the naive twin, for tests and simulations

Invariants:
- A stage has a total of at least `Policy.needed` lenders, or it is void: nothing is released, and
  the error names stage, phase, lenders and remedy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from server.coordinator.remedies import remedy_for
from server.coordinator.traffic import NO_TRAFFIC, Traffic
from shared.errors import LianfangError

if TYPE_CHECKING:
    from shared.training.fold import Fold

BRING_BACK = "bring the missing lenders back, then run the same command with --resume"


class VoidStageError(LianfangError):
    """Too few lenders answered; nothing was released and the stage can be asked again.

    `where`: stage and phase; `missing`: "code: reason" of the lenders it went wrong with.
    """

    def __init__(
        self, what: str, *, remedy: str = "", where: str = "", missing: Iterable[str] = ()
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.where = where
        self.missing = tuple(missing)


def void(where: str, why: str, missing: Iterable[str], remedy: str = BRING_BACK) -> VoidStageError:
    """A stage that ended without a total. `where`: stage and phase; `missing`: "code: reason";
    `remedy` for lenders that are gone: for those that refused there is one by their reason.
    """
    lines = list(missing)
    told = "".join(f"\n  {line}" for line in lines)
    return VoidStageError(
        f"stage {where}: {why}{told}",
        remedy=remedy_for(lines, remedy),
        where=where,
        missing=lines,
    )


@dataclass(frozen=True)
class Policy:
    """`minimum` lenders at least, and `quorum` (0 … 1) of those that took part before; seconds."""

    minimum: int
    quorum: float = 0.5
    patience: float = 600.0  # a busy lender must not be left out quietly
    deadline: float = 3600.0
    soonest_again: float = 3.0  # a lender that is silent is asked the same again no sooner

    def needed(self, known: int) -> int:
        """Lenders a stage needs when `known` have taken part in the run."""
        return max(self.minimum, math.ceil(self.quorum * known))


@dataclass(frozen=True, eq=False)
class Collected:
    """The total of a stage, who is in it, who is missing with the reason, and the traffic.

    Of a secure sum also the round's name, the members' signatures over it, the traffic of the
    set-ups that were made for it, and `lost`: members that did not help to open it, and why.
    """

    total: NDArray[np.int64]
    members: tuple[str, ...]
    missing: tuple[str, ...]
    traffic: Traffic
    round: bytes = b""
    agreed: tuple[tuple[str, bytes], ...] = ()
    set_up: Traffic = NO_TRAFFIC
    lost: tuple[str, ...] = ()


class Exchange(Protocol):
    """Asks one run's questions."""

    def collect(self, run: Fold, released: Sequence[NDArray[np.int64]]) -> Collected:
        """The total of all lenders' answers to the run's question at hand; VoidStageError."""
        ...
