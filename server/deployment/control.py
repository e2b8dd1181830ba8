"""Asking the SuperLink's Control API: on loopback, with the secret of the coordinator's folder.

Invariants:
- Whether a run went well is what the SuperLink's own record and the run's status.json say together:
  Flower's commands and processes end with 0 when a run crashed (flwr 1.41).

Source: flwr 1.41.0, `flwr.supercore.control` and `flwr.cli.run`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
from flwr.common.constant import Status as FlowerStatus
from flwr.common.constant import SubStatus
from flwr.common.serde import fab_to_proto, user_config_to_proto
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    ListRunsRequest,
    StartRunRequest,
    StopRunRequest,
)
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.fab import Fab

from server.deployment.bundle import FILE as BUNDLE
from server.deployment.bundle import FOLDER as BUNDLES
from server.deployment.loopback import control_client
from shared.errors import OperatorError

_START = "start the coordinator: lianfang-server start FOLDER"
Value = str | bool | float
T = TypeVar("T")


@dataclass(frozen=True)
class FlowerRun:
    """A run as the SuperLink has it. `ended`: "completed", "failed" or "stopped", else empty."""

    number: int
    bundle: str
    ended: str


@dataclass(frozen=True)
class FlowerNode:
    """A lender's node. `public_key`: as it was registered; `online`: heard from lately."""

    number: int
    public_key: bytes
    online: bool


class Control:
    """One SuperLink, through a client that knows its certificate and our secret."""

    def __init__(self, client: ControlHttpClient) -> None:
        self._client = client

    def start(self, bundle: bytes, config: Mapping[str, Value]) -> int:
        """Start a run of a bundle; its number. OperatorError when it is not taken."""
        fab = Fab(hashlib.sha256(bundle).hexdigest(), bundle, {})
        request = StartRunRequest(
            fab=fab_to_proto(fab), override_config=user_config_to_proto(dict(config))
        )
        answer = self._asked(lambda: self._client.StartRun(request))
        if not answer.HasField("run_id"):
            raise OperatorError(
                "the SuperLink did not start the run",
                remedy="see its log; the bundle may be too large or not fit this version of Flower",
            )
        return int(answer.run_id)

    def stop(self, number: int) -> None:
        """End a run at the SuperLink; one that is over already stays as it is."""
        found = self.run(number)
        if found is not None and not found.ended:
            self._asked(lambda: self._client.StopRun(StopRunRequest(run_id=number)))

    def run(self, number: int) -> FlowerRun | None:
        """A run by its number; None when the SuperLink does not know it."""
        try:
            found = self._asked(lambda: self._client.ListRuns(ListRunsRequest(run_id=number)))
        except _UnknownError:
            return None
        one = found.run_dict.get(number)
        if one is None:
            return None
        over = one.status.status == FlowerStatus.FINISHED
        return FlowerRun(number, one.fab_hash, (one.status.sub_status or SubStatus.FAILED) * over)

    def nodes(self) -> list[FlowerNode]:
        """All registered nodes."""
        answer = self._asked(lambda: self._client.ListNodes(ListNodesRequest()))
        return [
            FlowerNode(node.node_id, bytes(node.public_key), node.status == "online")
            for node in answer.nodes_info
        ]

    def _asked(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status == httpx.codes.NOT_FOUND:
                raise _UnknownError from error
            if status == httpx.codes.FORBIDDEN:
                raise OperatorError(
                    "the SuperLink that answers there is not this folder's", remedy=_START
                ) from error
            raise OperatorError(
                f"the SuperLink refused the request ({status})", remedy="see its log"
            ) from error
        except httpx.HTTPError as error:
            raise OperatorError(
                f"the SuperLink does not answer ({type(error).__name__})", remedy=_START
            ) from error


class _UnknownError(OperatorError):
    """The SuperLink has no such run."""

    def __init__(self) -> None:
        super().__init__("the SuperLink knows no such run", remedy="lianfang-server run list")


@contextmanager
def control_of(folder: Path) -> Iterator[Control]:
    """The SuperLink that runs on a coordinator's folder; OperatorError when none does."""
    with control_client(folder) as client:
        yield Control(client)


def bundle_of(folder: Path) -> bytes:
    """The bundle runs are started with; OperatorError when there is none."""
    try:
        return (folder / BUNDLES / BUNDLE).read_bytes()
    except OSError as error:
        raise OperatorError(
            f"{folder / BUNDLES / BUNDLE} cannot be read: {error.strerror}", remedy=_START
        ) from error
