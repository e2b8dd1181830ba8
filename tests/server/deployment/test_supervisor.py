"""Processes are kept running, less often when they keep ending, and end with who started them."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import client.node.supervisor
import server.deployment.supervisor
from server.deployment.supervisor import FIRST_WAIT, Child, Supervisor
from tests.deployment.consortium import awaited

_SLEEPER = "import time; time.sleep(600)"
_TALKER = """\
import sys, time
from pathlib import Path
while True:
    if not Path(sys.argv[1]).exists():
        print("x" * 99, flush=True)
    time.sleep(0.002)
"""
_BOUND = """\
import os, subprocess, sys, time
from pathlib import Path
from {package} import end_with_parent
if sys.argv[1] == "child":
    {bind}
    Path(sys.argv[3]).write_text(str(os.getpid()))
    time.sleep(600)
else:
    me = [sys.executable, __file__, "child", str(os.getpid()), sys.argv[2]]
    subprocess.Popen(me)
    time.sleep(600)
"""


def alive(process: int) -> bool:
    """Whether a process is there and not a remainder."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("module", [server.deployment.supervisor, client.node.supervisor])
def test_a_process_that_is_killed_is_started_again(module: object, tmp_path: Path) -> None:
    """With those that go with it, and their numbers are in the file; `stop` ends all."""
    child, keep = module.Child, module.Supervisor  # type: ignore[attr-defined]
    children = [child("a", ("-c", _SLEEPER)), child("b", ("-c", _SLEEPER), takes=("a",))]
    state = tmp_path / "processes.json"
    supervisor = keep(children, state, tmp_path / "log")
    supervisor.look()
    before = {name: told["pid"] for name, told in json.loads(state.read_text()).items()}
    os.kill(before["b"], signal.SIGKILL)

    def again() -> bool:
        supervisor.look()
        now = {name: told["pid"] for name, told in json.loads(state.read_text()).items()}
        return all(now.get(name, pid) != pid for name, pid in before.items()) and len(now) == 2

    awaited(again)
    now = [told["pid"] for told in json.loads(state.read_text()).values()]
    supervisor.stop()
    assert not any(alive(pid) for pid in now)
    assert not state.exists()


def test_what_keeps_ending_is_started_less_and_less_often(tmp_path: Path) -> None:
    """The wait doubles."""
    child = Child("a", ("-c", "pass"))
    supervisor = Supervisor([child], tmp_path / "state", tmp_path / "log")
    waits = []
    for starts in (1, 2, 3):
        child.due = 0.0
        awaited(lambda n=starts: supervisor.look() or child.starts == n)
        assert child.process is not None
        child.process.wait()
        child.due = 1e12
        supervisor.look()
        waits.append(child.wait)
    assert waits == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]


@pytest.mark.parametrize("package", ["server.deployment.child", "client.node.child"])
@pytest.mark.parametrize(
    ("bind", "ends"), [("end_with_parent(int(sys.argv[2]))", True), ("pass", False)]
)
def test_a_process_ends_with_a_parent_that_was_killed(
    package: str, bind: str, ends: bool, tmp_path: Path
) -> None:
    """The control is the same without the kernel being told."""
    script, told = tmp_path / "script.py", tmp_path / "told"
    script.write_text(_BOUND.format(package=package, bind=bind))
    parent = subprocess.Popen([sys.executable, str(script), "parent", str(told)])
    try:
        child = int(str(awaited(lambda: told.exists() and told.read_text())))
        assert alive(child)
    finally:
        parent.kill()
        parent.wait()
    gone: Callable[[], object] = lambda: not alive(child)  # noqa: E731
    if ends:
        awaited(gone)
    else:
        time.sleep(0.2)
        assert alive(child)
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("module", [server.deployment.supervisor, client.node.supervisor])
def test_a_log_turns_over_while_its_process_runs(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it held is set aside, and the process goes on writing at the new beginning; where
    nothing can be set aside it is let go. Without a look the log grows: the control.
    """
    monkeypatch.setattr(module, "MOST_LOG_BYTES", 1000)
    monkeypatch.setattr(module, "_LOGS_SECONDS", 0.0)
    log, older = tmp_path / "log" / "a.log", tmp_path / "log" / "a.log.1"
    child = module.Child("a", ("-c", _TALKER, str(tmp_path / "hush")))
    supervisor = module.Supervisor([child], tmp_path / "state", tmp_path / "log")
    supervisor.look()
    awaited(lambda: log.stat().st_size > 3000)
    (tmp_path / "hush").touch()
    awaited(lambda: _still(log))
    supervisor.look()
    assert (log.stat().st_size, older.stat().st_mode & 0o077) == (0, 0)
    assert older.stat().st_size > 3000
    (tmp_path / "hush").unlink()
    monkeypatch.setattr(module.shutil, "copyfile", full_disk)
    awaited(lambda: log.stat().st_size > 3000)
    assert log.read_bytes().startswith(b"xxx")
    supervisor.look()
    assert not older.exists()
    assert log.stat().st_size < 3000
    supervisor.stop()


def full_disk(*_: object, **__: object) -> None:
    """What writing there raises."""
    raise OSError(errno.ENOSPC, "No space left on device")


def _still(path: Path) -> bool:
    before = path.stat().st_size
    time.sleep(0.1)
    return path.stat().st_size == before


def test_a_full_disk_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be started is tried again, less and less often; a file that is not written costs
    no process. When there is room again it runs.
    """
    child = Child("a", ("-c", _SLEEPER))
    supervisor = Supervisor([child], tmp_path / "state", tmp_path / "log")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", full_disk)
        supervisor.look()
        supervisor.look()
        assert (child.process, child.wait) == (None, FIRST_WAIT)
        child.due = 0.0
        supervisor.look()
        assert child.wait == 2 * FIRST_WAIT
    with monkeypatch.context() as patch:
        patch.setattr(server.deployment.supervisor, "write_whole", full_disk)
        child.due = 0.0
        supervisor.look()
        assert (child.starts, child.wait) == (1, 2 * FIRST_WAIT)
    assert child.process is not None
    assert child.process.poll() is None
    supervisor.stop()
