"""How often strangers may guess, members renew, and how many handshakes one address may hold."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from client import https
from client.joining import join
from server.consortium.members import read_members
from server.deployment import enrolment, entrance
from server.deployment.enrolment import MOST_REFUSALS, WINDOW, EnrolmentDesk, Refusals
from server.deployment.one_request import Request
from server.deployment.seldom import RENEWALS_OF_A_DAY
from server.keys import AUTHORITY, read_certificate
from shared.errors import PeerError
from shared.identity.enrolment_messages import RenewRequest, read_renewal
from shared.identity.invitation import read_invitation
from tests.consortium_folders import asked, enrolling, founded, invited, now, readdressed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    founded(tmp_path / "consortium")
    return tmp_path / "consortium"


def test_who_guesses_waits_and_nobody_else_does(folder: Path, tmp_path: Path) -> None:
    """Ten wrong secrets, and even the right one is not looked at from that address for a while."""
    at = [1000.0]
    desk = EnrolmentDesk(folder, refusals=Refusals(lambda: at[0]))
    with enrolling(folder, desk) as port:
        readdressed(folder, port)
        line = invited(folder)
        invitation = read_invitation(line, now())
        guess = replace(invitation, secret=os.urandom(32)).text()
        request = asked(tmp_path / "guess", guess).content()
        authority = read_certificate(folder / AUTHORITY)

        def status(content: bytes, address: str = "127.0.0.1") -> int:
            return desk.handle(Request("POST", "/v1/enrol", content, address)).status

        told = {
            https.request(
                invitation.address, authority, "POST", "/v1/enrol", request, now=now()
            ).status
            for _ in range(MOST_REFUSALS)
        }
        assert told == {403}
        with pytest.raises(PeerError, match=r"\(429\): too many requests") as caught:
            join(tmp_path / "right", line, now=now())
        assert "10 minutes" in caught.value.remedy
        assert read_members(folder) == {}
        assert status(request, "192.0.2.1") == 403  # looked at: another address
        at[0] += WINDOW + 1
        assert join(tmp_path / "right", line, now=now()).code == "L01"


def test_refusals_of_many_addresses_do_not_fill_the_memory() -> None:
    """Ten thousand addresses are remembered, and the newest of them."""
    refusals = Refusals(lambda: 0.0)
    for number in range(12_000):
        for _ in range(MOST_REFUSALS if number in (0, 11_999) else 1):
            refusals.note(str(number))
    assert len(refusals._times) == 10_000
    assert refusals.full("11999")
    assert not refusals.full("0")


def test_a_member_renews_only_so_often_a_day(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Granted renewals count, another member's and a stranger's do not; another address does not
    help; and joining goes on.
    """
    granted: list[str] = []

    def renewed(_: Path, body: bytes, *given: object, **more: object) -> bytes:
        code = read_renewal(body).code
        if body.endswith(b" "):
            raise PeerError("the signature is not that of the member")
        granted.append(code)
        return b"{}"

    monkeypatch.setattr(enrolment, "renewed", renewed)
    desk = EnrolmentDesk(folder)

    def status(code: str, address: int, end: bytes = b"") -> int:
        fields = dict.fromkeys(RenewRequest.__dataclass_fields__, "x") | {"code": code}
        body = json.dumps(fields).encode() + end
        return desk.handle(Request("POST", "/v1/renew", body, f"192.0.2.{address}")).status

    assert {status("L02", number, b" ") for number in range(RENEWALS_OF_A_DAY + 1)} == {403}
    told = [status("L01", number) for number in range(RENEWALS_OF_A_DAY + 2)]
    assert told == [200] * RENEWALS_OF_A_DAY + [429] * 2
    assert status("L02", 99) == 200
    assert granted.count("L01") == RENEWALS_OF_A_DAY
    assert desk.handle(Request("POST", "/v1/enrol", b"{}", "192.0.2.98")).status == 403


def test_handshakes_that_are_held_open_cost_nobody_else_a_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one address the fourth is ended at once, and another address is answered; with more places
    none is ended: the control.
    """
    monkeypatch.setattr(entrance, "HANDSHAKES_OF_ONE", 3)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    held: list[socket.socket] = []

    def another(port: int) -> socket.socket:
        held.append(socket.create_connection(("127.0.0.1", port), 10))
        return held[-1]

    try:
        with enrolling(folder, EnrolmentDesk(folder)) as port:
            for _ in range(3):
                another(port)
            assert another(port).recv(1) == b""
            caller = http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=10, context=trusting, source_address=("127.0.0.2", 0)
            )
            caller.request("GET", "/v1/authority")
            assert caller.getresponse().status == 200
            caller.close()
            monkeypatch.setattr(entrance, "HANDSHAKES_OF_ONE", 9)
            waits = another(port)
            waits.settimeout(0.2)
            with pytest.raises(TimeoutError):
                waits.recv(1)
    finally:
        for one in held:
            one.close()
