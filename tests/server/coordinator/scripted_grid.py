"""A Grid whose lenders do as a script says, on a clock that only sleeping moves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from flwr.app import Error, Message, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from server.coordinator.conversation import Conversation
from server.coordinator.exchange import Policy
from server.coordinator.plain_exchange import PlainExchange
from shared.schema import Column, LabelContract, Schema
from shared.training.agreement import Agreement
from shared.training.run import Run
from shared.wire.messages import Ask, Behind, Refused, Reply, Sum, pack_reply, parse_question

SILENT = None
Answer = Reply | RecordDict | Error | None
Lender = Callable[[Ask], Answer]

SCHEMA = Schema(
    version=1,
    columns=(Column("age", "number"), Column("region", "category", levels=("north", "south"))),
    label=LabelContract("bad", bad=("1",), good=("0",)),
    row_key="id",
)
TERMS = Agreement(name="scripted", schema=SCHEMA, rounds=1, sums="plain")


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass(eq=False)
class Node:
    """A lender's script: what it answers, how many seconds later, from when until when it is up."""

    lender: Lender
    delay: float = 0.0
    up_from: float = 0.0
    up_until: float = np.inf
    asked: list[Ask] = field(default_factory=list)


class ScriptedGrid(Grid):
    """`nodes` by number; the first `deaf` messages are lost on the way."""

    def __init__(self, nodes: dict[int, Node], clock: Clock, *, deaf: int = 0) -> None:
        TaskIdentity.task_id, TaskIdentity.run_id = 1, 1
        TaskIdentity.node_id = SUPERLINK_NODE_ID
        self.nodes, self.clock, self.deaf = nodes, clock, deaf
        self.group = ""
        self._numbers = (f"m{i}" for i in itertools.count())
        self._due: dict[str, tuple[float, Message]] = {}

    def get_node_ids(self) -> list[int]:
        now = self.clock.now
        return [n for n, node in self.nodes.items() if node.up_from <= now < node.up_until]

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        numbers = []
        for message in messages:
            if self.deaf:
                self.deaf -= 1
                continue
            number = next(self._numbers)
            message.metadata.__dict__["_message_id"] = number
            self._answer(number, message)
            numbers.append(number)
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        now = self.clock.now
        ready = [n for n in message_ids if n in self._due and self._due[n][0] <= now]
        return [self._due.pop(number)[1] for number in ready]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        raise NotImplementedError

    @property
    def run(self):
        raise NotImplementedError

    def set_run(self, run) -> None:
        raise NotImplementedError

    def _answer(self, number: str, message: Message) -> None:
        node = self.nodes[message.metadata.dst_node_id]
        ask = parse_question(message.content)
        assert isinstance(ask, Ask)
        node.asked.append(ask)
        answer = node.lender(ask)
        if answer is SILENT:
            return
        if isinstance(answer, Sum | Behind | Refused):
            answer = pack_reply(answer)
        reply = Message(answer, reply_to=message)
        reply.metadata.__dict__["_group_id"] = self.group or message.metadata.group_id
        self._due[number] = (self.clock.now + node.delay, reply)


def sums(member: str, value: int) -> Lender:
    """A lender that answers `value` in every place."""
    length = Run(TERMS).question().length
    return lambda ask: Sum(member, ask.stage, np.full(length, value, dtype=np.int64))


def honest(count: int) -> dict[int, Node]:
    """Nodes 1 … count of L01 …, which answer 1, 10, 100 … so that a total tells who is in it."""
    return {i + 1: Node(sums(f"L{i + 1:02d}", 10**i)) for i in range(count)}


def asking(
    nodes: dict[int, Node],
    policy: Policy | None = None,
    *,
    known: Iterable[str] = (),
    deaf: int = 0,
) -> tuple[PlainExchange, Clock]:
    """A plain exchange over these nodes; patience 10, deadline 100 seconds unless given."""
    clock = Clock()
    grid = ScriptedGrid(nodes, clock, deaf=deaf)
    policy = policy or Policy(minimum=3, patience=10.0, deadline=100.0)
    conversation = Conversation(grid, policy, clock=clock, sleep=clock.sleep)
    return PlainExchange(conversation, known=known), clock
