"""Joining over a real TLS socket, and what strangers, guessers and men in the middle get there."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from client import https, joining
from client.joining import join
from server.consortium.renewal import renew_own
from server.deployment.enrolment import (
    EnrolmentDesk,
    listening_at,
    serve_enrolment,
)
from server.deployment.one_request import Request, Response
from server.keys import AUTHORITY, read_certificate
from shared.errors import OperatorError, PeerError
from shared.identity.enrolment import digest_of
from shared.identity.enrolment_messages import MOST_REQUEST
from shared.identity.invitation import read_invitation
from shared.identity.pem import private_from_pem
from tests.consortium_folders import asked, enrolling, founded, invited, now, readdressed


class Recorded(EnrolmentDesk):
    """Keeps what came, and what went back."""

    def __init__(self, folder: Path, **more: object) -> None:
        super().__init__(folder, **more)  # type: ignore[arg-type]
        self.requests: list[Request] = []
        self.seen = b""

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        self.requests.append(request)
        self.seen += request.path.encode() + request.body + response.body
        return response


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    founded(tmp_path / "consortium")
    return tmp_path / "consortium"


@contextmanager
def running(folder: Path, **more: object) -> Iterator[Recorded]:
    """The endpoint, in invitations from now on."""
    desk = Recorded(folder, **more)
    with enrolling(folder, desk) as port:
        readdressed(folder, port)
        yield desk


def test_a_lender_joins_over_the_network_and_no_private_key_leaves(
    folder: Path, tmp_path: Path
) -> None:
    """Neither key nor secret is in any byte of the exchange; the control finds the public key."""
    home = tmp_path / "L01"
    with running(folder) as desk:
        line = invited(folder)
        joined = join(home, line, now=now(), table="loans.csv")
    assert joined.code == "L01"
    assert [one.path for one in desk.requests] == ["/v1/authority", "/v1/enrol"]
    for name in ("identity.key", "transport.key", "node.key"):
        for part in (home / "own" / name).read_bytes().splitlines()[1:-1]:
            assert part not in desk.seen
    raw = private_from_pem((home / joining.IDENTITY_KEY).read_bytes())
    assert raw not in desk.seen
    assert raw.hex().encode() not in desk.seen
    secret = read_invitation(line, now()).secret
    assert secret.hex().encode() not in desk.seen
    assert secret not in desk.seen
    assert line.encode() not in desk.seen
    assert joined.public.hex().encode() in desk.seen


def test_an_invitation_used_twice_is_refused_and_a_repetition_answered(
    folder: Path, tmp_path: Path
) -> None:
    """The second folder gets nothing; the first, whose answer was lost, goes on."""
    with running(folder) as desk:
        line = invited(folder)
        request = asked(tmp_path / "first", line)
        authority = read_certificate(folder / AUTHORITY)
        address = read_invitation(line, now()).address
        reply = https.request(address, authority, "POST", "/v1/enrol", request.content(), now=now())
        assert reply.status == 200  # and is lost
        with pytest.raises(PeerError, match="used before, with other keys"):
            join(tmp_path / "second", line, now=now())
        assert not (tmp_path / "second" / "client.toml").exists()
        assert join(tmp_path / "first", line, now=now()).code == "L01"
    assert desk.requests[-1].body == request.content()


def test_a_man_in_the_middle_with_another_authority_sees_nothing(
    folder: Path, tmp_path: Path
) -> None:
    """He answers with his own consortium of the same name: the lender stops after his certificate,
    and has sent nothing. Control: with his digest in the invitation he gets the request.
    """
    other = tmp_path / "his"
    founded(other)
    with running(other) as his:
        invitation = read_invitation(invited(folder), now())
        address = read_invitation(invited(other), now()).address
        redirected = replace(invitation, address=address)
        with pytest.raises(PeerError, match="another authority than the one that invited") as found:
            join(tmp_path / "L01", redirected.text(), now=now())
        assert "telephone" in found.value.remedy
        assert [(one.method, one.body) for one in his.requests] == [("GET", b"")]
        assert not (tmp_path / "L01" / "authority.crt").exists()
        theirs = digest_of(read_certificate(other / AUTHORITY))
        with pytest.raises(PeerError, match="no open invitation"):
            join(tmp_path / "fooled", replace(redirected, authority=theirs).text(), now=now())
        assert len(his.requests[-1].body) > 500


def test_a_man_in_the_middle_who_shows_the_right_authority_fails_at_tls(
    folder: Path, tmp_path: Path
) -> None:
    """The authority's certificate is public; a key under it he has not. A lender's own certificate
    under the right authority does not do either. Control: without checks the request reaches him.
    """
    other = tmp_path / "his"
    founded(other)
    shutil.copyfile(folder / AUTHORITY, tmp_path / "public.crt")
    real = (tmp_path / "public.crt").read_bytes()

    class Relaying(Recorded):
        def handle(self, request: Request) -> Response:
            response = super().handle(request)
            return Response(200, real) if request.method == "GET" else response

    desk = Relaying(other)
    with enrolling(other, desk) as port:
        readdressed(folder, port)
        line = invited(folder)
        with pytest.raises(PeerError, match="does not show a certificate of the consortium's"):
            join(tmp_path / "L01", line, now=now())
        assert {one.method for one in desk.requests} == {"GET"}
        context = https._context()
        context.verify_mode = ssl.CERT_NONE
        open_door = https._connected(f"127.0.0.1:{port}", context)
        body = asked(tmp_path / "L01", line).content()
        https._asked(open_door, "", "POST", "/v1/enrol", body, 10_000)
        assert desk.requests[-1].body == body


def test_a_member_cannot_pose_as_the_coordinator(folder: Path, tmp_path: Path) -> None:
    """A lender's transport certificate is the right authority's, and a lender's."""
    with running(folder):
        join(tmp_path / "L01", invited(folder), now=now())
    shutil.copyfile(tmp_path / "L01" / "transport.crt", folder / "transport.crt")
    shutil.copyfile(tmp_path / "L01" / "own" / "transport.key", folder / "own" / "transport.key")
    with running(folder) as desk:
        with pytest.raises(PeerError, match="answers the lender L01, no coordinator"):
            join(tmp_path / "L02", invited(folder, "L02"), now=now())
        assert {one.method for one in desk.requests} == {"GET"}


def connected(port: int, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLSocket:
    """A connection of somebody who checks nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_2")
def test_who_is_silent_ends_and_stops_nobody(folder: Path, tmp_path: Path) -> None:
    """Connections without TLS, without a request, and with half of one; a lender joins meanwhile.
    Older TLS is refused.
    """
    with enrolling(folder, seconds=0.5) as port:
        readdressed(folder, port)
        bare = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(3)]
        silent = [connected(port) for _ in range(3)]
        silent[0].sendall(b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
        assert join(tmp_path / "L01", invited(folder), now=now()).code == "L01"
        for one in silent:
            assert one.recv(100) == b""
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connected(port, ssl.TLSVersion.TLSv1_2)
        for one in (*silent, *bare):
            one.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 20_000, 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"PUT /v1/enrol HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 403),
        (b"POST /v1/renew HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n\xff\xfe", 403),
        (b"\x00\x01\x02 garbage\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000, 400),
    ],
)  # fmt: skip
def test_a_strange_request_gets_a_named_refusal(folder: Path, sent: bytes, status: int) -> None:
    """Too large, nowhere, path characters, wrong method, wrong form, no HTTP, endless head."""
    with enrolling(folder) as port, connected(port) as stranger:
        stranger.sendall(sent)
        answer = http.client.HTTPResponse(stranger)
        answer.begin()
        assert answer.status == status
        assert len(answer.read()) < MOST_REQUEST


def test_a_renewed_certificate_is_shown_from_the_next_connection_on(folder: Path) -> None:
    """The endpoint need not be started again; another key is taken with it."""
    with enrolling(folder) as port:
        with connected(port) as before:
            first = before.getpeercert(binary_form=True)
        renew_own(folder, "coordinator", days=30, now=now(), random=os.urandom, new_key=True)
        with connected(port) as after:
            assert after.getpeercert(binary_form=True) == read_certificate(folder / "transport.crt")
            assert after.getpeercert(binary_form=True) != first


def test_without_its_key_the_endpoint_says_how_to_join_all_the_same(
    folder: Path, tmp_path: Path
) -> None:
    """Nothing of the coordinator's own trouble is told to strangers."""
    with running(folder):
        line = invited(folder)
        shutil.move(folder / "authority", tmp_path / "usb")
        with pytest.raises(PeerError, match=r"\(503\): the coordinator cannot certify now") as told:
            join(tmp_path / "L01", line, now=now())
        assert "--offline" in told.value.remedy
        assert str(folder) not in str(told.value)


def test_nobody_answers(folder: Path, tmp_path: Path) -> None:
    """Said with the address; the keys stay, and the same line works when somebody does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        readdressed(folder, free.getsockname()[1])
    line = invited(folder)
    with pytest.raises(https.UnreachableError, match=r"127.0.0.1:\d+ does not answer"):
        join(tmp_path / "L01", line, now=now())
    key = (tmp_path / "L01" / joining.IDENTITY_KEY).read_bytes()
    assert asked(tmp_path / "L01", line).code == "L01"
    assert (tmp_path / "L01" / joining.IDENTITY_KEY).read_bytes() == key


def test_an_address_that_is_taken_is_named(folder: Path) -> None:
    with enrolling(folder) as port, pytest.raises(OperatorError, match="cannot be served"):
        serve_enrolment(folder, f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1:8444", "127.0.0.1"),
        ("[::1]:8444", "::1"),
        ("localhost:8444", "localhost"),
        ("coordinator.example:8444", ""),
    ],
)
def test_it_listens_at_a_number_and_everywhere_for_a_name(address: str, host: str) -> None:
    assert listening_at(address) == (host, 8444)


def test_it_tells_whether_it_still_answers(folder: Path) -> None:
    """Not when it listens no more, though its process runs; nor when its thread is stuck."""
    service = serve_enrolment(folder, "127.0.0.1:0")
    try:
        assert service.answering()
        free = threading.Event()
        service._loop.call_soon_threadsafe(free.wait)
        assert not service.answering(0.1)
        free.set()
        service._loop.call_soon_threadsafe(service._server.close)
        assert not service.answering()
    finally:
        service.stop()
