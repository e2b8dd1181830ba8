"""Calls for messages wait until there may be some; none is held for long, none is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.deployment import doorbell
from server.deployment.doorbell import Doorbell
from server.deployment.superlink import Guard

PULL, PUSH = "/v1/fleet/pull-messages", "/v1/runtime/push-object"


class Inner:
    """What is behind the door: gives one body after another to pulls, and notes when."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        body = self.bodies.pop(0) if scope["path"] == PULL and self.bodies else b""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


async def call(app: Any, path: str, headers: dict[str, str] | None = None) -> int:
    """One request; its status."""
    got: list[Any] = []

    async def send(event: Any) -> None:
        got.append(event)

    pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await app({"type": "http", "path": path, "headers": pairs}, None, send)
    return int(got[0]["status"])


def run(story: Callable[[], Awaitable[None]]) -> None:
    """An asynchronous test."""
    asyncio.run(story())  # type: ignore[arg-type]


def test_who_got_nothing_waits_until_somebody_pushed() -> None:
    """And then for the push to be over; the first call does not wait."""

    async def story() -> None:
        inner = Inner(b"", b"message")
        door = Doorbell(inner)
        await call(door, PULL)
        waiting = asyncio.create_task(call(door, PULL))
        await asyncio.sleep(0.05)
        assert inner.asked == [PULL]
        await call(door, PUSH)
        assert await asyncio.wait_for(waiting, 2.0) == 200
        assert inner.asked == [PULL, PUSH, PULL]

    run(story)


def test_who_got_something_is_not_held_back() -> None:
    """There may be more; nor is whoever missed a push."""

    async def story() -> None:
        inner = Inner(b"one", b"two", b"")
        door = Doorbell(inner)
        for _ in range(3):
            await asyncio.wait_for(call(door, PULL), 1.0)
        await call(door, PUSH)
        await asyncio.wait_for(call(door, PULL), 1.0)
        assert inner.asked.count(PULL) == 4

    run(story)


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while somebody pushes all the time."""
    monkeypatch.setitem(doorbell.LONGEST, "fleet", 0.2)

    async def story() -> None:
        door = Doorbell(Inner())
        await call(door, PULL)
        began = time.monotonic()
        await call(door, PULL)
        assert time.monotonic() - began >= 0.2
        door._bells["fleet"].busy = 1
        door._bells["fleet"].ring()
        assert await asyncio.wait_for(call(door, PULL), 5.0) == 200

    run(story)


def test_the_guard_passes_flowers_own_and_what_shows_the_secret() -> None:
    """Everything else is refused before Flower sees it."""

    async def story() -> None:
        inner = Inner()
        guard = Guard(inner, "ours")
        for path in (PULL, PUSH, "/health"):
            assert await call(guard, path) == 200
        seen = len(inner.asked)
        for path in ("/v1/control/start-run", "/docs", "/openapi.json", "/", "/v1/fleet"):
            assert await call(guard, path) == 403
            assert await call(guard, path, {"x-lianfang-control": "our"}) == 403
        assert len(inner.asked) == seen
        assert await call(guard, "/v1/control/start-run", {"x-lianfang-control": "ours"}) == 200

    run(story)
