"""Members' nodes at the SuperLink: registered as soon as a member has joined, while others train.

Invariants:
- Only keys of the list of members are registered; nobody else can (`admission.py`, `superlink.py`).
- Registering is repeated until the SuperLink has taken it; a key it knows already is no error.
- Nothing unforeseen ends it: it is told once, by kind and place, and tried again.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from server.deployment.loopback import control_client
from server.deployment.node_keys import NodeKeys
from server.logs import kind_and_place
from shared.errors import OperatorError

if TYPE_CHECKING:
    from flwr.supercore.control.control_http_client import ControlHttpClient

_SECONDS = 1.0
_log = logging.getLogger("lianfang.fleet")


class Fleet:
    """Keeps the SuperLink's list of nodes as long as ours, from a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes = NodeKeys(folder)
        self._known: set[bytes] = set()
        self._told = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self.ready = threading.Event()
        """The SuperLink answers and knows all nodes there were."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join(_SECONDS)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._look()
            self._ended.wait(_SECONDS if self.ready.is_set() else 0.1)

    def _look(self) -> None:
        try:
            if self.registered():
                self.ready.set()
            self._told = ""
        except Exception as error:  # noqa: BLE001 - a thread that ends would register nobody again
            what = kind_and_place(error)
            if what != self._told:
                self._told = what
                _log.error("nodes could not be registered: %s", what)

    def registered(self) -> bool:
        """Register who is new; whether the SuperLink knows all of them now."""
        new = {code: key for code, key in self._nodes.current().items() if key not in self._known}
        if not new and self.ready.is_set():
            return True
        from flwr.proto.control_pb2 import ListNodesRequest

        try:
            with control_client(self._folder) as client:
                if not new:
                    client.ListNodes(ListNodesRequest())
                for code, key in sorted(new.items()):
                    _register(client, code, key)
                    self._known.add(key)
        except (httpx.HTTPError, OperatorError):
            return False
        return True


def _register(client: ControlHttpClient, code: str, key: bytes) -> None:
    from flwr.proto.control_pb2 import RegisterNodeRequest
    from flwr.supercore.error import ApiErrorCode, FlowerError

    try:
        client.RegisterNode(RegisterNodeRequest(public_key=key, name=code))
    except httpx.HTTPStatusError as error:
        told = FlowerError.from_json(error.response.text)
        if told is None or told.code != ApiErrorCode.PUBLIC_KEY_ALREADY_IN_USE:
            raise
    else:
        _log.info("the node of %s is registered", code)
