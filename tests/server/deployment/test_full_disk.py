"""What a full disk at the coordinator, or at a lender, does to neither."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

import client.node.disk
import server.deployment.disk
from server.deployment.forwarding import Forwarding
from server.deployment.run_tasks import RunTasks

SIGN, OTHER = "/v1/fleet/send-node-heartbeat", "/v1/fleet/push-object"


def _full(*given: object, **named: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("disk", [server.deployment.disk, client.node.disk])
def test_a_full_disk_is_told_once_with_the_remedy(
    disk: Callable[..., object] | SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And once that it takes files again; nothing is left behind."""
    watch = disk.DiskWatch(tmp_path)  # type: ignore[union-attr]
    with caplog.at_level(logging.INFO, "lianfang.disk"):
        watch.look()
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", _full)
            watch.look()
            watch.look()
        watch.look()
        watch.look()
    full, again = [record.getMessage() for record in caplog.records]
    assert "No space left on device" in full
    assert "free space" in full
    assert "takes files again" in again
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "status", "told"), [(SIGN, 500, 503), (SIGN, 401, 401), (OTHER, 500, 500)]
)
def test_a_node_is_told_to_ask_again_while_the_superlink_fails(
    path: str, status: int, told: int
) -> None:
    """At a 500 Flower's node would end its signs of life; other answers pass as they are."""
    forwarding = object.__new__(Forwarding)

    async def passed() -> int:
        transport = httpx.MockTransport(lambda request: httpx.Response(status))
        async with httpx.AsyncClient(transport=transport, base_url="https://x") as there:
            forwarding._client = there
            return (await forwarding.post(path, b"", {}, lambda size: None))[0]

    assert asyncio.run(passed()) == told


@pytest.mark.parametrize("status", [500, 503])
def test_a_run_is_not_ended_since_the_superlink_fails(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a SuperLink that says no has ended it."""
    tasks = object.__new__(RunTasks)
    monkeypatch.setattr(tasks, "_client", lambda interceptor: _Failing(status), raising=False)
    task = SimpleNamespace(token="x")
    with pytest.raises(httpx.HTTPStatusError):
        tasks.alive(task)  # type: ignore[arg-type]
    monkeypatch.setattr(tasks, "_client", lambda interceptor: _Failing(403), raising=False)
    assert tasks.alive(task) is False  # type: ignore[arg-type]


class _Failing:
    """A client whose every call is answered with one status."""

    def __init__(self, status: int) -> None:
        self._status = status

    def __enter__(self) -> _Failing:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def SendTaskHeartbeat(self, request: object) -> None:  # noqa: N802 - Flower's name
        answer = httpx.Response(self._status, request=httpx.Request("POST", "https://x"))
        answer.raise_for_status()
