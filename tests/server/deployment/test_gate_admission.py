"""Who may ask the gate for what: certificate, revocation, role, path, node key, name."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flwr.proto.fleet_pb2 import PushMessagesRequest
from flwr.proto.message_pb2 import Message, Metadata, ObjectTree
from flwr.proto.node_pb2 import Node

from server.authority import create_authority, issue_transport
from server.deployment.admission import CALLS, Admission
from server.deployment.bodies import PUSH, announced
from server.deployment.node_keys import NodeKeys, read_node_keys
from server.deployment.refused_request import RefusedRequestError
from server.revoked import RevokedCodes
from shared.errors import OperatorError
from shared.identity.certificate import Role
from shared.identity.node_key import new_node_key, node_public_of
from shared.identity.transport import new_transport_key, transport_public_of

NOW = datetime(2031, 5, 6, tzinfo=UTC)
AUTHORITY = create_authority("ours", days=400, now=NOW, random=secrets.token_bytes)
KEYS = {code: node_public_of(new_node_key(secrets.token_bytes)) for code in ("L01", "L02")}


def certificate(code: str = "L01", role: Role = "lender", days: int = 30) -> bytes:
    """A transport certificate of ours."""
    public = transport_public_of(new_transport_key(secrets.token_bytes))
    return issue_transport(
        AUTHORITY, code, role, public, days=days, now=NOW, random=secrets.token_bytes
    )


def admission(folder: Path, now: datetime = NOW) -> Admission:
    """Of a coordinator's folder with two members."""
    members = {code: {"public": "00", "node": key.decode()} for code, key in KEYS.items()}
    (folder / "members.json").write_text(json.dumps(members))
    revoked = RevokedCodes(folder, frozenset())
    return Admission(AUTHORITY.certificate, revoked, NodeKeys(folder), lambda: now)


def header(code: str) -> str:
    """As Flower's nodes show their key."""
    return b64encode(KEYS[code]).decode()


def test_a_members_certificate_is_taken_while_it_is_good(tmp_path: Path) -> None:
    """Not expired, not another authority's, not revoked, not another role's, not missing."""
    judge = admission(tmp_path)
    assert judge.lender(certificate()) == "L01"
    later = admission(tmp_path, NOW + timedelta(days=31))
    other = create_authority("ours", days=400, now=NOW, random=secrets.token_bytes)
    public = transport_public_of(new_transport_key(secrets.token_bytes))
    forged = issue_transport(
        other, "L01", "lender", public, days=3, now=NOW, random=secrets.token_bytes
    )
    for wrong, shown, status in (
        (later, certificate(), 401),
        (judge, forged, 401),
        (judge, None, 401),
        (judge, certificate("K1", "keyholder"), 403),
        (judge, certificate("coordinator", "coordinator"), 403),
    ):
        with pytest.raises(RefusedRequestError) as refused:
            wrong.lender(shown)
        assert refused.value.status == status
    (tmp_path / "revoked.json").write_text('["L01"]')
    with pytest.raises(RefusedRequestError, match="revoked"):
        judge.lender(certificate())


def test_a_node_speaks_under_its_own_members_key(tmp_path: Path) -> None:
    """Every call that is passed; a member that joins meanwhile is known at once."""
    judge = admission(tmp_path)
    for path in CALLS:
        judge.check_call("L01", path, header("L01"))
    for shown in (header("L02"), "", "not base64!", b64encode(b"").decode()):
        with pytest.raises(RefusedRequestError, match="node"):
            judge.check_call("L01", PUSH, shown)
    with pytest.raises(RefusedRequestError):
        judge.check_call("L03", PUSH, header("L02"))
    for path in ("/v1/fleet/register-node", "/v1/control/start-run", "/v1/fleet/", PUSH + "/"):
        with pytest.raises(RefusedRequestError, match="does not pass"):
            judge.check_call("L01", path, header("L01"))


def test_a_node_answers_in_its_own_name(tmp_path: Path) -> None:
    """The name that a reply bears is that of the node that brings it."""
    judge = admission(tmp_path)

    def push(name: int) -> bytes:
        message = Message(metadata=Metadata(src_node_id=name))
        node, tree = Node(node_id=5), ObjectTree(object_id="a")
        request = PushMessagesRequest(node=node)
        request.messages_list.append(message)
        request.message_object_trees.append(tree)
        return bytes(request.SerializeToString())

    judge.check_reply(announced(push(5)))
    with pytest.raises(RefusedRequestError, match="another node's name") as refused:
        judge.check_reply(announced(push(6)))
    assert refused.value.status == 403


def test_a_damaged_list_of_members_changes_nothing(tmp_path: Path) -> None:
    """One key under two codes is damage, too."""
    judge = admission(tmp_path)
    judge.check_call("L01", PUSH, header("L01"))
    node = KEYS["L02"].decode()
    for text in ("{", "[]", '{"L01": 3}', '{"L01": {"node": "x"}}'):
        (tmp_path / "members.json").write_text(text)
        with pytest.raises(OperatorError):
            read_node_keys(tmp_path)
        judge.check_call("L01", PUSH, header("L01"))
    twice = {"L01": {"node": node}, "L03": {"node": node}}
    (tmp_path / "members.json").write_text(json.dumps(twice))
    with pytest.raises(OperatorError, match="two codes"):
        read_node_keys(tmp_path)
    judge.check_call("L01", PUSH, header("L01"))
