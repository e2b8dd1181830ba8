"""Flower's SuperNode as we run it: at the sidecar, with process isolation, quick while a run is on.

Invariants:
- Nothing of a bundle is unpacked here: a run's configuration is none of the lender's business.
- It signs with the node's own key, and never speaks to the coordinator but through the sidecar.
- What the coordinator sends is bounded while it comes: an answer, and a question's parts together.
  A question that is refused, or said in a way that cannot be read, is left; the next one is taken.
- A registration that an earlier process left open is taken back first, and the coordinator is given
  time to see that: it then asks again what that process took with it.
- A reply whose parts do not all come is given up: its executor was killed meanwhile, and Flower
  would hear nothing else for minutes. The coordinator asks again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from client.files import write_whole
from client.node.bounded_answers import KeptAnswers, OneQuestion, TooMuchError, with_bounds
from client.node.flower import ENVIRONMENT, MOST_MISSING, look_often
from client.node.heartbeat import Heartbeat
from client.node.loopback import HOST, Loopback
from shared.errors import LianfangError

SHORTEST_PAUSE, LONGEST_PAUSE, SHARE = 0.02, 1.0, 0.05
"""Seconds between looks: a share of the time since something last came, within these bounds."""
_log = logging.getLogger("lianfang.node")
FIRST_WAIT, LONGEST_WAIT = 0.3, 5.0
"""Seconds between looks whether the coordinator is up."""
_UNREADABLE = (TooMuchError, ValueError, TypeError, LookupError, AttributeError)
_ACQUIRE, _STEP_SECONDS = "/v1/runtime/acquire-task", 2.0
GONE_SECONDS = 2.5
"""The coordinator looks every second who is there."""


class Pace:
    """In place of Flower's fixed pauses of 3 and 0.5 seconds. `fresh`: a message is there that the
    executor has not fetched.
    """

    def __init__(self, heart: Heartbeat | None = None) -> None:
        self._last = time.monotonic()
        self._heart = heart
        self.fresh = True

    def on(self) -> None:
        """The loop gets on."""
        if self._heart is not None:
            self._heart.beat()

    def sleep(self, seconds: float) -> None:
        """Flower's `time.sleep`, in its loop."""
        self.on()
        waited = time.monotonic() - self._last
        pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, SHARE * waited))
        time.sleep(min(seconds, pause))

    def came(self) -> None:
        """A message is there: look often for a while."""
        self._last = time.monotonic()
        self.fresh = True


class LostReplyError(Exception):
    """A part of a reply that its executor does not bring any more."""


class Brought:
    """Flower's store of parts, as its loop sees it while it hands on a reply. `most`: seconds for
    a part that is waited for.
    """

    def __init__(self, store: Any, most: float = MOST_MISSING) -> None:
        self._store = store
        self._most = most
        self._since: dict[str, float] = {}

    def get(self, name: str) -> bytes | None:
        """As the store's: b"" while the part is on its way. LostReplyError when it never comes."""
        content: bytes | None = self._store.get(name)
        if content != b"":
            self._since.pop(name, None)
        elif time.monotonic() - self._since.setdefault(name, time.monotonic()) > self._most:
            raise LostReplyError("a part of a reply did not come; it is asked again")
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Doorstep:
    """ASGI middleware of the SuperNode's own server: the executor's question for a task waits there
    until there may be one, and is not asked again and again.
    """

    def __init__(self, app: Any, pace: Pace) -> None:
        self._app = app
        self._pace = pace

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["path"] != _ACQUIRE:
            await self._app(scope, receive, send)
            return
        until, size = time.monotonic() + _STEP_SECONDS, 0
        while not self._pace.fresh and time.monotonic() < until:
            await asyncio.sleep(SHORTEST_PAUSE)

        async def measured(event: Any) -> None:
            nonlocal size
            size += len(event.get("body", b""))
            await send(event)

        await self._app(scope, receive, measured)
        if size:
            self._pace.fresh = False


def arguments(loopback: Loopback) -> list[str]:
    """Of Flower's own command."""
    return [
        *("--root-certificates", str(loopback.certificate)),
        *("--superlink", loopback.address("sidecar")),
        *("--auth-supernode-private-key", str(loopback.node_key)),
        *("--isolation", "process", "--host", HOST, "--port", str(loopback.port("supernode"))),
        *("--ssl-ca-certfile", str(loopback.certificate)),
        *("--ssl-certfile", str(loopback.certificate), "--ssl-keyfile", str(loopback.key)),
        *("--superexec-auth-secret-file", str(loopback.superexec_secret)),
    ]


def main(folder: Path) -> int:
    """Run until told to stop."""
    os.environ.update(ENVIRONMENT)
    os.umask(0o077)
    look_often()
    from flwr.supernode import fleet_http_connection as fleet
    from flwr.supernode import main as server
    from flwr.supernode import start_client_internal as loop
    from flwr.supernode.cli.flower_supernode import flower_supernode

    loopback, pace = Loopback(folder), Pace(Heartbeat(folder, "supernode"))
    create = server.create_app

    def created(*given: Any, **named: Any) -> Any:
        app = create(*given, **named)
        app.add_middleware(Doorstep, pace=pace)
        return app

    setattr(server, "create_app", created)  # noqa: B010 - a module's name
    changed: Any = loop  # a module's names, replaced where Flower has no setting
    changed.time = SimpleNamespace(sleep=pace.sleep)
    speaking: Any = fleet
    speaking.FleetHttpClient = with_bounds(speaking.FleetHttpClient)
    changed.get_fused_config_from_fab = lambda *given: {}
    changed.http_request_response = _connected(changed.http_request_response, loopback, pace)
    changed._push_messages = bounded(changed._push_messages)
    sys.argv = ["flower-supernode", *arguments(loopback)]
    flower_supernode()
    return 0


def bounded(hand_on: Callable[..., None]) -> Callable[..., None]:
    """Flower's handing on of replies, which gives up one that does not come whole."""

    def handed_on(*, object_store: Any, **named: Any) -> None:
        hand_on(object_store=Brought(object_store), **named)

    return handed_on


def _connected(connect: Any, loopback: Loopback, pace: Pace) -> Any:
    """Flower's connection, with what comes before it and bounds to what comes through it."""

    kept = KeptAnswers()

    @contextmanager
    def connected(
        address: str, insecure: bool, roots: Any, keys: Any, *given: Any
    ) -> Iterator[tuple[Any, ...]]:
        _await_gate(address, roots, pace)
        if _taken_back(loopback, address, roots, keys):
            time.sleep(GONE_SECONDS)
        with connect(address, insecure, roots, keys, *given) as connection:
            node, receive, send, get_run, get_fab, pull, *others = connection
            write_whole(loopback.registered, str(node).encode())
            question = OneQuestion()

            def received() -> Any:
                nonlocal question
                try:
                    message = receive()
                except _UNREADABLE as error:  # Flower's loop would end
                    _tell("no question was taken", error)
                    return None
                if message is not None:
                    question = OneQuestion()
                    pace.came()
                return message

            def pulled(run: int, name: str) -> bytes:
                return question.fetched(lambda: pull(run, name))

            def run(number: int) -> Any:
                return _left_alone(lambda: kept.run(lambda: get_run(number)))

            def bundle(digest: str, number: int) -> Any:
                return _left_alone(lambda: kept.bundle(digest, lambda: get_fab(digest, number)))

            yield node, received, send, run, bundle, pulled, *others

    return connected


def _left_alone(fetch: Callable[[], Any]) -> Any:
    """What is fetched for a question; where it cannot be, Flower's loop leaves that question, as
    that of a run that has ended, and goes on. It would end at anything else.
    """
    from flwr.supercore.run import RunNotRunningException

    try:
        return fetch()
    except Exception as error:
        _tell("a question is left", error)
        raise RunNotRunningException from error


def _tell(what: str, error: Exception) -> None:
    """Of what is not ours only the kind: its text may hold what was sent."""
    why = error.what if isinstance(error, LianfangError) else type(error).__name__
    _log.error("%s: %s", what, why)


def _await_gate(address: str, roots: bytes, pace: Pace) -> None:
    """Until the coordinator is up, or refuses this lender, which Flower then finds out. Its own
    pauses between tries grow to twenty seconds.
    """
    import httpx

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=roots.decode("ascii"))
    pause = FIRST_WAIT
    with httpx.Client(verify=context, trust_env=False) as client:
        while True:
            pace.on()
            with (
                suppress(httpx.HTTPError),
                client.stream("GET", f"https://{address}/lianfang/ready") as answer,
            ):
                if answer.status_code != 503:
                    return
            time.sleep(pause)
            pause = min(1.3 * pause, LONGEST_WAIT)


def _taken_back(loopback: Loopback, address: str, roots: Any, keys: Any) -> bool:
    """Whether an earlier process's registration was open and is closed now."""
    import httpx
    from flwr.proto.fleet_pb2 import DeactivateNodeRequest
    from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
    from flwr.supernode.fleet_http_client import FleetHttpClient
    from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

    with suppress(OSError, ValueError, httpx.HTTPError, TooMuchError):
        node = int(loopback.registered.read_text())
        with with_bounds(FleetHttpClient).from_server_address(
            address,
            insecure=False,
            root_certificates=roots,
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="SuperNode"),
                NodeAuthHttpInterceptor(*keys),
            ],
        ) as client:
            client.DeactivateNode(DeactivateNodeRequest(node_id=node))
            return True
    return False
