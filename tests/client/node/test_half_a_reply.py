"""An executor that is killed while it hands in a reply does not silence the SuperNode."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode import start_client_internal as loop
from flwr.supernode.nodestate.in_memory_nodestate import InMemoryNodeState

from client.node import supernode
from client.node.flower import MOST_MISSING
from client.node.supernode import bounded

RUN, NODE = 7, 5


class StillWaitingError(BaseException):
    """Flower's loop waits and waits; nothing of its own catches this."""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A SuperNode's state, a clock that its pauses move, and what it has sent."""
    clock, sent = [0.0], []

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        if clock[0] > 10 * MOST_MISSING:
            raise StillWaitingError

    for name, number in (("_task_id", 1), ("_run_id", RUN), ("_node_id", NODE)):
        monkeypatch.setattr(TaskIdentity, name, number)
    monkeypatch.setattr(loop, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(supernode.time, "monotonic", lambda: clock[0])
    store = InMemoryObjectStore()
    return SimpleNamespace(store=store, state=InMemoryNodeState(store), sent=sent, clock=clock)


def handed_in(place: SimpleNamespace, parts: int) -> int:
    """A reply of which so many parts come, as an executor hands it in; how many it has."""
    values = ArrayRecord([np.arange(3.0), np.ones(2)])
    question = Message(RecordDict({"a": values}), NODE, "query")
    question.metadata.__dict__["_message_id"] = question.object_id
    reply = Message(RecordDict({"b": values}), reply_to=question)
    reply.metadata.__dict__["_message_id"] = reply.object_id
    with no_object_id_recompute():
        tree, objects = get_object_tree(reply), get_all_nested_objects(reply)
        place.store.preregister(RUN, tree)
        place.state.store_message(remove_content_from_message(reply))
    for name in [*objects][:parts]:
        place.store.put(name, objects[name].deflate())
    return len(objects)


def hand_on(place: SimpleNamespace, function: Any) -> None:
    """One turn of the SuperNode's loop."""

    def send(message: Message, tree: Any, seconds: float) -> tuple[set[str], str]:
        return set(place.store.store), "session"

    function(
        state=place.state,
        object_store=place.store,
        send=send,
        push_object=lambda run, session, name, content: place.sent.append(name),
    )


def test_half_a_reply_is_given_up(place: SimpleNamespace) -> None:
    """After the seconds that a part may take the loop goes on, and the reply is gone. Positive
    control: Flower's own loop still waits long after that.
    """
    whole = handed_in(place, parts=1)
    with pytest.raises(StillWaitingError):
        hand_on(place, loop._push_messages)
    place.clock[0] = 0.0
    handed_in(place, parts=1)
    hand_on(place, bounded(loop._push_messages))
    assert MOST_MISSING < place.clock[0] < MOST_MISSING + 1.0
    assert len(place.sent) < whole
    assert not place.state.get_messages_legacy(is_reply=True)


def test_a_whole_reply_is_handed_on(place: SimpleNamespace) -> None:
    """With all of its parts, at once."""
    whole = handed_in(place, parts=10)
    hand_on(place, bounded(loop._push_messages))
    assert (len(place.sent), place.clock[0]) == (whole, 0.0)
