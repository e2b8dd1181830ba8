"""A lender's reply ends no run, whatever its parts are, and takes only so much memory."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.app import Message, RecordDict
from flwr.app.message import make_message
from flwr.app.metadata import Metadata
from flwr.proto.message_pb2 import ObjectTree
from flwr.supercore.inflatable.inflatable_object import (
    HEAD_BODY_DIVIDER,
    HEAD_VALUE_DIVIDER,
    get_all_nested_objects,
    get_object_id,
)
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectPushError,
    inflate_object_from_contents,
)
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from server.deployment import patient_grid
from server.deployment.patient_grid import PatientGrid
from shared.wire import parts
from shared.wire.failures import (
    OTHER_QUESTION,
    TOO_LARGE,
    TOO_MANY_PARTS,
    UNREADABLE,
    shown,
)

ASKED = "the question"
Contents = dict[str, bytes]


def part(kind: str, children: list[str], body: bytes) -> tuple[str, bytes]:
    """A part as nodes send it, with its digest."""
    head = HEAD_VALUE_DIVIDER.join([kind, ",".join(children), str(len(body))]).encode()
    content = head + HEAD_BODY_DIVIDER + body
    return get_object_id(content), content


def reply(asked: str = ASKED) -> tuple[str, Contents]:
    """An honest one."""
    about = Metadata(
        run_id=1,
        message_id="",
        src_node_id=5,
        dst_node_id=1,
        reply_to_message_id=asked,
        group_id="",
        created_at=1.0,
        ttl=9.0,
        message_type="query",
    )
    message = make_message(about, content=RecordDict())
    found = get_all_nested_objects(message)
    return message.object_id, {name: one.deflate() for name, one in found.items()}


def lone(kind: str, body: bytes) -> tuple[str, Contents]:
    """A reply of one part."""
    name, content = part(kind, [], body)
    return name, {name: content}


def growing(times: int) -> tuple[str, Contents]:
    """An array of one chunk of 1000 bytes that it names many times."""
    chunk, content = part("ArrayChunk", [], b"\0" * 1000)
    about = {"dtype": "int8", "shape": [1], "stype": "numpy.ndarray"}
    body = json.dumps(about | {"arraychunk_ids": [0] * times}).encode()
    array, outer = part("Array", [chunk], body)
    return array, {chunk: content, array: outer}


class _Runtime:
    """The SuperLink's answers about one reply."""

    def __init__(self, number: str, parts: Contents) -> None:
        leaves = [ObjectTree(object_id=name) for name in parts if name != number]
        self.tree = ObjectTree(object_id=number, children=leaves)
        self.number = number

    def PullMessages(self, request: Any) -> Any:  # noqa: N802 - Flower's name
        about = SimpleNamespace(message_id=self.number, reply_to_message_id=ASKED)
        proto = SimpleNamespace(metadata=about)
        return SimpleNamespace(messages_list=[proto], message_object_trees=[self.tree])

    def ConfirmMessageReceived(self, request: Any) -> None:  # noqa: N802 - Flower's name
        return None

    PullObject = None


class _Grid(PatientGrid):
    _runtime_client: Any = None
    run: Any = SimpleNamespace(run_id=1)
    node: Any = SimpleNamespace(node_id=1)

    def __init__(self, runtime: _Runtime) -> None:
        self._coming = {}
        self._runtime_client = runtime


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the grid makes of a reply."""

    def of(number: str, parts: Contents) -> Message:
        runtime = _Runtime(number, parts)
        monkeypatch.setattr(
            patient_grid, "make_pull_object_fn_protobuf", lambda *_: parts.__getitem__
        )
        monkeypatch.setattr(patient_grid, "ConfirmMessageReceivedRequest", lambda **_: None)
        (message,) = _Grid(runtime).pull_messages([ASKED])
        return message

    return of


def test_an_honest_reply_is_given(pulled: Any) -> None:
    """The control of all that follows."""
    message = pulled(*reply())
    assert message.has_content()
    assert message.metadata.src_node_id == 5


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        (lone("Message", b"\xff\xff\xff"), UNREADABLE),
        (lone("Nothing", b""), UNREADABLE),
        (growing(2), UNREADABLE),
        (reply("another question"), OTHER_QUESTION),
    ],
    ids=["no protobuf", "no kind", "no message", "another question"],
)
def test_a_strange_reply_is_an_error_of_its_node(
    strange: tuple[str, Contents], why: str, pulled: Any
) -> None:
    """To the question that was asked: the conversation counts that lender as missing, for a reason
    that may be shown.
    """
    message = pulled(*strange)
    assert message.has_error()
    assert shown(message.error.reason) == why
    assert message.metadata.reply_to_message_id == ASKED


def test_an_array_does_not_grow_past_the_bound(
    pulled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before it is put together; without the bound 1000 bytes become 100 000."""
    monkeypatch.setattr(parts, "MOST_REPLY", 10_000)
    array, contents_of = growing(100)
    inflated: list[str] = []

    def inflate(number: str, contents: Contents) -> Any:
        inflated.append(number)
        return inflate_object_from_contents(number, contents)

    monkeypatch.setattr(patient_grid, "inflate_object_from_contents", inflate)
    assert pulled(array, dict(contents_of)).has_error()
    assert inflated == []
    assert len(inflate_object_from_contents(array, dict(contents_of)).data) == 100_000  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("bound", "value", "why"), [("MOST_REPLY", 10, TOO_LARGE), ("MOST_PARTS", 1, TOO_MANY_PARTS)]
)
def test_what_is_fetched_is_bounded(
    bound: str, value: int, why: str, pulled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By size and by number of parts; the honest reply, which both bounds let through, is the
    control.
    """
    monkeypatch.setattr(parts, bound, value)
    assert pulled(*reply()).error.reason == why


class Killed(PatientGrid):
    """Over a SuperLink that is killed after it took a part, so often: it takes no part twice."""

    def __init__(self, kills: int) -> None:
        self._coming, self.kills, self.names = {}, kills, list[str]()
        self._run = SimpleNamespace(run_id=1)
        self.node = SimpleNamespace(node_id=1)

    def _check_message(self, message: Message) -> None:
        pass

    def _try_push_messages(self, run_id: int, messages: Any) -> list[str]:
        self.names += [message.object_id for message in messages]
        self.kills -= 1
        if self.kills >= 0:
            raise ObjectPushError(self.names[-1], run_id, "session")
        return self.names[-1:]


def question(monkeypatch: pytest.MonkeyPatch) -> Message:
    """As a run's process makes it."""
    for name in ("_task_id", "_run_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)
    return Message(RecordDict(), 5, "query", group_id="7")


def test_a_question_cut_off_by_a_kill_is_sent_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another name, to the same lender. Positive control: Flower's own grid gives the error
    to the run, which would end.
    """
    with pytest.raises(ObjectPushError):
        HttpGrid.push_messages(Killed(1), [question(monkeypatch)])
    grid = Killed(2)
    assert grid.push_messages([question(monkeypatch)]) == grid.names[-1:]
    assert len(set(grid.names)) == 3


def test_a_superlink_that_is_killed_again_and_again_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run's process is then started again."""
    grid = Killed(patient_grid.MOST_PUSHES)
    with pytest.raises(ObjectPushError):
        grid.push_messages([question(monkeypatch)])
    assert len(grid.names) == patient_grid.MOST_PUSHES
