"""Whoever answers at an address holds a lender's commands and threads up for so long, no longer."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from client import deadline, https
from client.https import UnreachableError, pinned_authority
from client.node import terms_poll
from client.node.heartbeat import Heartbeat, silences
from client.node.mutual import Mutual
from client.node.terms_poll import TermsPoll
from shared.errors import PeerError
from shared.identity.loopback import loopback_pair
from tests.client.test_terms import OURS

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"


@contextmanager
def dribbling(folder: Path, times: int | None) -> Iterator[int]:
    """Answers one request over TLS with so many interim answers, or without end, then properly."""
    for name, text in zip(
        ("own.crt", "own.key"), loopback_pair(secrets.token_bytes, datetime.now(UTC)), strict=True
    ):
        (folder / name).write_bytes(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.crt", folder / "own.key")
    listening, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        plain, _ = listening.accept()
        try:
            with context.wrap_socket(plain, server_side=True) as spoken:
                spoken.recv(1000)
                sent = 0
                while times is None or sent < times:
                    spoken.sendall(CONTINUE)
                    sent += 1
                    if over.wait(0.05):
                        return
                spoken.sendall(ANSWER)
        except OSError:
            plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        over.set()
        listening.close()
        thread.join(10)


def test_an_answer_that_never_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each receive is quick, the whole is not. One with a few interim answers is read: the control
    (and refused for what it says).
    """
    monkeypatch.setattr(https, "SECONDS", 0.2)
    with dribbling(tmp_path, None) as port, pytest.raises(UnreachableError, match="TimeoutError"):
        pinned_authority(f"127.0.0.1:{port}", bytes(32))
    monkeypatch.setattr(https, "SECONDS", 20.0)
    with dribbling(tmp_path, 2) as port, pytest.raises(PeerError, match="another authority"):
        pinned_authority(f"127.0.0.1:{port}", bytes(32))


class _Trusting(Mutual):
    """Believes any gate."""

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def check(self, certificate: bytes | None) -> None:
        pass


def test_the_gate_does_not_hold_the_terms_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that never ends is given up, and /health hears of the thread; one that ends is
    taken: the control.
    """
    monkeypatch.setattr(terms_poll, "_MOST_SECONDS", 0.5)
    poll: Any
    with dribbling(tmp_path, None) as port:
        poll = TermsPoll(tmp_path, _Trusting(tmp_path), f"127.0.0.1:{port}", OURS)
        with pytest.raises(TimeoutError):
            poll._get("/lianfang/terms")
        poll._close()
    assert "terms" in silences(tmp_path)
    monkeypatch.setattr(terms_poll, "_MOST_SECONDS", 30.0)
    with dribbling(tmp_path, 2) as port:
        poll = TermsPoll(tmp_path, _Trusting(tmp_path), f"127.0.0.1:{port}", OURS)
        assert poll._get("/lianfang/terms") == b"[]"
        poll._close()


def test_what_was_cut_is_not_taken_for_an_end() -> None:
    """An end that comes of the deadline raises, also where the body returned; without one the
    body's own error is raised: the control.
    """
    here, there = socket.socketpair()
    with here, there, pytest.raises(TimeoutError), deadline.ended_after(here, 0.05):
        assert here.recv(1) == b""
    here, there = socket.socketpair()
    with here, there:
        with pytest.raises(KeyError), deadline.ended_after(here, 60.0):
            raise KeyError
        there.sendall(b"x")
        assert here.recv(1) == b"x"


def test_a_clock_that_was_set_back_hides_nobody(tmp_path: Path) -> None:
    """A sign from the future is as old as it is far; a sign of now is new: the control."""
    Heartbeat(tmp_path, "terms").beat()
    made = (tmp_path / "own/node/alive/terms").stat().st_mtime
    assert silences(tmp_path, lambda: made - 3600.0)["terms"] > 3000
    assert silences(tmp_path, lambda: made + 1.0)["terms"] < 2
