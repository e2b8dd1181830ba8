"""The three exchanges of a set-up, each as a topic of conversation with its lenders."""

from __future__ import annotations

from collections.abc import Iterable, Set

from server.coordinator.topic import Topic
from shared.errors import PeerError
from shared.secure_sum.coordinator_side import SetUpUnderWay
from shared.secure_sum.encoding import text_of
from shared.secure_sum.statements import (
    Delivery,
    MemberKeys,
    Ready,
    Roll,
    SealedShares,
    SetUpOpen,
)
from shared.wire.messages import Reply


class _Phase(Topic):
    """One exchange of a set-up. `given`: the node that answered for each code."""

    def __init__(self, under_way: SetUpUnderWay, needed: int) -> None:
        self.given: dict[str, int] = {}
        self._under_way = under_way
        self._needed = needed

    def enough(self) -> bool:
        """Whether a set-up of those who answered would do."""
        return len(self.given) >= self._needed

    def take(self, node: int, reply: Reply) -> bool:
        """Every answer is one."""
        self._take(reply)
        self.given[reply.member] = node
        return True

    def _take(self, reply: Reply) -> None:
        raise PeerError("an answer of another kind than was asked for")


class KeysPhase(_Phase):
    """SetUpOpen to all nodes but those `without`; waits for the lenders that are `wanted`.
    `certificates`: as shown, DER.
    """

    label = "set-up/keys"

    def __init__(
        self, under_way: SetUpUnderWay, needed: int, wanted: Set[str], without: Set[int]
    ) -> None:
        super().__init__(under_way, needed)
        self.certificates: list[bytes] = []
        self._wanted = wanted
        self._without = without

    def nodes(self, connected: Set[int]) -> Iterable[int]:
        """Everybody else."""
        return connected - self._without

    def question(self, node: int) -> SetUpOpen:
        """The same to all."""
        return self._under_way.opened

    def asked_of(self, node: int) -> tuple[bytes, ...]:
        """The question itself."""
        return (text_of(self._under_way.opened),)

    def awaited(self) -> Set[str]:
        """Lenders that are wanted and have not answered."""
        return self._wanted - self.given.keys()

    def _take(self, reply: Reply) -> None:
        if not isinstance(reply, MemberKeys):
            super()._take(reply)
        else:
            self._under_way.take_keys(reply)
            self.certificates.append(reply.certificate)


class SharesPhase(_Phase):
    """The roll to its members, who are at these nodes."""

    label = "set-up/shares"
    final = True

    def __init__(
        self, under_way: SetUpUnderWay, roll: Roll, nodes: dict[str, int], needed: int
    ) -> None:
        super().__init__(under_way, needed)
        self._roll = roll
        self._nodes = nodes

    def nodes(self, connected: Set[int]) -> Iterable[int]:
        """Those of the exchange before."""
        return self._nodes.values()

    def question(self, node: int) -> Roll:
        """The same to all."""
        return self._roll

    def asked_of(self, node: int) -> tuple[bytes, ...]:
        """The question itself."""
        return (text_of(self._roll),)

    def hopeless(self, lost: Set[str]) -> bool:
        """Whether too few are left."""
        return len(self._nodes.keys() - lost | self.given.keys()) < self._needed

    def _take(self, reply: Reply) -> None:
        if not isinstance(reply, SealedShares):
            super()._take(reply)
        else:
            self._under_way.take_shares(reply)


class ReadyPhase(_Phase):
    """Each its boxes, to those whose shares have come from these nodes."""

    label = "set-up/ready"
    final = True

    def __init__(self, under_way: SetUpUnderWay, nodes: dict[str, int], needed: int) -> None:
        super().__init__(under_way, needed)
        self._nodes = nodes
        self._deliveries = {node: under_way.delivery(code) for code, node in nodes.items()}

    def nodes(self, connected: Set[int]) -> Iterable[int]:
        """Those of the exchange before."""
        return self._deliveries

    def question(self, node: int) -> Delivery:
        """The boxes sealed to this node's lender."""
        return self._deliveries[node]

    def asked_of(self, node: int) -> tuple[bytes, ...]:
        """The question itself."""
        return (text_of(self._deliveries[node]),)

    def hopeless(self, lost: Set[str]) -> bool:
        """Whether too few are left."""
        return len(self._nodes.keys() - lost | self.given.keys()) < self._needed

    def _take(self, reply: Reply) -> None:
        if not isinstance(reply, Ready):
            super()._take(reply)
        else:
            self._under_way.take_ready(reply)
