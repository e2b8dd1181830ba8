"""Tasks of runs: fetched from the SuperLink, kept on disk while they are carried.

    FOLDER/flower/tasks/RUN.json    what it takes to go on with a run: token, run, context

Invariants:
- A run's token is on disk before the run's process is started, readable by the owner only, so a
  run survives the executor; it is removed when the SuperLink has the run's end.
- Nothing of a run is carried but under our own bundle and in a folder directly below FOLDER/runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from flwr.app import Context
from flwr.common.constant import SubStatus
from flwr.common.serde import context_from_proto, run_from_proto
from flwr.proto.message_pb2 import Context as ContextProto
from flwr.proto.run_pb2 import Run as RunProto
from flwr.proto.runtime_pb2 import (
    AcquireTaskRequest,
    PullTaskInputRequest,
    PushTaskOutputRequest,
    SendTaskHeartbeatRequest,
)
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.run import Run
from flwr.supercore.runtime import RuntimeHttpClient

from server.deployment.bundle import read_digest
from server.deployment.loopback import Loopback
from server.deployment.terms_page import RUNS
from server.files import write_whole
from shared.errors import OperatorError, PeerError

SERVER_APP = "flwr-serverapp"
_ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
_KEYS = ("run-directory", "resume", "patience", "deadline")
_log = logging.getLogger("lianfang.runs")


@dataclass(frozen=True)
class RunTask:
    """A run to carry. `run` and `context`: Flower's own form, serialised; `token` says to the
    SuperLink that the task is ours.
    """

    task: int
    token: str = field(repr=False)
    run: bytes = field(repr=False)
    context: bytes = field(repr=False)

    @property
    def flower_run(self) -> Run:
        """Flower's description."""
        return run_from_proto(RunProto.FromString(self.run))

    def flower_context(self, config: dict[str, Any]) -> Context:
        """Flower's context with this run configuration."""
        context = context_from_proto(ContextProto.FromString(self.context))
        context.run_config = config
        return context


class RunTasks:
    """The SuperLink's tasks, as the coordinator's executor sees them. Calls raise httpx errors."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loopback = Loopback(folder)
        self._kept = self._loopback.home / "tasks"
        self._secret = self._loopback.superexec_secret.read_bytes()

    def kept(self) -> list[RunTask]:
        """What an earlier executor left, as far as the SuperLink still counts it as running."""
        found = []
        for path in sorted(self._kept.glob("*.json")):
            task = _read(path)
            if task is not None and self.alive(task):
                found.append(task)
            else:
                path.unlink(missing_ok=True)
        return found

    def next(self) -> RunTask | None:
        """A run that was started and not carried yet; None when there is none."""
        with self._client(self._superexec()) as client:
            answer = client.AcquireTask(AcquireTaskRequest(supported_task_types=[SERVER_APP]))
        if not (answer.HasField("task") and answer.token):
            return None
        with self._client(RuntimeTokenHttpInterceptor(answer.token)) as client:
            given = client.PullTaskInput(PullTaskInputRequest())
        task = RunTask(
            given.task_id,
            answer.token,
            given.run.SerializeToString(),
            given.context.SerializeToString(),
        )
        self._keep(task)
        try:
            self._check(task, given.fab.content)
        except (OperatorError, PeerError) as error:
            _log.error("a run was refused: %s", error.what)
            self.end(task, failure=f"{error.what}; {error.remedy}")
            return None
        return task

    def config(self, task: RunTask) -> dict[str, Any]:
        """The run's configuration: what was asked for, of the entries there are."""
        asked = task.flower_run.override_config
        return {name: asked[name] for name in _KEYS if name in asked}

    def alive(self, task: RunTask) -> bool:
        """Tell the SuperLink that the task is at work; whether it still is one. A SuperLink that
        fails, with a full disk for example, has not said no: HTTPStatusError.
        """
        try:
            with self._client(RuntimeTokenHttpInterceptor(task.token)) as client:
                return bool(client.SendTaskHeartbeat(SendTaskHeartbeatRequest()).success)
        except httpx.HTTPStatusError as error:
            if error.response.status_code >= 500:
                raise
            return False

    def end(self, task: RunTask, failure: str = "") -> None:
        """Tell how the run ended; `failure` empty: well."""
        status = SubStatus.FAILED if failure else SubStatus.COMPLETED
        try:
            with self._client(RuntimeTokenHttpInterceptor(task.token)) as client:
                client.PushTaskOutput(PushTaskOutputRequest(sub_status=status, details=failure))
        except httpx.HTTPStatusError as error:
            if error.response.status_code >= 500:
                raise
            _log.warning("the SuperLink does not know the run any more")
        self._path(task).unlink(missing_ok=True)

    def _check(self, task: RunTask, bundle: bytes) -> None:
        ours = read_digest(self._folder)
        if hashlib.sha256(bundle).hexdigest() != ours:
            raise PeerError("its bundle is not this coordinator's own")
        named = self.config(task).get("run-directory")
        runs = (self._folder / RUNS).resolve()
        if not isinstance(named, str) or Path(named).resolve().parent != runs:
            raise OperatorError(
                f"its folder is not in {runs}", remedy="start runs with: lianfang-server run start"
            )

    def _keep(self, task: RunTask) -> None:
        self._kept.mkdir(mode=0o700, exist_ok=True)
        content = {
            "task": task.task,
            "token": task.token,
            "run": base64.b64encode(task.run).decode(),
            "context": base64.b64encode(task.context).decode(),
        }
        write_whole(self._path(task), json.dumps(content).encode())

    def _path(self, task: RunTask) -> Path:
        return self._kept / f"{task.task}.json"

    def _superexec(self) -> SuperExecAuthHttpInterceptor:
        return SuperExecAuthHttpInterceptor(
            master_secret=self._secret, protected_methods=frozenset({_ACQUIRE})
        )

    def _client(self, interceptor: Any) -> RuntimeHttpClient:
        # A new connection each time: a process that is forked off must not share one.
        return RuntimeHttpClient.from_server_address(
            self._loopback.address,
            insecure=False,
            root_certificates=self._loopback.certificate_text(),
            interceptors=[RuntimeVersionHttpInterceptor("flwr-serverapp"), interceptor],
        )


def _read(path: Path) -> RunTask | None:
    try:
        content = json.loads(path.read_text())
        run, context = (base64.b64decode(content[name]) for name in ("run", "context"))
        return RunTask(int(content["task"]), str(content["token"]), run, context)
    except (OSError, ValueError, KeyError, TypeError):
        return None
