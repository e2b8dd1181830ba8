"""Whatever comes over the wire, the gate answers or closes, keeps nothing of it, and serves on."""

from __future__ import annotations

import logging
import os
import random
import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from server.deployment import held_answer, member_protocol, uploads
from server.deployment.admission import CALLS, NODE_KEY
from server.deployment.member_protocol import MemberProtocol
from tests.server.deployment.gate_attacks import ATTACKS, PREFACE, request
from tests.server.deployment.open_gate import OpenGate, answer_on, open_gate


class Behind:
    """The SuperLink: keeps what is passed on, answers `size` bytes."""

    def __init__(self) -> None:
        self.passed: list[tuple[str, dict[str, str]]] = []
        self.size = 0

    async def post(self, path: str, body: bytes, headers: Any, grow: Any) -> Any:
        self.passed.append((path, dict(headers)))
        grow(self.size)
        return 200, b"\1" * self.size, {}

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpenGate, Behind]]:
    behind = Behind()
    with open_gate(tmp_path_factory.mktemp("gate"), behind) as made:
        yield made, behind


def files() -> int:
    """Handles of this process, the gate's among them."""
    return len(os.listdir("/proc/self/fd"))


def memory() -> int:
    """Bytes of this process that are in use."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


def settled(door: OpenGate, most: int) -> None:
    """Waits until handles are as few again, and nothing counts as under way."""
    until = time.monotonic() + 60
    while files() > most or any(door.gate._uploads.under_way.values()):
        assert time.monotonic() < until, (files(), most, door.gate._uploads.under_way)
        time.sleep(0.05)


def attacked(door: OpenGate, behind: Behind, number: int, seed: int) -> None:
    """So many attacks, with an honest call after each on a connection that was there before."""
    drawn = random.Random(seed)
    behind.passed.clear()
    with door.connected("L02") as honest:
        call = request(door).replace(
            door.key_header("L01").encode(), door.key_header("L02").encode()
        )
        before = files()
        for count in range(number):
            attack = drawn.choice(ATTACKS)
            attack(door, drawn)
            honest.sendall(call)
            assert answer_on(honest).status == 200, (seed, count, attack)
            if count % 25 == 0:
                assert door.asked(call, "L02").status == 200
        settled(door, before)
    own = {code: door.key_header(code) for code in ("L01", "L02")}
    for path, headers in behind.passed:
        assert path in CALLS
        assert headers[NODE_KEY] in own.values()


@pytest.mark.filterwarnings("default")
def test_the_gate_outlives_whatever_comes_over_the_wire(
    door: tuple[OpenGate, Behind], caplog: pytest.LogCaptureFixture
) -> None:
    """TLS, HTTP/1 and HTTP/2 that are broken, cut, or too much: an honest member is answered after
    each, handles and bytes are all given back, and nothing of it is an error of the gate's own.
    """
    caplog.set_level(logging.ERROR)
    before = memory()
    attacked(*door, 120, seed=11)
    assert memory() - before < 100 << 20
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


@pytest.mark.soak
def test_the_gate_outlives_whatever_comes_for_long(door: tuple[OpenGate, Behind]) -> None:
    """Twenty thousand attacks; the seed is told."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    before = memory()
    attacked(*door, 20_000, seed)
    assert memory() - before < 200 << 20


def test_http2_is_not_spoken_at_all(door: tuple[OpenGate, Behind]) -> None:
    """So a flood of CONTINUATION meets nothing that would put it together: the end of its preface
    ends the connection. Control: the same connection begun in HTTP/1.1 is answered.
    """
    opened, behind = door
    passed = len(behind.passed)
    with opened.connected() as line, suppress(ConnectionError, ssl.SSLError):
        line.sendall(PREFACE + b"\0" * 100_000)
        told = b""
        while piece := line.recv(1 << 16):
            told += piece
        assert b"HTTP/1.1 200" not in told
    assert len(behind.passed) == passed
    assert opened.asked(request(opened)).status == 200
    with opened.connected() as line:
        assert line.selected_alpn_protocol() is None


@pytest.mark.parametrize("sent", ["head", "body", "chunks"])
def test_a_request_that_does_not_end_is_ended(
    sent: str, door: tuple[OpenGate, Behind], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the gate, whatever part of it dribbles. Control: with the usual time it is still open."""
    opened, _ = door
    whole = {
        "head": request(opened)[:-2],
        "body": request(opened, b"content-length: 9\r\n", b"x"),
        "chunks": request(opened, b"transfer-encoding: chunked\r\n", b"1\r\nx\r\n"),
    }[sent]
    with opened.connected() as line:
        line.settimeout(0.3)
        line.sendall(whole)
        with pytest.raises(TimeoutError):
            line.recv(1)
    monkeypatch.setattr(member_protocol, "REQUEST_SECONDS", 0.1)
    with opened.connected() as line:
        line.sendall(whole)
        with suppress(ConnectionError):
            assert line.recv(1) == b""


def test_who_asks_and_does_not_read_uses_up_its_own_bound(
    door: tuple[OpenGate, Behind], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that are not taken count as under way; what is too much is refused, another member's
    is not. Control: with a larger bound it is held.
    """
    opened, behind = door
    size = 8 << 20
    monkeypatch.setattr(uploads, "MOST_UNDER_WAY", 3 * size)
    monkeypatch.setattr(behind, "size", size)
    with ExitStack() as lines:
        kept = [lines.enter_context(opened.connected()) for _ in range(3)]
        for line in kept:
            line.sendall(request(opened))
            assert line.recv(1)  # its answer has begun
        assert opened.gate._uploads.under_way["L01"] == 3 * size
        assert opened.asked(request(opened)).status == 429
        others = request(opened).replace(
            opened.key_header("L01").encode(), opened.key_header("L02").encode()
        )
        assert len(opened.asked(others, "L02").body) == size
        monkeypatch.setattr(uploads, "MOST_UNDER_WAY", 4 * size)
        assert len(opened.asked(request(opened)).body) == size
    settled(opened, files())


def test_an_answer_that_is_not_taken_is_given_up(
    door: tuple[OpenGate, Behind], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its bytes are free again. Control: with the usual time they are still held, though a
    second question came on the same connection.
    """
    opened, behind = door
    monkeypatch.setattr(behind, "size", 40 * held_answer.PIECE)

    def silent(line: Any) -> None:
        line.sendall(request(opened) * 2)
        assert line.recv(1)

    with opened.connected() as line:
        silent(line)
        time.sleep(0.3)
        assert opened.gate._uploads.under_way["L01"] == behind.size
    settled(opened, files())
    monkeypatch.setattr(member_protocol, "TAKEN_SECONDS", 0.1)
    with opened.connected() as line:
        silent(line)
        until = time.monotonic() + 20
        while MemberProtocol.held["L01"]:
            assert time.monotonic() < until
            time.sleep(0.01)
    settled(opened, files())


def test_who_goes_in_mid_request_is_no_fault_of_the_gates(
    door: tuple[OpenGate, Behind], caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and the log has no trace of it; the control is the count."""
    opened, _ = door
    caplog.set_level(logging.WARNING)
    gone = opened.gate.counts.refused["gone"]
    with opened.connected() as line:
        line.sendall(request(opened, b"content-length: 60000\r\n", b"x"))
        until = time.monotonic() + 20
        while not opened.gate._under_way.get("L01"):
            assert time.monotonic() < until
            time.sleep(0.01)
    while opened.gate.counts.refused["gone"] == gone:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert not caplog.records
