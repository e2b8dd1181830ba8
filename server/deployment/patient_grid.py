"""Flower's grid for a run's process, which waits for nobody's upload.

Invariants:
- A reply is given when all its parts are there. While they are not, the others' replies go on; one
  whose parts do not come is given up, as an error of its node.
- A reply is bounded before any of it is parsed (`shared/wire/parts.py`). One that is too large,
  or is no answer to what was asked, is given up as well: a lender ends no run with it.
- A reply is fetched once: the SuperLink hands each out once and forgets the question.
- A question is handed over whole, also where the SuperLink was killed in between: it takes no part
  twice, so the question is then sent anew, under another name.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Error, Message
from flwr.app.message import make_message
from flwr.app.metadata import Metadata
from flwr.common.constant import ErrorCode
from flwr.proto.message_pb2 import ConfirmMessageReceivedRequest, ObjectTree
from flwr.proto.runtime_pb2 import PullAppMessagesRequest
from flwr.supercore.constant import SYSTEM_MESSAGE_TYPE
from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
from flwr.supercore.inflatable.inflatable_protobuf_utils import make_pull_object_fn_protobuf
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectPullError,
    ObjectPushError,
    ObjectUnavailableError,
    inflate_object_from_contents,
)
from flwr.superlink.grid import HttpGrid

from shared.wire.failures import NOT_WHOLE, OTHER_QUESTION, UNREADABLE
from shared.wire.parts import Parts, StrangePartsError, check_count

MOST_SECONDS = 180.0
"""The SuperLink itself forgets an upload that takes longer."""
MOST_PUSHES = 5
_log = logging.getLogger("lianfang.coordinator")


@dataclass
class Coming:
    """A reply under way: its parts by digest, and those still to come."""

    number: str
    asked: str
    since: float
    missing: list[str]
    parts: Parts = field(default_factory=Parts)

    @classmethod
    def of(cls, proto: Any, tree: ObjectTree) -> Coming:
        """Of what the SuperLink tells of a reply."""
        about = proto.metadata
        parts = list(dict.fromkeys(one.object_id for one in iterate_object_tree(tree)))
        return cls(about.message_id, about.reply_to_message_id, time.monotonic(), parts)


class PatientGrid(HttpGrid):
    """As `HttpGrid`, but `pull_messages` gives what is whole and returns at once."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._coming: dict[str, Coming] = {}

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """As the base; the SuperLink may be killed meanwhile. Raises ObjectPushError when that
        happens again and again.
        """
        sent = list(messages)
        for _ in range(MOST_PUSHES - 1):
            try:
                return super().push_messages(sent)
            except ObjectPushError:
                _log.warning("the SuperLink lost part of a question: it is sent anew")
                sent = [_anew(message) for message in sent]
        return super().push_messages(sent)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Replies to any of these that are there as a whole."""
        wanted = set(message_ids)
        asked = wanted - self._coming.keys()
        if asked:
            request = PullAppMessagesRequest(message_ids=sorted(asked))
            found = self._runtime_client.PullMessages(request)
            pairs = zip(found.messages_list, found.message_object_trees, strict=True)
            coming = [Coming.of(proto, tree) for proto, tree in pairs]
            self._coming |= {one.asked: one for one in coming}
        ready = [self._taken(one) for one in list(self._coming.values()) if one.asked in wanted]
        return [message for message in ready if message is not None]

    def _taken(self, coming: Coming) -> Message | None:
        """The reply, if it is whole now; an error, if it will never be."""
        run = self.run.run_id
        pull = make_pull_object_fn_protobuf(self._runtime_client.PullObject, self.node, run)
        try:
            self._fetch(coming, pull)
        except ObjectUnavailableError:
            if time.monotonic() - coming.since < MOST_SECONDS:
                return None
            return self._given_up(coming)
        except ObjectPullError:
            return self._given_up(coming)
        except StrangePartsError as error:
            return self._given_up(coming, str(error))
        self._coming.pop(coming.asked)
        self._runtime_client.ConfirmMessageReceived(
            ConfirmMessageReceivedRequest(
                node=self.node, run_id=run, message_object_id=coming.number
            )
        )
        try:
            message = _inflated(coming)
        except Exception as error:  # noqa: BLE001 - a lender's bytes: whatever they do, not our end
            strange = isinstance(error, StrangePartsError)
            return self._given_up(coming, str(error) if strange else UNREADABLE)
        message.metadata.__dict__["_message_id"] = coming.number  # as Flower's own grid does
        return message

    def _fetch(self, coming: Coming, pull: Callable[[str], bytes]) -> None:
        check_count(len(coming.missing) + len(coming.parts.contents))
        while coming.missing:
            coming.parts.take(coming.missing[-1], pull(coming.missing[-1]))
            coming.missing.pop()

    def _given_up(self, coming: Coming, why: str = NOT_WHOLE) -> Message:
        self._coming.pop(coming.asked, None)
        coming.parts.contents.clear()
        _log.warning("a reply is given up: %s", why)  # whose: the conversation tells
        node = self.node.node_id
        about = Metadata(
            run_id=self.run.run_id,
            message_id="",
            src_node_id=node,
            dst_node_id=node,
            message_type=SYSTEM_MESSAGE_TYPE,
            group_id="",
            ttl=0,
            reply_to_message_id=coming.asked,
            created_at=time.time(),
        )
        return make_message(about, error=Error(ErrorCode.MESSAGE_UNAVAILABLE, why))


def _anew(message: Message) -> Message:
    """The same question under another name, as if it had never been sent."""
    about = message.metadata
    return Message(message.content, about.dst_node_id, about.message_type, group_id=about.group_id)


def _inflated(coming: Coming) -> Message:
    """The message of a reply that is there as a whole; raises whatever Flower raises, too."""
    coming.parts.check_grown()
    message = inflate_object_from_contents(coming.number, coming.parts.contents)
    if not isinstance(message, Message):
        raise StrangePartsError(UNREADABLE)
    if message.metadata.reply_to_message_id != coming.asked:
        raise StrangePartsError(OTHER_QUESTION)
    return message
