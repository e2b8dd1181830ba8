"""`lianfang-server start`: the coordinator's processes, until told to stop.

    lianfang-server start /srv/consortium

It keeps a key holder, the registry or a desk running too where FOLDER/services.toml has them
(`server/deployment/services.py`).

Invariants:
- One `start` at a time works on a folder. It says in one line when lenders can connect.
- It ends, and all its processes with it, on Ctrl-C or SIGTERM, and when it is killed.
- A service that cannot be served, and a port that is another's, are told of before anything starts.
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
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from server.commands.serving import command, now
from server.consortium.folder import read_consortium
from server.deployment.bundle import write_bundle
from server.deployment.child import ENTRIES
from server.deployment.disk import DiskWatch
from server.deployment.enrolment import listening_at
from server.deployment.fleet import Fleet
from server.deployment.flower import ENVIRONMENT, check_version
from server.deployment.flower_state import set_aside_if_damaged
from server.deployment.free_ports import check_free
from server.deployment.gate import tls_of
from server.deployment.handed_on import HandedOn
from server.deployment.interrupted_runs import resume_interrupted
from server.deployment.loopback import FLOWER, Loopback
from server.deployment.observing import PORT, Observed, observed
from server.deployment.service_trial import try_services
from server.deployment.services import Service, check_apart, check_ports, read_services
from server.deployment.supervisor import Child, Supervisor
from server.keys import read_identity
from server.logs import form_asked, log_lines
from server.one_at_a_time import alone_in
from shared.errors import OperatorError
from shared.identity.address import host_and_port
from shared.training.consortium import Consortium

EXAMPLES = """examples:
  lianfang-server start /srv/consortium
  lianfang-server start /srv/consortium --metrics-port 9500

One at a time works on a folder. It says in one line when lenders can connect, and ends, with all
its processes, on Ctrl-C or SIGTERM. It keeps a key holder, the registry or a desk running too where
FOLDER/services.toml has them (a key holder beside another in the profile demo only):

  [registry]                       or [keyholder], [cases], [borrowing]
  folder = "/srv/lianfang/r1"      which `lianfang-server registry init` made
  listen = "0.0.0.0:7444"

Exit status: 0 it was told to end; 2 it cannot be served (folder, certificate, port or service: the
message says which and what to do), and nothing was started.
"""
_LOOK_SECONDS = 5.0
_LOOKING = "looks after runs"
_THREADS = (_LOOKING, "fleet")
"""Those that are to be there as long as this process."""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """The command's arguments."""
    start = command(commands, "start", "run the coordinator", EXAMPLES)
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
    consortium = checked(folder)
    turn = alone_in(folder)
    os.umask(0o077)
    check_free({"the gate": consortium.gate, "enrolment": consortium.enrol})
    services = services_of(folder, consortium, arguments.metrics_port)
    ended, told_to = threading.Event(), deque[int]()

    def end(number: int, frame: FrameType | None) -> None:
        told_to.append(number)  # takes no lock: a second signal may come while this one is handled

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    log_lines(form_asked())
    Loopback(folder).renew()
    set_aside_if_damaged(Loopback(folder).database)
    digest = write_bundle(folder)
    fleet = Fleet(folder)
    threading.Thread(
        target=_say, args=(fleet, ended, consortium.gate, digest, arguments.json), daemon=True
    ).start()
    handed_on = HandedOn(folder, services)
    handed_on.look()
    threading.Thread(
        target=_look_after, args=(folder, handed_on, ended), name=_LOOKING, daemon=True
    ).start()
    watched = _watched(folder, arguments.metrics_port)
    try:
        fleet.start()
        supervisor = Supervisor(
            children_of(folder, services), folder / FLOWER / "processes.json", folder / "log"
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


def checked(folder: Path) -> Consortium:
    """Its terms; OperatorError when the folder cannot be served: better now than in a process's
    log.
    """
    consortium = read_consortium(folder)
    read_identity(folder, now())
    tls_of(folder)
    host_and_port(consortium.gate)
    return consortium


def services_of(folder: Path, consortium: Consortium, metrics_port: int) -> tuple[Service, ...]:
    """Those of `services.toml`, each tried; OperatorError when one cannot be kept running."""
    services = read_services(folder)
    check_apart(folder, services, consortium.profile)
    taken = {metrics_port: "/metrics"}
    for address, whose in ((consortium.gate, "the gate"), (consortium.enrol, "enrolment")):
        taken[listening_at(address)[1]] = whose
    check_ports(services, taken)
    try_services(folder, services, consortium.profile)
    return services


def children_of(folder: Path, services: Sequence[Service]) -> list[Child]:
    """The coordinator's processes, and the services that it keeps."""
    parent = str(os.getpid())
    return [
        Child(
            name,
            ("-m", "server.deployment.child", parent, name, str(folder)),
            environment={**ENVIRONMENT, "FLWR_HOME": str(folder / FLOWER / "home")},
        )
        for name in (*ENTRIES, *(service.name for service in services))
    ]


def _look_after(folder: Path, handed_on: HandedOn, ended: threading.Event) -> None:
    """Runs that the SuperLink gave up, though nothing ended them, go on; services hear who is
    revoked.
    """
    disk = DiskWatch(folder)
    while not ended.wait(_LOOK_SECONDS):
        disk.look()
        handed_on.look()
        resume_interrupted(folder)


def _watched(folder: Path, port: int) -> Observed:
    """Metrics and health; on another port where that one is taken."""
    try:
        return observed(folder, port, _THREADS)
    except OperatorError:
        made = observed(folder, 0, _THREADS)
        told = "port %d is taken: metrics are at %d"
        logging.getLogger("lianfang.server").warning(told, port, made.port)
        return made


def _say(fleet: Fleet, ended: threading.Event, gate: str, digest: str, as_json: bool) -> None:
    while not fleet.ready.wait(0.2):
        if ended.is_set():
            return
    text = json.dumps({"gate": gate, "bundle": digest})
    told = f"{now():%Y-%m-%dT%H:%M:%SZ} lenders connect at {gate}\n"
    sys.stdout.write(f"{text}\n" if as_json else told)
    sys.stdout.flush()
