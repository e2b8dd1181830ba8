"""The SuperNode's answers about one question, without its network."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

from flwr.app import Context, Message, RecordDict
from flwr.common.serde import context_to_proto, message_to_proto
from flwr.proto.message_pb2 import ObjectTree, PullObjectResponse
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.task_identity import TaskIdentity

BUNDLE = b"a bundle"
DIGEST = hashlib.sha256(BUNDLE).hexdigest()


class AskedNode:
    """`parts`: of the question, by digest; one that is empty is still on its way, one that is not
    there was given up. `confirmed`: names of questions that are needed no more.
    """

    def __init__(self, content: RecordDict) -> None:
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 11, 1
        message = Message(content, 7, "query.answer", group_id="1")
        found = get_all_nested_objects(message)
        self.parts = {name: one.deflate() for name, one in found.items()}
        self.number = message.object_id
        self.message: Any = message_to_proto(message)
        self.confirmed: list[str] = []
        self.beaten = 0

    def renamed(self, number: str) -> None:
        """The question is this part now, whatever that is."""
        self.number = number

    def PullTaskInput(self, request: Any) -> Any:  # noqa: N802 - Flower's names
        context = context_to_proto(Context(11, 7, {}, RecordDict(), {}))
        run, fab = SimpleNamespace(run_id=11), SimpleNamespace(content=BUNDLE)
        return SimpleNamespace(task_id=5, run=run, context=context, fab=fab)

    def PullMessages(self, request: Any) -> Any:  # noqa: N802
        tree = ObjectTree(object_id=self.number)
        tree.children.extend(
            ObjectTree(object_id=name) for name in self.parts if name != self.number
        )
        return SimpleNamespace(messages_list=[self.message], message_object_trees=[tree])

    def PullObject(self, request: Any) -> PullObjectResponse:  # noqa: N802
        content = self.parts.get(request.object_id)
        return PullObjectResponse(
            object_found=content is not None,
            object_available=bool(content),
            object_content=content or b"",
        )

    def ConfirmMessageReceived(self, request: Any) -> None:  # noqa: N802
        self.confirmed.append(request.message_object_id)

    def SendTaskHeartbeat(self, request: Any) -> None:  # noqa: N802
        self.beaten += 1
