"""A member's call that was recorded, body and head, and is sent again: by itself nothing counts
twice, by another member it is refused.

The gate is real, over mutual TLS, and so is Flower's SuperLink behind it, in this process.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL, NOOP_FLWR_AID
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fab_pb2 import GetFabRequest
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    DeactivateNodeRequest,
    PullMessagesRequest,
    PullMessagesResponse,
    PushMessagesRequest,
    PushMessagesResponse,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedRequest,
    PullObjectRequest,
    PushObjectRequest,
    PushObjectResponse,
)
from flwr.proto.node_pb2 import Node
from flwr.proto.run_pb2 import GetRunRequest
from flwr.proto.runtime_pb2 import PullAppMessagesRequest
from flwr.supercore.constant import NOOP_FEDERATION_ID
from flwr.supercore.fab import Fab
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.main import create_app
from flwr.superlink.routers.fleet import node_auth
from flwr.superlink.servicer.runtime import runtime_handlers
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from server.deployment.admission import CALLS
from server.deployment.bodies import FLEET, PULL, PUSH, UPLOAD
from server.deployment.forwarding import Forwarding
from server.deployment.handed_questions import HandedQuestions
from shared.identity.node_key import node_public_of
from tests.server.deployment.open_gate import HOST, OpenGate, open_gate


@dataclass(frozen=True)
class Call:
    """As it went over the wire."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Member:
    """Flower's own client of a node, at the gate; `calls`: what it sent, the last of each path."""

    door: OpenGate
    code: str
    calls: dict[str, Call] = field(default_factory=dict)
    question: Any = None
    node: int = 0

    def __post_init__(self) -> None:
        key: Any = load_ssh_private_key(self.door.keys[self.code], None)
        self.asks = FleetHttpClient(
            f"https://{HOST}:{self.door.port}",
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="SuperNode"),
                NodeAuthHttpInterceptor(key, key.public_key()),
            ],
            verify=self.door.context(self.code),
        )
        self.asks._client.event_hooks = {"request": [self._record]}
        self.sends = httpx.Client(verify=self.door.context(self.code), trust_env=False)

    def _record(self, request: httpx.Request) -> None:
        kept = [(name, value) for name, value in request.headers.multi_items() if name != "host"]
        self.calls[request.url.path] = Call(request.url.path, kept, request.content)

    def again(self, call: Call, **changed: Any) -> httpx.Response:
        """Send what was recorded once more, over this member's own connection."""
        url = f"https://{HOST}:{self.door.port}{call.path}"
        headers = changed.get("headers", call.headers)
        return self.sends.post(url, headers=headers, content=changed.get("body", call.body))

    def own_headers(self) -> list[tuple[str, str]]:
        """Freshly signed ones."""
        self.asks.SendNodeHeartbeat(
            SendNodeHeartbeatRequest(
                node=Node(node_id=self.node), heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL
            )
        )
        signed = self.calls[FLEET + "send-node-heartbeat"].headers
        return [(name, value) for name, value in signed if name != "content-length"]

    def activate(self) -> None:
        """Its node is there."""
        asked = ActivateNodeRequest(
            public_key=node_public_of(self.door.keys[self.code]),
            heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL,
        )
        self.node = self.asks.ActivateNode(asked).node_id

    def close(self) -> None:
        """Let connections go."""
        self.asks._client.close()
        self.sends.close()


class Link(Forwarding):
    """The gate's way to a SuperLink of this process. `reached`: calls that got there."""

    def __init__(self, app: Any) -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="https://link")
        self.reached: list[str] = []

    async def post(self, path: str, *given: Any) -> Any:
        self.reached.append(path)
        return await super().post(path, *given)


@dataclass
class Scene:
    """A run with one question to L01, and both members there."""

    link: Link
    state: Any
    run: int
    question: str
    bundle: str
    first: Member
    second: Member

    def taken(self) -> list[Any]:
        """Replies that the coordinator is given now."""
        asked = PullAppMessagesRequest(message_ids=[self.question])
        task: Any = SimpleNamespace(run_id=self.run)
        found = runtime_handlers.pull_messages(asked, self.state, task).messages_list
        return [one for one in found if not one.HasField("error")]  # Flower's own: none is there


def _asked(state: Any, run: int, node: int) -> str:
    """A question of the coordinator's in the SuperLink; its digest."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, run, 1
    message = Message(RecordDict({"a": ConfigRecord({"b": 1})}), node, "query.answer", group_id="1")
    with no_object_id_recompute():
        message.metadata.__dict__["_message_id"] = message.object_id
        bare = message_to_proto(message)
        bare.ClearField("content")
        bare.content.SetInParent()
        session = state.start_session(run)
        stored, missing = state.store_message_and_object_tree(
            message_from_proto(bare), get_object_tree(message), session
        )
        assert stored
        for name, one in get_all_nested_objects(message).items():
            assert name in missing
            assert state.store_object(run, session, name, one.deflate())
    return str(message.object_id)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("FLWR_DATABASE", str(tmp_path / "state.db"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app = create_app()
    state, link = app.state.linkstate_factory.state(), Link(app)
    (tmp_path / "gate").mkdir()
    with open_gate(tmp_path / "gate", link) as door:
        for code, key in door.keys.items():
            state.create_node(NOOP_FLWR_AID, "none", node_public_of(key), 0, name=code)
        members = [Member(door, "L01"), Member(door, "L02")]
        for one in members:
            one.activate()
        bundle = state.store_fab(Fab(None, b"a bundle", {}))
        run = state.create_run(
            "lianfang/lianfang", "9.9.9", bundle, {}, NOOP_FEDERATION_ID, None, NOOP_FLWR_AID,
            "flwr-serverapp",
        )  # fmt: skip
        task = state.get_run_info(run_ids=[run])[0].primary_task_id
        state.claim_task(task)
        state.activate_task(task)
        question = _asked(state, run, members[0].node)
        try:
            yield Scene(link, state, run, question, bundle, *members)
        finally:
            for one in members:
                one.close()


@dataclass
class Reply:
    """Of L01 to its question. `parts`: by digest."""

    push: PushMessagesRequest
    parts: dict[str, bytes]


def _reply(scene: Scene, node: int) -> Reply:
    """In the name of a node."""
    about = scene.first.question.messages_list[0]
    asked = message_from_proto(about)
    asked.metadata.__dict__["_message_id"] = scene.question
    message = Message(RecordDict({"a": ConfigRecord({"c": 2})}), reply_to=asked)
    message.metadata.__dict__["_src_node_id"] = node
    with no_object_id_recompute():
        message.metadata.__dict__["_message_id"] = message.object_id
        bare = message_to_proto(message)
    bare.ClearField("content")
    bare.content.SetInParent()
    push = PushMessagesRequest(
        node=Node(node_id=node), messages_list=[bare], clientapp_runtime_list=[0.1]
    )
    push.message_object_trees.append(get_object_tree(message))
    return Reply(
        push, {name: one.deflate() for name, one in get_all_nested_objects(message).items()}
    )


def _conversation(scene: Scene, after: Callable[[str, Any], Any]) -> None:
    """All of a node's calls, as Flower's own node makes them; `after` each one its path and what
    was answered are told, and what that gives counts as the answer.
    """
    member, run = scene.first, scene.run
    node = Node(node_id=member.node)

    def told(path: str, answer: Any) -> Any:
        return after(FLEET + path, answer) or answer

    beat = SendNodeHeartbeatRequest(node=node, heartbeat_interval=HEARTBEAT_DEFAULT_INTERVAL)
    told("send-node-heartbeat", member.asks.SendNodeHeartbeat(beat))
    member.question = member.asks.PullMessages(PullMessagesRequest(node=node))
    told("pull-messages", member.question)
    told("get-run", member.asks.GetRun(GetRunRequest(node=node, run_id=run)))
    fab = GetFabRequest(node=node, hash_str=scene.bundle, run_id=run)
    told("get-fab", member.asks.GetFab(fab))
    part = PullObjectRequest(node=node, run_id=run, object_id=scene.question)
    told("pull-object", member.asks.PullObject(part))
    confirmed = ConfirmMessageReceivedRequest(
        node=node, run_id=run, message_object_id=scene.question
    )
    told("confirm-message-received", member.asks.ConfirmMessageReceived(confirmed))
    reply = _reply(scene, member.node)
    pushed = told("push-messages", member.asks.PushMessages(reply.push))
    for name in pushed.objects_to_push:
        brought = PushObjectRequest(
            node=node, run_id=run, session_id=pushed.session_id, object_id=name,
            object_content=reply.parts[name],
        )  # fmt: skip
        told("push-object", member.asks.PushObject(brought))


def test_what_is_sent_again_counts_once(scene: Scene) -> None:
    """Each call of a whole conversation is sent twice: the question is given once, one reply comes
    of it, and what is only read is the same. An announced reply goes on where its last announcement
    left it. Control: what the first sending brought.
    """
    seen: list[str] = []

    def again(path: str, first: Any) -> Any:
        seen.append(path)
        second = scene.first.again(scene.first.calls[path])
        assert second.status_code == 200, path
        same = {FLEET + one for one in ("get-run", "get-fab", "pull-object", "send-node-heartbeat")}
        if path in same:
            assert type(first).FromString(second.content) == first
        if path == PULL:
            assert len(first.messages_list) == 1
            assert not PullMessagesResponse.FromString(second.content).messages_list
        if path == UPLOAD:
            assert first.stored
            assert not PushObjectResponse.FromString(second.content).stored
        return PushMessagesResponse.FromString(second.content) if path == PUSH else None

    _conversation(scene, again)
    assert {*seen} == CALLS - {FLEET + "activate-node", FLEET + "deactivate-node"}
    there = scene.first.calls[FLEET + "activate-node"]
    assert scene.first.again(there).status_code == 412  # it is there already
    (only,) = scene.taken()
    assert only.metadata.src_node_id == scene.first.node
    late = [scene.first.again(scene.first.calls[path]).status_code for path in (PUSH, UPLOAD)]
    assert late == [200, 200]
    assert scene.taken() == []
    scene.first.asks.DeactivateNode(DeactivateNodeRequest(node_id=scene.first.node))
    left = scene.first.calls[FLEET + "deactivate-node"]
    assert scene.first.again(left).status_code >= 400  # it is gone already


def test_another_member_cannot_send_what_was_recorded(scene: Scene) -> None:
    """Not one of the calls gets past the gate; the controls are the first ones of L01."""
    _conversation(scene, lambda path, answer: None)
    scene.first.asks.DeactivateNode(DeactivateNodeRequest(node_id=scene.first.node))
    assert {*scene.first.calls} == CALLS
    assert {*scene.link.reached} == CALLS
    reached = len(scene.link.reached)
    for path, call in scene.first.calls.items():
        answer = scene.second.again(call)
        assert answer.status_code == 403, path
        assert "node key" in answer.text
    assert len(scene.link.reached) == reached


def test_nor_as_its_own(scene: Scene) -> None:
    """Under its own key and signature the same bodies are refused, by the gate or by Flower, and
    change nothing: L01 still has its one reply.
    """
    _conversation(scene, lambda path, answer: None)
    headers = scene.second.own_headers()
    for path, call in scene.first.calls.items():
        answer = scene.second.again(call, headers=headers)
        assert answer.status_code in (401, 403), path
    assert len(scene.taken()) == 1


def test_nobody_answers_or_confirms_anothers_question(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own node's name, with everything right but the question. Control: without the gate's
    list Flower forgets the question at the other's word, and L01 can fetch it no more.
    """
    first, second, run = scene.first, scene.second, scene.run
    node = Node(node_id=second.node)
    first.question = first.asks.PullMessages(PullMessagesRequest(node=Node(node_id=first.node)))
    second.asks.PushMessages(_reply(scene, second.node).push)
    assert scene.taken() == []
    confirmed = ConfirmMessageReceivedRequest(
        node=node, run_id=run, message_object_id=scene.question
    )
    part = PullObjectRequest(node=Node(node_id=first.node), run_id=run, object_id=scene.question)
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        second.asks.ConfirmMessageReceived(confirmed)
    assert first.asks.PullObject(part).object_found
    monkeypatch.setattr(HandedQuestions, "check_confirmed", lambda *_: None)
    second.asks.ConfirmMessageReceived(confirmed)
    assert not first.asks.PullObject(part).object_found


def test_what_was_recorded_long_ago_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signature is believed for five minutes, by the SuperLink's clock. Control: now it is."""
    scene.first.own_headers()
    call = scene.first.calls[FLEET + "send-node-heartbeat"]
    assert scene.first.again(call).status_code == 200
    later = node_auth.now() + timedelta(minutes=6)
    monkeypatch.setattr(node_auth, "now", lambda: later)
    assert scene.first.again(call).status_code == 401
