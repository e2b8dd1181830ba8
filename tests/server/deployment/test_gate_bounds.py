"""What one member can make the gate count, log, hold, certify and pass on."""

from __future__ import annotations

import asyncio
import logging
import secrets
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.authority import issue_transport
from server.deployment import gate, member_protocol
from server.deployment.admission import CALLS
from server.deployment.bodies import FLEET, RENEW, UPLOAD, most_of
from server.deployment.forwarding import passed_of
from server.deployment.gate import RENEWALS_OF_A_DAY, Gate
from server.deployment.gate_counts import GateCounts
from server.deployment.handed_questions import HandedQuestions
from server.deployment.member_protocol import CERTIFICATE, MemberProtocol, holder_of
from server.deployment.refused_request import RefusedRequestError
from server.deployment.seldom import Seldom
from server.deployment.uploads import MOST_UNDER_WAY, Uploads
from shared.identity.transport import new_transport_key, transport_public_of
from tests.server.deployment.test_gate_admission import AUTHORITY, NOW, admission, header

PULL = FLEET + "pull-messages"


class _Behind:
    """The SuperLink: keeps what it is told."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    async def post(self, path: str, body: bytes, headers: Any, grow: Any) -> Any:
        self.headers.append(dict(headers))
        return 200, b"", {}


@pytest.fixture
def door(tmp_path: Path) -> Gate:
    """A gate without its network."""
    found: Any = object.__new__(Gate)
    found._folder, found._admission = tmp_path, admission(tmp_path)
    found.counts, found._under_way, found._uploads = GateCounts(), {}, Uploads()
    found._handed = HandedQuestions()
    found._told, found._renewals = Seldom(1, 60.0), Seldom(RENEWALS_OF_A_DAY, 86_400.0)
    found._forwarding, found._clock = _Behind(), lambda: NOW
    return found


def certificate(code: str = "L01") -> bytes:
    public = transport_public_of(new_transport_key(secrets.token_bytes))
    return issue_transport(
        AUTHORITY, code, "lender", public, days=9, now=NOW, random=secrets.token_bytes
    )


def asked(
    door: Gate, path: str, *headers: tuple[str, str], method: str = "POST", body: bytes = b""
) -> int:
    """The status of the answer to a request of L01."""

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        CERTIFICATE: certificate(),
    }
    return asyncio.run(door._answer(Request(scope, receive))).status_code


def test_the_key_that_was_checked_is_the_one_passed_on(door: Gate) -> None:
    """A second key beside it is refused, in either order; alone it goes through as it was checked,
    without headers that are not passed.
    """
    mine, other = ("flwr-public-key", header("L01")), ("flwr-public-key", header("L02"))
    assert asked(door, PULL, mine, other) == 400
    assert asked(door, PULL, other, mine) == 400
    assert asked(door, PULL, mine, mine) == 400
    behind: Any = door._forwarding
    assert behind.headers == []
    assert asked(door, PULL, mine, ("cookie", "a"), ("cookie", "b")) == 200
    assert behind.headers == [{"flwr-public-key": header("L01")}]


def test_every_passed_header_comes_once() -> None:
    """A signature or a time, too."""
    for name in ("flwr-signature", "flwr-timestamp", "content-type"):
        assert passed_of([(name, "a")]) == {name: "a"}
        with pytest.raises(RefusedRequestError, match="more than once"):
            passed_of([(name, "a"), (name, "b")])


def test_paths_that_are_not_there_are_counted_together(door: Gate) -> None:
    """So that counts stay small; the gate's own paths are counted by name."""
    for path in (*CALLS, "/lianfang/terms", "/lianfang/ready"):
        door._count(path)
    known = len(door.counts.requests)
    for number in range(1000):
        door._count(f"/{number}")
        door._count(f"/lianfang/terms/{number}")
    assert len(door.counts.requests) == known + 1 == len(CALLS) + 3
    assert door.counts.requests["other"] == 2000


def test_a_refusal_is_logged_once_a_minute(door: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """For each member and reason; all of them are counted."""
    caplog.set_level(logging.WARNING, "lianfang.gate")
    for _ in range(20):
        asked(door, "/nowhere")
        asked(door, PULL)
    assert len(caplog.records) == 2
    assert door.counts.refused == {"path": 20, "node": 20}


def test_certificates_of_one_code_count_as_one_holder() -> None:
    """A renewed certificate gives no further connections."""
    first, second = certificate(), certificate()
    assert first != second
    assert holder_of(first) == holder_of(second) == "L01"
    assert holder_of(certificate("L02")) == "L02"
    assert holder_of(b"") == holder_of(b"\x30\x00") == ""


def test_connections_are_held_by_code(door: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another certificate each, one member's next connection is ended all the same."""
    monkeypatch.setattr(member_protocol, "CONNECTIONS_OF_ONE", 2)
    monkeypatch.setattr(
        member_protocol.H11Protocol, "connection_made", lambda self, transport: None
    )
    monkeypatch.setattr(MemberProtocol, "_expect", lambda self: None)
    monkeypatch.setattr(H11Protocol, "connection_lost", lambda self, exc: None)
    ended = []

    def connect(code: str) -> Any:
        protocol: Any = object.__new__(MemberProtocol)
        protocol.app = None
        spoken = SimpleNamespace(getpeercert=lambda binary_form: certificate(code))
        protocol.connection_made(
            SimpleNamespace(get_extra_info=lambda _: spoken, abort=lambda: ended.append(code))
        )
        return protocol

    held = [connect("L01"), connect("L01"), connect("L02")]
    assert ended == []
    held.append(connect("L01"))
    assert ended == ["L01"]
    for one in held:
        one.connection_lost(None)
    assert not MemberProtocol.held


def test_a_body_is_as_long_as_its_call_needs(door: Gate) -> None:
    """By what its head says before any of it is read, else as it comes; an upload may be as long as
    a whole reply: the control.
    """
    own, small = ("flwr-public-key", header("L01")), b"x" * (most_of(PULL) + 1)
    assert asked(door, PULL, own, body=small) == 413
    assert asked(door, PULL, own, body=small[1:]) == 200
    assert asked(door, PULL, own, ("content-length", str(len(small)))) == 413
    assert asked(door, PULL, own, ("content-length", "9" * 6000)) == 413
    assert asked(door, RENEW, body=small) == 413
    assert asked(door, UPLOAD, own, body=small) == 400
    assert door._uploads.under_way == {"L01": 0}


def test_bytes_of_one_member_under_way_are_bounded() -> None:
    """Another member's are its own; what is over is free again."""
    uploads = Uploads()
    with uploads.body("L01") as first, uploads.body("L02") as other:
        first.grow(MOST_UNDER_WAY)
        other.grow(MOST_UNDER_WAY)
        with uploads.body("L01") as second, pytest.raises(RefusedRequestError, match="under way"):
            second.grow(1)
    with uploads.body("L01") as again:
        again.grow(1)


def test_renewals_of_a_day_are_bounded(door: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were granted count; another member's do not."""
    monkeypatch.setattr(gate, "read_renewal", lambda body: SimpleNamespace(code="L01"))
    monkeypatch.setattr(gate, "_handler", lambda *_: lambda folder, body, now: b"{}")
    statuses = [asked(door, "/lianfang/renew") for _ in range(RENEWALS_OF_A_DAY + 1)]
    assert statuses == [200] * RENEWALS_OF_A_DAY + [429]
    assert not door._renewals.full("L02")


def test_seldom_lets_it_happen_again_later() -> None:
    """After its seconds, each name for itself; names that are over are forgotten."""
    now = [0.0]
    seldom = Seldom(2, 10.0, lambda: now[0])
    assert [seldom.take("a") for _ in range(3)] == [True, True, False]
    assert seldom.take("b")
    now[0] = 10.0
    assert seldom.take("a")
    for number in range(10_000):
        seldom.take(number)
    now[0] = 20.0
    seldom.take("c")
    assert len(seldom._taken) == 1
