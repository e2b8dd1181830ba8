"""A question as the executor fetches it: first what it is, then its parts, then the message.

Invariants:
- Nothing that was sent is parsed before the caller has looked at the bundle's digest: until then a
  question is its task, its name, and parts that are bytes.
- Parts are judged one by one as they come (`shared/wire/parts.py`); a question of too many, too
  large or too strange ones is given up before it takes memory.
- Waiting for parts is bounded, and the SuperNode hears that somebody waits.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.wire.parts import Parts, check_count

if TYPE_CHECKING:
    from flwr.app import Context, Message

MOST_WAIT = 900.0
"""Seconds until a question's parts are there."""
_HEARTBEAT_SECONDS, _PAUSE, _LONGEST_PAUSE = 10.0, 0.02, 0.5


class LostQuestionError(Exception):
    """The SuperNode has given the question up; it is asked again."""


@dataclass(frozen=True)
class Task:
    """`bundle`: SHA-256 of the bundle's bytes, hexadecimal; `number`: Flower's of the task."""

    number: int
    context: Context
    bundle: str


@dataclass(frozen=True)
class Question:
    """`bare`: the message without its content, to reply to; `names`: digests of its parts."""

    number: str
    bare: Message
    names: tuple[str, ...]


def task_of(client: Any) -> Task:
    """What is to be done, and under which bundle; its parts are not fetched yet."""
    from flwr.common.serde import context_from_proto
    from flwr.proto.runtime_pb2 import PullTaskInputRequest
    from flwr.supercore.task_identity import TaskIdentity

    found = client.PullTaskInput(PullTaskInputRequest())
    TaskIdentity.task_id, TaskIdentity.run_id = found.task_id, found.run.run_id
    TaskIdentity.node_id = found.context.node_id
    digest = hashlib.sha256(found.fab.content).hexdigest()
    return Task(found.task_id, context_from_proto(found.context), digest)


def question_of(client: Any) -> Question:
    """What the task's message says of itself; LostQuestionError when there is none."""
    from flwr.common.serde import message_from_proto
    from flwr.proto.runtime_pb2 import PullAppMessagesRequest
    from flwr.supercore.inflatable.inflatable_object import iterate_object_tree

    found = client.PullMessages(PullAppMessagesRequest())
    if not found.messages_list or not found.message_object_trees:
        raise LostQuestionError
    about, tree = found.messages_list[0], found.message_object_trees[0]
    for part in ("content", "error"):
        about.ClearField(part)
    about.content.SetInParent()  # an empty one: a message has something
    bare = message_from_proto(about)
    bare.metadata.__dict__["_message_id"] = tree.object_id  # as Flower does: its own digest
    names = dict.fromkeys(one.object_id for one in iterate_object_tree(tree))
    return Question(tree.object_id, bare, tuple(names))


def fetched(client: Any, task: Task, question: Question, alive: Callable[[], None]) -> Parts:
    """Its parts. `alive` is called while they come.

    Raises StrangePartsError where they are none of ours, LostQuestionError where they do not come.
    """
    from flwr.proto.node_pb2 import Node
    from flwr.supercore.inflatable.inflatable_protobuf_utils import make_pull_object_fn_protobuf

    check_count(len(question.names))
    node, run = Node(node_id=task.context.node_id), task.context.run_id
    pull = make_pull_object_fn_protobuf(client.PullObject, node, run)
    signs, parts = _Signs(client, alive), Parts()
    until = time.monotonic() + MOST_WAIT
    for name in question.names:
        parts.take(name, _pulled(pull, name, until, signs))
    return parts


def confirm(client: Any, task: Task, question: Question) -> None:
    """Its parts are needed no more: the SuperNode forgets them."""
    from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest
    from flwr.proto.node_pb2 import Node

    client.ConfirmMessageReceived(
        ConfirmMessageReceivedRequest(
            node=Node(node_id=task.context.node_id),
            run_id=task.context.run_id,
            message_object_id=question.number,
        )
    )


def message_of(question: Question, parts: Parts) -> Message:
    """The whole message. Raises StrangePartsError, and whatever Flower raises at such bytes."""
    from flwr.app import Message
    from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

    parts.check_grown()
    message = inflate_object_from_contents(question.number, parts.contents)
    if not isinstance(message, Message):
        raise TypeError
    message.metadata.__dict__["_message_id"] = question.number
    return message


class _Signs:
    """Of life, to the SuperNode too, which gives up a task that nobody is at."""

    def __init__(self, client: Any, alive: Callable[[], None]) -> None:
        self._client, self._alive = client, alive
        self._beaten = time.monotonic()

    def give(self) -> None:
        from flwr.proto.runtime_pb2 import SendTaskHeartbeatRequest

        self._alive()
        if time.monotonic() - self._beaten > _HEARTBEAT_SECONDS:
            self._beaten = time.monotonic()
            self._client.SendTaskHeartbeat(SendTaskHeartbeatRequest())


def _pulled(pull: Callable[[str], bytes], name: str, until: float, signs: _Signs) -> bytes:
    from flwr.supercore.inflatable.inflatable_utils import ObjectPullError, ObjectUnavailableError

    pause = _PAUSE
    while True:
        signs.give()
        try:
            return pull(name)
        except ObjectUnavailableError as error:
            if time.monotonic() > until:
                raise LostQuestionError from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        except ObjectPullError as error:
            raise LostQuestionError from error
