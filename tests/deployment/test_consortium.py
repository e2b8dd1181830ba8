"""A real consortium on loopback: a coordinator and three lenders as `start` runs them, one run of
secure sums, and who is turned away. Each refusal has its control: plain Flower lets it through, or
the same passes while the check has nothing against it.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from flwr.proto.control_pb2 import ListNodesRequest, RegisterNodeRequest
from flwr.proto.fleet_pb2 import (
    ActivateNodeRequest,
    PushMessagesRequest,
    RegisterNodeFleetRequest,
)
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.message_pb2 import Message as MessageProto
from flwr.proto.message_pb2 import Metadata, ObjectTree
from flwr.proto.node_pb2 import Node
from flwr.supercore.protobuf.constants import PROTOBUF_MEDIA_TYPE
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

import server.cli
from server.coordinator.exchange import Policy
from server.coordinator.status import Status, read_status
from server.deployment.control import control_of
from server.deployment.loopback import HEADER, Loopback
from server.deployment.runs import start_run
from server.revoked import read_revoked
from shared.identity.node_key import new_node_key, node_public_of
from shared.training.consortium import FILE, parse_consortium
from tests.deployment.consortium import (
    CODES,
    Consortium,
    awaited,
    coordinator_of,
    founded,
    join,
    lender_of,
    stopped,
)
from tests.deployment.other_faults import write_row
from tests.deployment.plain_flower import PlainSuperLink, plain_superlink, signing
from tests.deployment.simulated import simulated

pytestmark = pytest.mark.slow
PROTOBUF = {"content-type": PROTOBUF_MEDIA_TYPE}
PATIENT = Policy(3, patience=30.0, deadline=60.0)
ALLOWED = "bundles.json"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """Coordinator and lenders, connected; all of them end with the module."""
    made = founded(tmp_path_factory.mktemp("consortium"))
    commands = [coordinator_of(made), *(lender_of(made, code) for code in CODES)]
    try:
        for command in commands:
            command.line(120.0)
        yield made
    finally:
        statuses = stopped(commands)
    out = read_revoked(made.coordinator)
    assert statuses == [0] + [2 if code in out else 0 for code in CODES]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainSuperLink]:
    """Flower's own SuperLink."""
    with plain_superlink(tmp_path_factory.mktemp("plain") / "superlink") as link:
        yield link


def tls(running: Consortium, folder: Path | None) -> ssl.SSLContext:
    """The authority's file, and this lender's certificate if it is one's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(running.coordinator / "authority.crt")
    if folder is not None:
        context.load_cert_chain(folder / "transport.crt", folder / "own/transport.key")
    return context


def at_gate(running: Consortium, folder: Path | None) -> httpx.Client:
    """Speaks to the gate."""
    base = f"https://{running.gate}"
    return httpx.Client(verify=tls(running, folder), base_url=base, trust_env=False)


def node_of(running: Consortium, certificate: str, key: str) -> FleetHttpClient:
    """A node at the gate under one lender's certificate and the node key of one."""
    return FleetHttpClient(
        f"https://{running.gate}",
        interceptors=[signing(running.home / key)],
        verify=tls(running, running.home / certificate),
    )


def public_key(running: Consortium, code: str) -> bytes:
    """A member's node key, as Flower's fleet registers it."""
    return node_public_of((running.home / code / "own/node.key").read_bytes())


def number_of(running: Consortium, code: str) -> int:
    """The node's number."""
    return int((running.lenders[code] / "own/node/registered").read_text())


def heartbeat(node: int) -> SendNodeHeartbeatRequest:
    """A node's sign of life."""
    return SendNodeHeartbeatRequest(node=Node(node_id=node), heartbeat_interval=30)


def reply_of(node: int, named: int) -> PushMessagesRequest:
    """A node's reply that bears the name of a node."""
    about = Metadata(run_id=1, message_id="m", src_node_id=named, reply_to_message_id="q", ttl=9.0)
    return PushMessagesRequest(
        node=Node(node_id=node),
        messages_list=[MessageProto(metadata=about)],
        message_object_trees=[ObjectTree(object_id="m")],
    )


def status_of(error: pytest.ExceptionInfo[httpx.HTTPStatusError]) -> int:
    """Of the answer."""
    return error.value.response.status_code


def test_a_run_ends_with_the_model_of_simulate_and_waits_for_a_lender_that_refuses(
    running: Consortium, tmp_path: Path
) -> None:
    """One lender's list lacks the coordinator's bundle: it refuses, nothing of the bundle is run,
    and the run goes on when the list holds it. Rows, schema, seed and rounds as simulate.py had
    them: the same model, bit for bit.
    """
    lender = running.lenders["L01"]
    listed = (lender / ALLOWED).read_text()
    (lender / ALLOWED).write_text(json.dumps(["0" * 64]))
    terms = parse_consortium((running.coordinator / FILE).read_bytes()).agreement(seed=3)
    with control_of(running.coordinator) as control:
        run = start_run(running.coordinator, "first", terms, control)
    refused = f"refused: the bundle {json.loads(listed)[0]}"
    awaited(lambda: refused in (lender / "log/executor.log").read_text(), 60.0)
    assert not (lender / "own/outbox.jsonl").exists()
    (lender / ALLOWED).write_text(listed)

    def ended() -> Status | None:
        found = read_status(run)
        return found if found is not None and found.ended else None

    status = awaited(ended, 240.0)
    assert isinstance(status, Status)
    assert status.state == "finished", status
    expected, _ = simulated(tmp_path / "simulated", family="boosted", seed=3)
    assert status.model == expected
    assert all((home / "own/model").is_dir() for home in running.lenders.values())


def test_who_has_only_the_authoritys_file_gets_nowhere(
    running: Consortium, plain: PlainSuperLink
) -> None:
    """At the gate the handshake ends it, while a member gets an answer to the same; at a plain
    SuperLink the same file registers a node.
    """
    public = node_public_of(new_node_key(lambda count: bytes(range(count))))
    wish = RegisterNodeRequest(public_key=public).SerializeToString()
    path = "/v1/control/register-node"
    with at_gate(running, running.lenders["L01"]) as member:
        assert member.get("/lianfang/ready").status_code == 200
        assert member.post(path, content=wish, headers=PROTOBUF).status_code == 403
    with at_gate(running, None) as rogue:
        with pytest.raises(httpx.TransportError):
            rogue.get("/lianfang/ready")
        with pytest.raises(httpx.TransportError):
            rogue.post(path, content=wish, headers=PROTOBUF)
    with plain.client() as rogue:
        assert rogue.post(path, content=wish, headers=PROTOBUF).status_code == 200


def test_the_control_api_needs_the_folders_secret(
    running: Consortium, plain: PlainSuperLink
) -> None:
    """Another user of the coordinator's machine reaches the port, and no more; plain Flower lists,
    starts and registers for anybody.
    """
    loopback = Loopback(running.coordinator)
    own = PlainSuperLink(loopback.address, loopback.certificate_text())
    wish, path = ListNodesRequest().SerializeToString(), "/v1/control/list-nodes"
    for secret, expected in ((None, 403), ("0" * 64, 403), (loopback.control_secret(), 200)):
        with own.client() as other:
            headers = PROTOBUF | ({} if secret is None else {HEADER: secret})
            assert other.post(path, content=wish, headers=headers).status_code == expected
    with plain.client() as other:
        assert other.post(path, content=wish, headers=PROTOBUF).status_code == 200


def test_a_revoked_certificate_is_refused_on_an_open_connection_too(
    running: Consortium, plain: PlainSuperLink
) -> None:
    """It passed before, and the others go on. Plain Flower knows no certificates of clients and
    nobody who is revoked: under the same certificate and node key the revoked member is served.
    """
    join(running, running.home / "L09", "L09")
    with at_gate(running, running.home / "L09") as held:
        assert held.get("/lianfang/terms").status_code == 200
        (running.coordinator / "revoked.json").write_text('["L09"]')
        answer = held.get("/lianfang/terms")
        assert answer.status_code == 401
        assert "revoked" in answer.json()["error"]
    with at_gate(running, running.home / "L09") as again:
        assert again.get("/lianfang/terms").status_code == 401
    with at_gate(running, running.lenders["L01"]) as other:
        assert other.get("/lianfang/terms").status_code == 200
    with pytest.raises(httpx.HTTPStatusError) as refused, node_of(running, "L09", "L09") as node:
        node.RegisterNode(RegisterNodeFleetRequest(public_key=public_key(running, "L09")))
    assert status_of(refused) == 401
    with plain.client() as authority:  # as its operator did while L09 was a member
        wish = RegisterNodeRequest(public_key=public_key(running, "L09")).SerializeToString()
        path = "/v1/control/register-node"
        assert authority.post(path, content=wish, headers=PROTOBUF).status_code == 200
    with plain.node(running.home / "L09") as node:
        wished = ActivateNodeRequest(public_key=public_key(running, "L09"), heartbeat_interval=30)
        number = node.ActivateNode(wished).node_id
        assert node.SendNodeHeartbeat(heartbeat(number)).success


def test_a_lender_cannot_speak_for_anothers_node(running: Consortium) -> None:
    """Not even with the other's node key; under its own certificate the same call passes."""
    other = number_of(running, "L02")
    with node_of(running, "L02", "L02") as node:
        assert node.SendNodeHeartbeat(heartbeat(other)).success
    with node_of(running, "L01", "L02") as node, pytest.raises(httpx.HTTPStatusError) as refused:
        node.SendNodeHeartbeat(heartbeat(other))
    assert status_of(refused) == 403


def test_a_reply_in_anothers_name_is_refused(running: Consortium) -> None:
    """Flower's own check looks at the node and not at the name: straight at the SuperLink the same
    reply comes as far as the run it is for, which there is none of.
    """
    own, other = number_of(running, "L01"), number_of(running, "L02")
    with node_of(running, "L01", "L01") as node, pytest.raises(httpx.HTTPStatusError) as refused:
        node.PushMessages(reply_of(own, other))
    assert status_of(refused) == 403
    assert "another node's name" in refused.value.response.text
    loopback = Loopback(running.coordinator)
    private = load_ssh_private_key((running.lenders["L01"] / "own/node.key").read_bytes(), None)
    with (
        FleetHttpClient.from_server_address(
            loopback.address,
            insecure=False,
            root_certificates=loopback.certificate_text(),
            interceptors=[NodeAuthHttpInterceptor(private, private.public_key())],
        ) as node,
        pytest.raises(httpx.HTTPStatusError) as reached,
    ):
        node.PushMessages(reply_of(own, other))
    assert status_of(reached) == 500  # Flower took it for the node's, and fell over the run


@pytest.mark.parametrize(
    "path",
    [
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/control/list-nodes",
        "/v1/control/start-run",
        "/v1/runtime/acquire-task",
        "/v1/fleet/pull-messages/../../control/list-nodes",
        "/docs",
        "/lianfang/terms/../../authority/authority.key",
    ],
)
def test_what_a_node_does_not_need_does_not_pass(running: Consortium, path: str) -> None:
    """With a good certificate, and the node's own key; what it needs passes under the same."""
    folder = running.lenders["L01"]
    private = load_ssh_private_key((folder / "own/node.key").read_bytes(), None)
    shown = NodeAuthHttpInterceptor(private, private.public_key())
    with at_gate(running, folder) as member:
        headers = PROTOBUF | {"flwr-public-key": _public(shown)}
        assert member.post(path, content=b"", headers=headers).status_code == 403
        assert member.get(path).status_code == 403
        assert member.get("/lianfang/bundles").status_code == 200


def test_a_plain_superlink_shows_what_the_gate_keeps(plain: PlainSuperLink) -> None:
    """The control of the above: runs, tasks and documentation, for anybody with the file."""
    with plain.client() as rogue:
        assert rogue.get("/docs").status_code == 200
        wish = ListNodesRequest().SerializeToString()
        path = "/v1/control/list-nodes"
        assert rogue.post(path, content=wish, headers=PROTOBUF).status_code == 200
        answer = rogue.post("/v1/runtime/acquire-task", content=b"", headers=PROTOBUF)
        assert answer.status_code == 200
        fleet = RegisterNodeFleetRequest(public_key=b"x").SerializeToString()
        answer = rogue.post("/v1/fleet/register-node", content=fleet, headers=PROTOBUF)
        assert answer.status_code != 404


def _public(shown: NodeAuthHttpInterceptor) -> str:
    from base64 import b64encode

    return b64encode(shown._public_key_bytes).decode()


@pytest.mark.soak
def test_a_run_without_a_lender_that_is_revoked_in_mid_run_fails_at_once(
    running: Consortium,
) -> None:
    """`lianfang-server revoke` as trees grow: the gate shuts it out, its own `start` ends, and the
    run, which cannot do without it, says so long before its patience of 600 s is over. If all held,
    its row of docs/faults.md is written. Last here.
    """
    terms = parse_consortium((running.coordinator / FILE).read_bytes()).agreement(seed=4, rounds=30)
    with control_of(running.coordinator) as control:
        run = start_run(running.coordinator, "last", terms, control)
    awaited(lambda: (told := read_status(run)) is not None and told.stage == "trees/1", 120.0)
    began = time.monotonic()
    assert server.cli.main(["revoke", str(running.coordinator), "L03"]) == 0
    status = awaited(lambda: (told := read_status(run)) is not None and told.ended and told, 60.0)
    seconds = time.monotonic() - began
    assert isinstance(status, Status)
    assert (status.state, status.blamed) == ("failed", ("L03",)), status
    assert "L03: it is revoked" in status.error
    assert status.remedy == "L03 does not come back: start a new run without it"
    awaited(lambda: "L03 was revoked" in (running.home / "L03.log").read_text(), 60.0)
    how = "shut out; the run cannot do without it, and ends with its name and what to do"
    write_row("one of three lenders is revoked in mid-run", how, seconds)
