"""Whoever else is on the machine neither holds up what is watched, nor sees a lender's own."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import client.node.few_callers
import client.node.observing
import server.deployment.few_callers
import server.deployment.observing

BOTH = pytest.mark.parametrize("side", [client.node, server.deployment])
HOST = "127.0.0.1"


def watched(side: Any, folder: Path) -> Any:
    (folder / "flower").mkdir(exist_ok=True)
    (folder / "own").mkdir(exist_ok=True)
    return side.observing.observed(folder, 0)


def status_of(port: int, **headers: str) -> int:
    asked = urllib.request.Request(f"http://{HOST}:{port}/health", headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def dribblers(port: int, count: int) -> list[socket.socket]:
    made = []
    for _ in range(count):
        one = socket.create_connection((HOST, port), timeout=10)
        one.sendall(b"GET /health HTTP/1.1\r\nX: ")
        made.append(one)
    return made


def cut(one: socket.socket) -> bool:
    """Whether it is ended within ten seconds."""
    try:
        return one.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@BOTH
def test_dribbling_callers_are_few_and_hold_nobody_up(side: Any, tmp_path: Path) -> None:
    """Those who came first make room, and whoever is quick is answered (503: nothing runs there);
    the last ones are still heard: the control.
    """
    most = side.few_callers.MOST_CALLERS
    made, before = watched(side, tmp_path), threading.active_count()
    held = dribblers(made.port, 4 * most)
    try:
        assert status_of(made.port) == 503
        assert threading.active_count() - before <= 2 * most
        assert all(cut(one) for one in held[: 2 * most])
        held[-1].sendall(b"a\r\n\r\n")
        assert held[-1].recv(100).startswith(b"HTTP/1.0 503")
    finally:
        for one in held:
            one.close()
        made.stop()


@BOTH
def test_a_busy_caller_is_cut_when_its_time_is_over(
    side: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though it is never silent; it goes without a word. With time it is not cut: the control."""
    made = watched(side, tmp_path)
    (patient,) = dribblers(made.port, 1)
    try:
        patient.settimeout(0.8)
        assert not cut(patient)
        monkeypatch.setattr(side.few_callers, "MOST_SECONDS", 0.1)
        patient.settimeout(10)
        assert cut(patient)
        gone = dribblers(made.port, 1)[0]
        gone.sendall(b"a\r\n\r\n")
        gone.close()
    finally:
        patient.close()
        made.stop()
    assert "Traceback" not in capsys.readouterr().err


def test_what_a_lenders_model_is_worth_is_shown_to_its_own_user_or_for_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's process without it, or with another, is refused; this user's is not: the
    control. The token is the owner's alone and stays the same.
    """
    made = watched(client.node, tmp_path)
    try:
        assert status_of(made.port) == 503
        monkeypatch.setattr(client.node.observing, "is_own", lambda peer, here: False)
        token = (tmp_path / "own/metrics.token").read_text().strip()
        assert status_of(made.port) == 403
        assert status_of(made.port, Authorization=f"Bearer {token[:-1]}") == 403
        assert status_of(made.port, Authorization=f"Bearer {token}") == 503
    finally:
        made.stop()
    assert (tmp_path / "own/metrics.token").stat().st_mode & 0o077 == 0
    watched(client.node, tmp_path).stop()
    assert (tmp_path / "own/metrics.token").read_text().strip() == token
