"""Whatever is asked of the gate, it answers, goes on, and passes only what is a member's own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flwr.proto.fleet_pb2 import PushMessagesRequest
from flwr.proto.message_pb2 import Message, Metadata, ObjectTree
from flwr.proto.node_pb2 import Node
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from server.authority import create_authority, issue_transport
from server.deployment.admission import CALLS, NODE_KEY
from server.deployment.bodies import PUSH
from server.deployment.gate import Gate
from server.deployment.gate_counts import GateCounts
from server.deployment.handed_questions import HandedQuestions
from server.deployment.member_protocol import CERTIFICATE
from server.deployment.seldom import Seldom
from server.deployment.terms_page import TermsPage
from server.deployment.uploads import Uploads
from shared.identity.transport import new_transport_key, transport_public_of
from tests.server.deployment.test_gate_admission import (
    NOW,
    admission,
    certificate,
    header,
)

Headers = list[tuple[bytes, bytes]]
KEY = NODE_KEY.encode()
MINE, OTHERS = certificate("L01"), certificate("L02")


def _forged() -> bytes:
    other = create_authority("ours", days=400, now=NOW, random=secrets.token_bytes)
    public = transport_public_of(new_transport_key(secrets.token_bytes))
    return issue_transport(
        other, "L01", "lender", public, days=30, now=NOW, random=secrets.token_bytes
    )


STRANGERS = (None, b"", b"\x30\x00", MINE[:-1], _forged(), certificate("K1", "keyholder"))


class Behind:
    """The SuperLink: keeps what is passed on."""

    def __init__(self) -> None:
        self.passed: list[tuple[str, bytes, dict[str, str]]] = []

    async def post(self, path: str, body: bytes, headers: Any, grow: Any) -> Any:
        self.passed.append((path, body, dict(headers)))
        return 200, b"", {}

    async def ready(self) -> bool:
        return True


def _push(*names: int) -> bytes:
    messages = [Message(metadata=Metadata(src_node_id=name)) for name in names]
    trees = [ObjectTree(object_id="a") for _ in names]
    request = PushMessagesRequest(node=Node(node_id=5), messages_list=messages)
    request.message_object_trees.extend(trees)
    return bytes(request.SerializeToString())


words = st.binary(max_size=40)
calls = sorted(CALLS)
paths = st.one_of(
    st.sampled_from(calls),
    st.sampled_from(
        [
            "/v1/fleet/register-node",
            "/v1/control/start-run",
            "/v1/runtime/acquire-task",
            "/lianfang/renew",
            "/lianfang/members",
            "/lianfang/terms",
            "/lianfang/terms/../../authority/authority.key",
            "//v1/fleet/pull-messages",
            "/v1/fleet/pull-messages/",
            "/V1/FLEET/PULL-MESSAGES",
        ]
    ),
    st.builds("{}/{}".format, st.sampled_from(calls), st.text(max_size=20)),
    st.text(max_size=60).map(lambda text: "/" + text),
)
keys = st.one_of(st.sampled_from([header("L01").encode(), header("L02").encode(), b""]), words)
names = st.one_of(
    st.sampled_from([KEY, b"flwr-signature", b"flwr-timestamp", b"content-type", b"cookie"]), words
)
heads = st.one_of(
    st.just([(KEY, header("L01").encode())]),
    st.lists(st.one_of(st.tuples(st.just(KEY), keys), st.tuples(names, words)), max_size=5),
)
bodies = st.one_of(
    st.just(_push(5)),
    st.just(_push(5, 6)),
    st.just(_push(6)),
    st.just(b""),
    st.binary(max_size=200),
)
shown = st.one_of(st.just(MINE), st.just(OTHERS), st.sampled_from(STRANGERS), words)
methods = st.sampled_from(["GET", "POST", "POST", "POST", "PUT", "HEAD", "OPTIONS", "X"])


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """A gate with its routes, of a folder with two members, and a SuperLink that is pretended."""
    folder: Path = tmp_path_factory.mktemp("gate")
    found: Any = object.__new__(Gate)
    found._folder, found._admission = folder, admission(folder)
    found.counts, found._under_way, found._uploads = GateCounts(), {}, Uploads()
    found._handed = HandedQuestions()
    found._told, found._renewals = Seldom(1, 60.0), Seldom(9, 60.0)
    found._forwarding, found._clock = Behind(), lambda: NOW
    found._pages = TermsPage(folder)
    routes = [Route("/{path:path}", found._answer, methods=["GET", "POST"])]
    found.app = Starlette(routes=routes)
    yield found
    assert not any(found._under_way.values())
    assert not any(found._uploads.under_way.values())


def asked(
    door: Gate, member: bytes | None, method: str, path: str, headers: Headers, parts: list[bytes]
) -> int:
    """The status of the answer. `parts`: the body as it arrives."""
    events = [
        {"type": "http.request", "body": part, "more_body": number + 1 < len(parts)}
        for number, part in enumerate(parts)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return events.pop(0) if events else {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "root_path": "",
        "scheme": "https",
        "query_string": b"",
        "headers": headers,
        "server": ("gate", 8443),
        CERTIFICATE: member,
    }
    asyncio.run(door.app(scope, receive, send))
    assert sent[0]["type"] == "http.response.start"
    return int(sent[0]["status"])


def _own(member: bytes | None, path: str, body: bytes, passed: dict[str, str]) -> bool:
    """Whether this may be passed: a member's, under its own node key, in its own node's name."""
    code = {MINE: "L01", OTHERS: "L02"}.get(member or b"")
    if code is None or path not in CALLS or passed.get(NODE_KEY) != header(code):
        return False
    if path != PUSH:
        return True
    request = PushMessagesRequest.FromString(body)
    return {one.metadata.src_node_id for one in request.messages_list} <= {request.node.node_id}


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(shown, methods, paths, heads, st.lists(bodies, min_size=1, max_size=3))
def test_nothing_passes_but_a_members_own_calls(
    door: Gate,
    member: bytes | None,
    method: str,
    path: str,
    headers: Headers,
    parts: list[bytes],
) -> None:
    """Any certificate, method, path, headers and body: a plain answer, and only what is its own is
    handed on. Afterwards a good call passes, so the refusals were not the gate's being broken.
    """
    behind: Any = door._forwarding
    behind.passed.clear()
    status = asked(door, member, method, path, headers, parts)
    assert 200 <= status < 500
    for where, body, passed in behind.passed:
        assert (method, where, body) == ("POST", path, b"".join(parts))
        assert _own(member, where, body, passed)
        assert sum(name.lower() == KEY for name, _ in headers) == 1
    handed_on = len(behind.passed)
    good = asked(door, MINE, "POST", PUSH, [(KEY, header("L01").encode())], [_push(5)])
    assert good == 200
    assert len(behind.passed) == handed_on + 1
