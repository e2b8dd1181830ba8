"""Keeps processes running: starts them, starts them again when they end, ends them all at the end.

    FOLDER/flower/processes.json   {name: {"pid": …, "starts": …}}, as it is now
    FOLDER/log/NAME.log            what each of them writes; the part before in NAME.log.1

Invariants:
- Each process ends with the supervisor, however that ends (`child.py`).
- One that keeps ending is started less and less often; one that ran for a while, at once.
- A disk that takes no more, or a system that starts nothing more, ends nothing: what could not be
  started is tried again as if it had ended.
- A log is never much longer than `MOST_LOG_BYTES`, while its process runs, too: what it holds is
  set aside and it begins anew. Where the disk has no room for that, the older part is let go.
- Processes are started from the main thread: to the kernel the thread that started one is its
  parent.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from server.files import write_whole

FIRST_WAIT, LONGEST_WAIT, LONG_ENOUGH = 0.2, 30.0, 60.0
"""Seconds: before the second start, at most, and after how long a process counts as well."""
END_SECONDS = 5.0
MOST_LOG_BYTES = 16 << 20
_POLL_SECONDS, _LOGS_SECONDS = 0.1, 5.0
_log = logging.getLogger("lianfang.supervisor")


@dataclass
class Child:
    """A process to keep running. `argv`: after the interpreter; `takes`: names of processes that
    are to be started again with it.
    """

    name: str
    argv: Sequence[str]
    takes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    wait: float = 0.0
    began: float = 0.0
    due: float = 0.0


class Supervisor:
    """Of some processes. `state`: the file with their numbers; `logs`: the folder of their logs."""

    def __init__(self, children: Sequence[Child], state: Path, logs: Path) -> None:
        self._children = {child.name: child for child in children}
        self._state = state
        self._logs = logs
        self._looked = 0.0
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)

    def run(self, ended: Callable[[], bool]) -> None:
        """Until `ended`, then end all of them. Call it from the main thread."""
        try:
            while not ended():
                self.look()
                time.sleep(_POLL_SECONDS)
        finally:
            self.stop()

    def look(self) -> None:
        """One look at each: start what is not running and due."""
        for child in self._children.values():
            if child.process is not None and child.process.poll() is not None:
                self._ended(child, child.process.returncode)
            if child.process is None and time.monotonic() >= child.due:
                self._started(child)
        if time.monotonic() - self._looked >= _LOGS_SECONDS:
            self._looked = time.monotonic()
            for name in self._children:
                _turn_over(self._logs / f"{name}.log")

    def stop(self) -> None:
        """Ask all of them to end, and end those that do not."""
        running = [child.process for child in self._children.values() if child.process]
        for process in running:
            process.terminate()
        until = time.monotonic() + END_SECONDS
        for process in running:
            try:
                process.wait(max(0.05, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with suppress(OSError):
            self._state.unlink(missing_ok=True)

    def _ended(self, child: Child, code: int) -> None:
        lived = time.monotonic() - child.began
        _put_off(child, lived)
        child.process = None
        _log.warning("%s ended with %d after %.0f s: started again", child.name, code, lived)
        for name in child.takes:
            other = self._children[name].process
            if other is not None and other.poll() is None:
                other.send_signal(signal.SIGKILL)

    def _started(self, child: Child) -> None:
        try:
            self._start(child)
        except OSError as error:
            _put_off(child, 0.0)
            why = error.strerror or type(error).__name__
            _log.error("%s cannot be started (%s): tried again", child.name, why)

    def _start(self, child: Child) -> None:
        log = self._logs / f"{child.name}.log"
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            child.process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-P", *child.argv],
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                process_group=0,  # a terminal's Ctrl-C is for this process, which ends the others
                env={**os.environ, **child.environment},
            )
        finally:
            os.close(handle)
        child.starts, child.began = child.starts + 1, time.monotonic()
        self._write()

    def _write(self) -> None:
        running = {
            name: {"pid": child.process.pid, "starts": child.starts}
            for name, child in self._children.items()
            if child.process is not None
        }
        try:
            write_whole(self._state, json.dumps(running).encode())
        except OSError as error:
            _log.error("%s cannot be written: %s", self._state.name, error.strerror)


def _put_off(child: Child, lived: float) -> None:
    """Its next start; later each time unless it `lived` (seconds) for long."""
    longer = 0.0 if lived > LONG_ENOUGH else 2 * child.wait
    child.wait = min(max(FIRST_WAIT, longer), LONGEST_WAIT)
    child.due = time.monotonic() + child.wait


def _turn_over(log: Path) -> None:
    """Set a long log's content aside and let it begin anew. It is emptied and not replaced: whoever
    writes it has it open, at its end (O_APPEND), and a process that was forked off has, too.
    """
    with suppress(OSError):  # the next look tries again
        if log.stat().st_size <= MOST_LOG_BYTES:
            return
        older = log.with_name(f"{log.name}.1")
        try:
            shutil.copyfile(log, older)
            older.chmod(0o600)
        except OSError:
            older.unlink(missing_ok=True)
        os.truncate(log, 0)
