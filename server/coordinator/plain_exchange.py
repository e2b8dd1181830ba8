"""The plain sum: lenders' vectors arrive as they are, so the coordinator's process sees each.

The naive twin of the secure sum, for tests and simulations. The secure run ends with the same
totals, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from server.coordinator.catching_up import CatchingUp, StageAsks
from server.coordinator.conversation import Conversation, Heard
from server.coordinator.exchange import Collected, void
from server.coordinator.topic import Topic
from shared.errors import PeerError
from shared.training.fold import Fold
from shared.training.question import Question
from shared.wire.messages import Ask, Behind, Reply, Sum


class PlainExchange:
    """`known`: codes of the lenders that took part before a resumed run was interrupted, so that
    the quorum is not forgotten with the process.
    """

    def __init__(self, conversation: Conversation, *, known: Iterable[str] = ()) -> None:
        self._conversation = conversation
        self._catching_up = CatchingUp(conversation.code)
        self._known = set(known)

    def collect(self, run: Fold, released: Sequence[NDArray[np.int64]]) -> Collected:
        """The sum of all lenders' answers to the run's question at hand."""
        asks = StageAsks(self._catching_up, run, released)
        topic = PlainStage(run.question(), asks, self._needed)
        heard = self._conversation.hold(topic)
        self._known |= topic.members
        missing = self._missing(heard)
        if not topic.enough():
            needed = self._needed(topic.members)
            why = f"{len(topic.members)} lenders answered, {needed} are needed"
            raise void(topic.label, why, missing)
        try:
            total = run.question().check(topic.total)
        except PeerError as error:
            why = "the answers add up to more than a sum can carry"
            raise void(topic.label, why, missing) from error
        members = tuple(sorted(topic.members))
        return Collected(total, members, missing, self._conversation.spent())

    def _needed(self, members: Set[str]) -> int:
        return self._conversation.policy.needed(len(self._known | members))

    def _missing(self, heard: Heard) -> tuple[str, ...]:
        name = self._conversation.name
        reasons = [(name(node), why) for node, why in heard.missing.items()]
        told = set(heard.answered) | {code for code, _ in reasons}
        silence = self._conversation.silence
        reasons += [(code, silence(code)) for code in self._known - told]
        return tuple(sorted(f"{code}: {why}" for code, why in reasons))


class PlainStage(Topic):
    """One stage asked of everybody who is there. A vector is added at once and not kept.

    `needed`: how many members a stage needs, given those that have answered.
    """

    def __init__(
        self, question: Question, asks: StageAsks, needed: Callable[[Set[str]], int]
    ) -> None:
        self.label = question.stage
        self.total = np.zeros(question.length, dtype=np.int64)
        self.members: set[str] = set()
        self._question = question
        self._asks = asks
        self._needed = needed

    def nodes(self, connected: Set[int]) -> Iterable[int]:
        """All."""
        return connected

    def question(self, node: int) -> Ask:
        """The stage's question, with the totals the node lacks."""
        return self._asks.ask(node)

    def asked_of(self, node: int) -> tuple[bytes, ...]:
        """The question, where it is signed."""
        return self._asks.signed

    def take(self, node: int, reply: Reply) -> bool:
        """Add a vector to the total."""
        match reply:
            case Behind():
                self._asks.fell_behind(node, reply)
                return False
            case Sum():
                if reply.stage != self.label:
                    raise PeerError("answered another stage")
                self.total += self._question.check(reply.vector)
                self.members.add(reply.member)
                self._asks.told(node)
                return True
        raise PeerError("an answer of another kind than was asked for")

    def enough(self) -> bool:
        """Whether the quorum has answered."""
        return len(self.members) >= self._needed(self.members)

    def missed(self, node: int) -> None:
        """It may have lost its memory."""
        self._asks.forget(node)
