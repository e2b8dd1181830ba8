"""Flower's SuperLink as we run it: on loopback, with process isolation, its Control API guarded.

Invariants:
- The Control API, which knows no users, answers only who shows the secret of the folder.
- It never runs an app itself, installs nothing, and its nodes sign what they ask.
"""

from __future__ import annotations

import hmac
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from server.deployment.asgi import App, Receive, Scope, Send
from server.deployment.doorbell import Doorbell
from server.deployment.flower import ENVIRONMENT
from server.deployment.loopback import HEADER, HOST, Loopback

CLEAN_SECONDS = 0.5
_OPEN = ("/v1/fleet/", "/v1/runtime/")
"""Guarded by Flower itself: nodes sign, runs hold tokens, the executor the SuperExec secret."""
_ABOUT = {"Control": "/v1/control/", "Fleet": "/v1/fleet/", "NodeAuth": "/v1/fleet/"}
"""The calls that a middleware of Flower's is about, by the beginning of its name."""


class Guard:
    """Lets calls to the Control API through that carry the secret, and refuses what is unknown."""

    def __init__(self, app: App, secret: str) -> None:
        self._app = app
        self._secret = secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or self._admitted(scope):
            await self._app(scope, receive, send)
            return
        body = b'{"error": "this call needs the secret of the coordinator\'s folder"}'
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _admitted(self, scope: Scope) -> bool:
        path = str(scope["path"])
        if path == "/health" or path.startswith(_OPEN):
            return True
        shown = dict(scope["headers"]).get(HEADER.encode(), b"")
        return hmac.compare_digest(shown, self._secret)


class Only:
    """A middleware that is used for calls under `prefix`, and passed by for others: Flower's own
    ones each cost half a millisecond, also where they have nothing to do.
    """

    def __init__(self, app: App, prefix: str, made: Callable[..., App], **given: Any) -> None:
        self._app, self._prefix = app, prefix
        self._used = made(app, **given)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        used = scope["type"] != "http" or str(scope["path"]).startswith(self._prefix)
        await (self._used if used else self._app)(scope, receive, send)


def _narrowed(middleware: list[Middleware]) -> list[Middleware]:
    """Flower's middleware, each for the calls that it is about."""
    made = []
    for one in middleware:
        name = getattr(one.cls, "__name__", "")
        prefix = next((path for part, path in _ABOUT.items() if name.startswith(part)), None)
        narrow: Any = Only  # starlette's types want a function
        made.append(one if prefix is None else Middleware(narrow, prefix, one.cls, **one.kwargs))
    return made


def _sometimes(clean: Callable[[Any], None]) -> Callable[[Any], None]:
    """Flower looks for runs that went silent in every call, with a write to its database; twice a
    second is enough for what is counted in minutes.
    """
    last = 0.0

    def cleaned(state: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= CLEAN_SECONDS:
            last = time.monotonic()
            clean(state)

    return cleaned


def arguments(loopback: Loopback) -> list[str]:
    """Of Flower's own command."""
    return [
        *("--host", HOST, "--port", str(loopback.port)),
        *("--ssl-ca-certfile", str(loopback.certificate)),
        *("--ssl-certfile", str(loopback.certificate), "--ssl-keyfile", str(loopback.key)),
        *("--enable-supernode-auth", "--disable-runtime-dependency-installation"),
        *("--database", str(loopback.database), "--isolation", "process"),
        *("--superexec-auth-secret-file", str(loopback.superexec_secret)),
    ]


def main(folder: Path) -> int:
    """Run until told to stop."""
    os.environ.update(ENVIRONMENT)
    from flwr.supercore.corestate.sql_corestate import SqlCoreState
    from flwr.superlink import main as superlink
    from flwr.superlink.cli.flower_superlink import flower_superlink

    loopback = Loopback(folder)
    secret, create = loopback.control_secret(), superlink.create_app

    def guarded(*given: Any, **named: Any) -> Any:
        app = create(*given, **named)
        app.add_middleware(Doorbell)
        app.add_middleware(Guard, secret=secret)  # the outer one
        return app

    superlink.create_app = guarded
    middleware = superlink._get_middleware
    superlink._get_middleware = lambda: _narrowed(middleware())
    state: Any = SqlCoreState
    state._cleanup_expired_task_tokens = _sometimes(state._cleanup_expired_task_tokens)
    os.umask(0o077)
    sys.argv = ["flower-superlink", *arguments(loopback)]
    flower_superlink()
    return 0
