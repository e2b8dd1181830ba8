"""What one exchange with many lenders is about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Set

from server.coordinator.exchange import Policy
from shared.wire.messages import Question, Reply

RETURN_SECONDS = 60.0
"""How long an exchange hopes for lenders that are gone, or have answered that they cannot, once it
waits for nobody else.
"""


class Topic(ABC):
    """One question, who is asked, and what becomes of the replies. `label`: where in the run;
    `round`: name of the round it is about, if any; `final`: whether a signed refusal settles the
    matter, as nobody else can stand in.
    """

    label: str
    round: bytes = b""
    final: bool = False

    @abstractmethod
    def nodes(self, connected: Set[int]) -> Iterable[int]:
        """Whom to ask, of those that are connected."""

    @abstractmethod
    def question(self, node: int) -> Question:
        """What to ask a node now."""

    def asked_of(self, node: int) -> tuple[bytes, ...]:
        """The signed texts that a refusal may be about; none where nothing is signed."""
        return ()

    @abstractmethod
    def take(self, node: int, reply: Reply) -> bool:
        """Whether this was an answer; else the node is asked again. PeerError leaves it out."""

    @abstractmethod
    def enough(self) -> bool:
        """Whether the answers do without those still missing."""

    def complete(self) -> bool:
        """Whether nobody else's answer is of use."""
        return False

    def awaited(self) -> Set[str]:
        """Lenders that are missing and worth all patience, even if they are gone just now."""
        return frozenset()

    def hopeless(self, lost: Set[str]) -> bool:
        """Whether nothing can come of it without these lenders, who do not come back."""
        return False

    def missed(self, node: int) -> None:  # noqa: B027 - most topics need not know
        """The node has failed, or was not heard from."""

    def patience(self, policy: Policy) -> float:
        """Seconds to wait for more answers than are needed."""
        return policy.patience

    def hope(self, policy: Policy, awaited: Set[str]) -> float:
        """Seconds to wait when nobody is at work on the question any more. `awaited`: those of
        `self.awaited()` that have not answered that they cannot.
        """
        return policy.patience if awaited else min(policy.patience, RETURN_SECONDS)
