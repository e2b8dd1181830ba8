"""Where each of the coordinator's processes begins:
`python -m server.deployment.child PARENT NAME FOLDER …`

Invariants:
- A process ends with the one that started it, even if that was killed (Linux: the kernel sends
  SIGKILL; elsewhere it looks twice a second).
- Nothing runs over another Flower than the one tried.
- All of a process's lines have the form that was asked for, its libraries' too.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from server.deployment.flower import check_parts, check_version
from server.logs import form_asked, log_lines
from shared.errors import LianfangError

ENTRIES = {
    "superlink": "server.deployment.superlink",
    "gate": "server.deployment.gate",
    "runs": "server.deployment.run_executor",
    "enrolment": "server.deployment.enrolment",
}
"""Name of a process: the module whose `main(folder)` it runs."""
SERVICES = {
    "keyholder": "server.deployment.keyholder",
    "registry": "server.deployment.registry",
    "cases": "server.deployment.cases",
    "borrowing": "server.deployment.borrowing",
}
"""As `ENTRIES`; they run where `services.toml` has them."""
MOST_FILES = 65_536
_COLLECT = (5_000, 10, 10)
"""Python looks for cycles a seventh as often: loading makes many objects, and lets few go."""
_PR_SET_PDEATHSIG = 1
FAILED = 2


def end_with_parent(parent: int) -> None:
    """From now on this process ends when `parent`, who started it, has ended. Call it from the main
    thread.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before the kernel was told
        os._exit(FAILED)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(FAILED)


def _many_files() -> None:
    """Each connection is one: as many as the system lets us, up to `MOST_FILES`."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _one_way_of_logging() -> None:
    """Uvicorn, where Flower serves by it, gives itself handlers when it begins: not here."""
    if "uvicorn" in sys.modules:
        import uvicorn

        setattr(uvicorn.Config, "configure_logging", lambda config: None)  # noqa: B010 - a method
        logging.getLogger("uvicorn").setLevel(logging.WARNING)


def main(argv: Sequence[str]) -> int:
    """Run the process named; the exit status."""
    end_with_parent(int(argv[0]))
    gc.set_threshold(*_COLLECT)
    _many_files()
    try:
        check_version()
        check_parts(argv[1])
        log_lines(form_asked())  # after Flower's own handlers are there: it replaces them
        _one_way_of_logging()
        entry: Callable[[Path], int] = import_module((ENTRIES | SERVICES)[argv[1]]).main
        return entry(Path(argv[2]))
    except LianfangError as error:
        sys.stderr.write(f"{argv[1]}: {error}\n")
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
