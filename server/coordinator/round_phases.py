"""The two exchanges of a round, each as a topic of conversation with its lenders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from server.coordinator.catching_up import StageAsks
from server.coordinator.conversation import Conversation
from server.coordinator.exchange import Policy
from server.coordinator.topic import Topic
from shared.errors import PeerError
from shared.secure_sum.coordinator_round import Closed, Collecting, Opening
from shared.secure_sum.encoding import text_of
from shared.secure_sum.statements import Answer, MaskedInput, Survivors
from shared.wire.messages import Ask, Behind, Reply

_GRACE_SECONDS = 5.0  # for answers beyond those that open a sum: they let lenders wipe their keys


class MaskedPhase(Topic):
    """A RoundOpen, in the stage's Ask, to the lenders that are `asked`.

    `enough` judges those whose masked input is in; `insists`: whether everybody is worth waiting
    for.
    """

    final = True

    def __init__(
        self,
        conversation: Conversation,
        collecting: Collecting,
        asks: StageAsks,
        *,
        asked: frozenset[str],
        enough: Callable[[Set[str]], bool],
        insists: bool,
    ) -> None:
        self.label = collecting.opened.payload.stage
        self.round = collecting.name
        self._conversation = conversation
        self._collecting = collecting
        self._asks = asks
        self._enough = enough
        self._insists = insists
        self._lenders = asked

    def nodes(self, connected: Set[int]) -> Iterable[int]:
        """Theirs, as far as it is known where they are."""
        return self._conversation.nodes_of(self._lenders, connected)

    def question(self, node: int) -> Ask:
        """The stage's question, with what the node lacks."""
        return self._asks.ask(node)

    def asked_of(self, node: int) -> tuple[bytes, ...]:
        """The round's opening, and the stage's question with it."""
        return text_of(self._collecting.opened), *self._asks.signed

    def take(self, node: int, reply: Reply) -> bool:
        """Add a masked input to the sum."""
        match reply:
            case Behind():
                self._asks.fell_behind(node, reply)
                return False
            case MaskedInput():
                if reply.member not in self._lenders:
                    raise PeerError("an answer that was not asked for")
                self._collecting.take_masked(reply)
                self._asks.told(node)
                return True
        raise PeerError("an answer of another kind than was asked for")

    def enough(self) -> bool:
        """Whether the survivors could be settled now."""
        return self._enough(frozenset(self._collecting.alive))

    def complete(self) -> bool:
        """Whether all of them have answered."""
        return self._lenders <= set(self._collecting.alive)

    def awaited(self) -> Set[str]:
        """Those that have not answered, where everybody is worth waiting for."""
        return self._lenders - set(self._collecting.alive) if self._insists else frozenset()

    def hopeless(self, lost: Set[str]) -> bool:
        """Whether the survivors cannot be settled any more."""
        alive = set(self._collecting.alive)
        return bool(lost) and not self._enough(alive | (self._lenders - lost))

    def missed(self, node: int) -> None:
        """It may have lost its memory."""
        self._asks.forget(node)


class UnmaskPhase(Topic):
    """The survivors of a round, to themselves. `every`: one answer of each is wanted."""

    final = True

    def __init__(self, conversation: Conversation, opening: Opening, closed: Closed) -> None:
        self.label = f"{closed.opened.payload.stage}/unmask"
        self.round = closed.survivors.round
        self.every = False
        self._conversation = conversation
        self._opening = opening
        self._survivors = closed.survivors

    def nodes(self, connected: Set[int]) -> Iterable[int]:
        """Those that have not answered."""
        return self._conversation.nodes_of(self._absent(), connected)

    def question(self, node: int) -> Survivors:
        """The same to all."""
        return self._survivors

    def asked_of(self, node: int) -> tuple[bytes, ...]:
        """The question itself."""
        return (text_of(self._survivors),)

    def take(self, node: int, reply: Reply) -> bool:
        """Shares that open the sum."""
        if not isinstance(reply, Answer):
            raise PeerError("an answer of another kind than was asked for")
        self._opening.take_answer(reply)
        return True

    def enough(self) -> bool:
        """Whether the sum can be opened."""
        return self._opening.enough and not self.every

    def complete(self) -> bool:
        """Whether all survivors have answered."""
        return not self._absent()

    def hopeless(self, lost: Set[str]) -> bool:
        """Whether too few are left to open the sum."""
        there = set(self._survivors.alive) - lost | set(self._opening.answered)
        return len(there) < self._opening.needed

    def patience(self, policy: Policy) -> float:
        """Short: the sum can be opened without those who are missing."""
        return min(policy.patience, _GRACE_SECONDS)

    def _absent(self) -> set[str]:
        return set(self._survivors.alive) - set(self._opening.answered)
