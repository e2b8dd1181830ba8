"""`lianfang-server start`: the coordinator's processes, until told to stop.

    lianfang-server start /srv/consortium

Invariants:
- One `start` at a time works on a folder. It says in one line when lenders can connect.
- It ends, and all its processes with it, on Ctrl-C or SIGTERM, and when it is killed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections import deque
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from server.commands.serving import command, now
from server.deployment.bundle import write_bundle
from server.deployment.child import ENTRIES
from server.deployment.fleet import Fleet
from server.deployment.flower import ENVIRONMENT, check_version
from server.deployment.gate import tls_of
from server.deployment.loopback import FLOWER, Loopback
from server.deployment.observing import PORT, Observed, observed
from server.deployment.runs import resume_interrupted
from server.deployment.supervisor import Child, Supervisor
from server.keys import read_identity
from server.logs import form_asked, log_lines
from server.one_at_a_time import alone_in
from shared.errors import OperatorError
from shared.identity.address import host_and_port
from shared.training.consortium import FILE, parse_consortium

_LOOK_SECONDS = 5.0
_ENROLMENT = "server.deployment.enrolment"


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """The command's arguments."""
    start = command(commands, "start", "run the coordinator", __doc__ or "")
    start.add_argument("folder", type=Path, help="the consortium's folder")
    start.add_argument(
        "--metrics-port",
        type=int,
        default=PORT,
        metavar="N",
        help=f"of /metrics and /health on 127.0.0.1 (default {PORT}; 0 takes a free one)",
    )
    start.add_argument("--json", action="store_true", help="one JSON line for scripts")
    start.set_defaults(handler=_start)


def _start(arguments: argparse.Namespace) -> int:
    check_version()
    folder = arguments.folder.resolve()
    gate = checked(folder)
    turn = alone_in(folder)
    ended, told_to = threading.Event(), deque[int]()

    def end(number: int, frame: FrameType | None) -> None:
        told_to.append(number)  # takes no lock: a second signal may come while this one is handled

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    log_lines(form_asked())
    os.umask(0o077)
    Loopback(folder).renew()
    digest = write_bundle(folder)
    fleet = Fleet(folder)
    threading.Thread(
        target=_say, args=(fleet, ended, gate, digest, arguments.json), daemon=True
    ).start()
    threading.Thread(target=_look_after_runs, args=(folder, ended), daemon=True).start()
    watched = _watched(folder, arguments.metrics_port)
    try:
        fleet.start()
        supervisor = Supervisor(
            children_of(folder), folder / FLOWER / "processes.json", folder / "log"
        )
        supervisor.run(lambda: bool(told_to))
    finally:
        _hear_no_more()
        ended.set()
        watched.stop()
        fleet.stop()
        turn.release()
    return 0


def _hear_no_more() -> None:
    """A second Ctrl-C or SIGTERM does not disturb the end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def checked(folder: Path) -> str:
    """The gate's address; OperatorError when the folder cannot be served: better now than in a
    process's log.
    """
    try:
        consortium = parse_consortium((folder / FILE).read_bytes(), str(folder / FILE))
    except OSError as error:
        raise OperatorError(
            f"{folder / FILE} cannot be read: {error.strerror}",
            remedy="name a folder that lianfang-server init made",
        ) from error
    read_identity(folder, now())
    tls_of(folder)
    host_and_port(consortium.gate)
    return consortium.gate


def children_of(folder: Path) -> list[Child]:
    """The coordinator's processes."""
    parent = str(os.getpid())
    return [
        Child(
            name,
            ("-m", "server.deployment.child", parent, name, str(folder)),
            environment={**ENVIRONMENT, "FLWR_HOME": str(folder / FLOWER / "home")},
        )
        for name in ENTRIES
        if name != "enrolment" or find_spec(_ENROLMENT) is not None
    ]


def _look_after_runs(folder: Path, ended: threading.Event) -> None:
    """Runs that the SuperLink gave up, though nothing ended them, go on."""
    while not ended.wait(_LOOK_SECONDS):
        resume_interrupted(folder)


def _watched(folder: Path, port: int) -> Observed:
    """Metrics and health; on another port where that one is taken."""
    try:
        return observed(folder, port)
    except OperatorError:
        made = observed(folder, 0)
        told = "port %d is taken: metrics are at %d"
        logging.getLogger("lianfang.server").warning(told, port, made.port)
        return made


def _say(fleet: Fleet, ended: threading.Event, gate: str, digest: str, as_json: bool) -> None:
    while not fleet.ready.wait(0.2):
        if ended.is_set():
            return
    text = json.dumps({"gate": gate, "bundle": digest})
    sys.stdout.write(f"{text}\n" if as_json else f"lenders connect at {gate}\n")
    sys.stdout.flush()
