"""Which member was given which question, as the gate saw it.

Invariants:
- What one member was asked no other confirms: Flower forgets a question at anybody's word who knows
  its digest. One that nobody was seen to be given, by this process, is not judged.
- What is remembered is bounded by member: the questions given last.
"""

from __future__ import annotations

from collections import deque

from google.protobuf.message import DecodeError

from server.deployment.refused_request import RefusedRequestError

_LAST = 64


class HandedQuestions:
    """Of all members, by code."""

    def __init__(self) -> None:
        self._given: dict[str, deque[str]] = {}

    def given(self, code: str, answer: bytes) -> None:
        """The SuperLink answers a member's look for messages so."""
        from flwr.proto.fleet_pb2 import PullMessagesResponse

        try:
            trees = PullMessagesResponse.FromString(answer).message_object_trees
        except DecodeError:
            return
        if trees:
            last = self._given.setdefault(code, deque(maxlen=_LAST))
            last.extend(tree.object_id for tree in trees)

    def check_confirmed(self, code: str, body: bytes) -> None:
        """RefusedRequestError where a member confirms what another was asked."""
        from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest

        try:
            question = ConfirmMessageReceivedRequest.FromString(body).message_object_id
        except DecodeError as error:
            raise RefusedRequestError(400, "form", "this is not Flower's message") from error
        if question in self._given.get(code, ()):
            return
        if any(question in others for others in self._given.values()):
            raise RefusedRequestError(403, "name", "a question that another member was asked")
