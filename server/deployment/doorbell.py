"""Calls that ask for messages wait at the SuperLink until there may be some.

    node   POST /v1/fleet/pull-messages    waits for a run that pushes
    run    POST /v1/runtime/pull-messages  waits for a node that pushes

Flower's own way is to ask again and again; each time costs the SuperLink some ten milliseconds, and
what came in between lies there until the next time.

Invariants:
- It delays questions and changes none: what is asked and answered is Flower's.
- Nothing waits longer than `LONGEST`, and nothing waits at all whose last call brought something:
  there may be more. So a ring that is missed costs a moment, never a message.
- Who pushes does so in several calls; whoever waits is let go when these have ended, not before.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from server.deployment.asgi import App, Receive, Scope, Send

LONGEST = {"fleet": 3.0, "runtime": 0.5}
"""Seconds that a node waits, and a run: it also looks who is there."""
QUIET_SECONDS = 0.03
_PULLS = {"/v1/fleet/pull-messages": "fleet", "/v1/runtime/pull-messages": "runtime"}
_PUSHES = {
    "/v1/runtime/push-messages": "fleet",
    "/v1/runtime/push-object": "fleet",
    "/v1/fleet/push-messages": "runtime",
    "/v1/fleet/push-object": "runtime",
}
"""Who waits for this."""
_CALLERS = (b"flwr-public-key", b"flwr-task-token")
_MOST_CALLERS = 10_000


@dataclass
class Bell:
    """For those who wait on one side. `rings`: pushes so far; `busy`: pushes under way."""

    rings: int = 0
    busy: int = 0
    last: float = 0.0
    heard: dict[bytes, int] = field(default_factory=dict)
    """Rings there were when a caller's last call began, if that call brought nothing."""
    rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """A push has ended."""
        self.rings += 1
        self.last = time.monotonic()
        self.rung.set()
        self.rung = asyncio.Event()

    async def wait(self, caller: bytes, seconds: float) -> None:
        """Until there may be something for this caller."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.heard.get(caller) != self.rings:
                quiet = self.last + QUIET_SECONDS - time.monotonic()
                if caller not in self.heard or (self.busy == 0 and quiet <= 0):
                    return
                left = min(left, max(quiet, 0.005))
                await asyncio.sleep(left)
                continue
            try:
                await asyncio.wait_for(self.rung.wait(), left)
            except TimeoutError:
                return


class Doorbell:
    """ASGI middleware, inside the SuperLink's process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._bells = {side: Bell() for side in LONGEST}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = str(scope.get("path"))
        if scope["type"] == "http" and path in _PULLS:
            await self._pull(_PULLS[path], scope, receive, send)
        elif scope["type"] == "http" and path in _PUSHES:
            bell = self._bells[_PUSHES[path]]
            bell.busy += 1
            try:
                await self._app(scope, receive, send)
            finally:
                bell.busy -= 1
                bell.ring()
        else:
            await self._app(scope, receive, send)

    async def _pull(self, side: str, scope: Scope, receive: Receive, send: Send) -> None:
        bell, caller = self._bells[side], _caller(scope)
        await bell.wait(caller, LONGEST[side])
        rings, size = bell.rings, 0

        async def measured(event: Any) -> None:
            nonlocal size
            size += len(event.get("body", b""))
            await send(event)

        await self._app(scope, receive, measured)
        if size or len(bell.heard) > _MOST_CALLERS:
            bell.heard.pop(caller, None)
        else:
            bell.heard[caller] = rings


def _caller(scope: Scope) -> bytes:
    headers = dict(scope["headers"])
    return b"|".join(headers.get(name, b"") for name in _CALLERS)
