"""Carries runs: one process for each, forked off with everything loaded, started again when killed.

Invariants:
- A run's process runs the server app installed here, never code of a bundle.
- One that was killed, or lost the SuperLink, goes on from its checkpoints under the same Flower
  run; one that ended with an error of its own does not, and the SuperLink is told the error.
- No text of an unforeseen error goes to the SuperLink: its kind only.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from server.deployment.child import end_with_parent
from server.deployment.flower import ENVIRONMENT
from server.deployment.heartbeat import Heartbeat
from server.deployment.loopback import Loopback
from server.deployment.run_tasks import RunTask, RunTasks
from shared.errors import LianfangError

POLL_SECONDS, HEARTBEAT_SECONDS = 0.5, 8.0
MOST_STARTS, SECONDS_BETWEEN = 10, 1.0
DONE, REFUSED, AGAIN = 0, 3, 75
"""How a run's process ends: with a model; with an error of its own; to be started again."""
_log = logging.getLogger("lianfang.runs")


@dataclass
class Carried:
    """A run at work. `starts`: of its process; `said`: where that leaves its last words."""

    task: RunTask
    process: int
    said: int
    starts: int = 1


class Executor:
    """Of a coordinator's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tasks = RunTasks(folder)
        self._carried: list[Carried] = []
        self._beaten = 0.0
        self._own, self._superlink = Heartbeat(folder, "runs"), Heartbeat(folder, "superlink")

    def run(self) -> None:
        """Until the process is ended; its runs' processes end with it."""
        while (kept := self._patiently(self._tasks.kept)) is None:
            self._own.beat()
        for task in kept:
            _log.warning("a run that was under way is taken up again")
            self._carried.append(self._started(task, resume=True))
        while True:
            self._own.beat()
            task = self._patiently(self._tasks.next)
            if task is not None:
                resume = bool(self._tasks.config(task).get("resume", False))
                self._carried.append(self._started(task, resume=resume))
            for one in list(self._carried):
                self._look_after(one)
            self._beat()
            time.sleep(POLL_SECONDS)

    def _patiently(self, ask: Any) -> Any:
        try:
            found = ask()
            self._superlink.beat()
            return found
        except httpx.HTTPError as error:
            _log.info("the SuperLink does not answer: %s", type(error).__name__)
            time.sleep(POLL_SECONDS)
            return None

    def _beat(self) -> None:
        if time.monotonic() - self._beaten < HEARTBEAT_SECONDS:
            return
        self._beaten = time.monotonic()
        for one in self._carried:
            alive = self._patiently(lambda task=one.task: (self._tasks.alive(task),))
            if alive == (False,):  # stopped, or given up by the SuperLink
                _log.warning("the SuperLink has ended a run: its process is told to end")
                os.kill(one.process, signal.SIGTERM)

    def _look_after(self, one: Carried) -> None:
        ended, status = os.waitpid(one.process, os.WNOHANG)
        if ended == 0:
            return
        self._carried.remove(one)
        words = _words(one.said)
        code = os.waitstatus_to_exitcode(status)
        if code == DONE:
            self._end(one.task, "")
        elif code == REFUSED or one.starts >= MOST_STARTS or code == -signal.SIGTERM:
            self._end(one.task, words or f"its process ended with {code}")
        else:
            _log.warning("a run's process ended with %d; it goes on from its checkpoints", code)
            time.sleep(SECONDS_BETWEEN)
            again = self._started(one.task, resume=True)
            again.starts = one.starts + 1
            self._carried.append(again)

    def _end(self, task: RunTask, failure: str) -> None:
        while True:
            try:
                return self._tasks.end(task, failure)
            except httpx.HTTPError:
                self._own.beat()
                time.sleep(POLL_SECONDS)

    def _started(self, task: RunTask, *, resume: bool) -> Carried:
        config = self._tasks.config(task) | {"resume": resume}
        listen, speak = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process:
            os.close(speak)
            return Carried(task, process, listen)
        os.close(listen)
        code = AGAIN
        try:
            end_with_parent(parent)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            code, words = carry(Loopback(self._folder), task, config)
            os.write(speak, words.encode()[:4096])
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def carry(loopback: Loopback, task: RunTask, config: dict[str, Any]) -> tuple[int, str]:
    """Run the server app to its end; how that is to be understood, and its last words."""
    from flwr.common.constant import SUPERLINK_NODE_ID
    from flwr.supercore.inflatable.inflatable_utils import ObjectPushError
    from flwr.supercore.run import RunNotRunningException
    from flwr.supercore.task_identity import TaskIdentity

    from server.app import app
    from server.deployment.patient_grid import PatientGrid

    run = task.flower_run
    TaskIdentity.task_id, TaskIdentity.run_id = task.task, run.run_id
    TaskIdentity.node_id = SUPERLINK_NODE_ID
    grid = PatientGrid(
        loopback.address, root_certificates=loopback.certificate_text(), token=task.token
    )
    grid.set_run(run)
    try:
        app(grid, task.flower_context(config))
    except (KeyboardInterrupt, RunNotRunningException):  # Flower's ways to say so
        return REFUSED, "stopped"
    except LianfangError as error:
        _log.error("the run ended: %s", error)
        return REFUSED, f"{error.what}; {error.remedy}"
    except (httpx.HTTPError, ObjectPushError) as error:
        _log.error("the SuperLink does not answer: %s", type(error).__name__)
        return AGAIN, ""
    except Exception as error:  # noqa: BLE001 - its text may quote what lenders sent
        _log.exception("an unforeseen error")
        return REFUSED, f"an unforeseen error ({type(error).__name__}); see log/runs.log"
    finally:
        grid.close()
    return DONE, ""


def _words(said: int) -> str:
    with os.fdopen(said, "rb") as pipe:
        return pipe.read().decode(errors="replace")


def main(folder: Path) -> int:
    """Run until told to stop."""
    os.environ.update(ENVIRONMENT)
    os.umask(0o077)
    import server.app
    import server.coordinator.attempt  # noqa: F401 - loaded once, before runs fork off

    Executor(folder).run()
    return 0
