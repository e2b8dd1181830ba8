"""`lianfang-client start`: the lender's node, until told to stop.

Invariants:
- One `start` at a time works on a folder. It says in one line when the node is connected.
- It ends, and all its processes with it, on Ctrl-C or SIGTERM, when it is killed, and when the
  coordinator says that this lender is revoked.
- What the executor has to tell of an error stands here, too: a table that no run can read, why a
  question was refused.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from client.bundles import read_bundles
from client.files import keep_private
from client.joining import SETTINGS
from client.logs import form_asked, log_lines
from client.node.child import ENTRIES
from client.node.disk import DiskWatch
from client.node.echo import Echo
from client.node.flower import ENVIRONMENT, check_version
from client.node.loopback import Loopback
from client.node.mutual import Mutual
from client.node.observing import PORT, Observed, observed
from client.node.renewing import Renewing
from client.node.sidecar import Sidecar
from client.node.supervisor import Child, Supervisor
from client.node.terms_poll import TermsPoll
from client.settings import read_node
from client.tls import read_transport
from shared.errors import OperatorError
from shared.training.consortium import Consortium

EXAMPLES = """examples:
  lianfang-client start                      in the lender's folder
  lianfang-client start /srv/lender --metrics-port 9500

It says in one line when the node is connected, and ends on Ctrl-C or SIGTERM. Your table is looked
at when it starts: what is wrong with it, and why a question is refused, stands here and in log/.

Exit status: 0 it was told to end; 2 it cannot be served (the message says why and what to do), or
the coordinator has revoked this lender.
"""
_LOOK_SECONDS = 5.0
_THREADS = ("sidecar", "terms", "renewing")
"""Of this process; /health tells when one has died."""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """The command's arguments."""
    start = commands.add_parser(
        "start",
        help="run the lender's node",
        description="run the lender's node",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    start.add_argument("folder", type=Path, nargs="?", default=Path(), help="the lender's folder")
    start.add_argument(
        "--metrics-port",
        type=int,
        default=PORT,
        metavar="N",
        help=f"of /metrics and /health on 127.0.0.1 (default {PORT}; 0 takes a free one)",
    )
    start.add_argument("--json", action="store_true", help="one JSON line for scripts")
    start.set_defaults(run=_start)


def _start(arguments: argparse.Namespace) -> int:
    check_version()
    folder = arguments.folder.resolve()
    member, gate, consortium = checked(folder)
    ended, told_to = threading.Event(), deque[int]()

    def end(number: int, frame: FrameType | None) -> None:
        told_to.append(number)  # takes no lock: a second signal may come while this one is handled

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    log_lines(form_asked())
    os.umask(0o077)
    with _alone(folder):
        loopback, mutual = Loopback(folder), Mutual(folder)
        loopback.renew()
        began = datetime.now(UTC).timestamp()
        sidecar, poll = Sidecar(loopback, mutual, gate), TermsPoll(folder, mutual, gate, consortium)
        told = (loopback, began, ended, member, gate, arguments.json)
        threading.Thread(target=_say, args=told, daemon=True).start()
        sidecar.start()
        poll.start()
        renewing, echo = Renewing(folder), Echo(folder / "log" / "executor.log")
        renewing.start()
        echo.start()
        threading.Thread(target=_watch_disk, args=(folder, ended), name="disk", daemon=True).start()
        watched = _watched(folder, arguments.metrics_port)
        try:
            state = loopback.home / "processes.json"
            keeping = Supervisor(children_of(folder), state, folder / "log")
            keeping.run(lambda: bool(told_to) or poll.revoked.is_set())
        finally:
            _hear_no_more()
            ended.set()
            watched.stop()
            echo.stop()
            renewing.stop()
            poll.stop()
            sidecar.stop()
    if poll.revoked.is_set() and not told_to:
        raise OperatorError(
            f"{member} was revoked: the gate at {gate} lets it in no more",
            remedy="ask the coordinator's operator; who is to come back joins under another code",
        )
    return 0


def _hear_no_more() -> None:
    """A second Ctrl-C or SIGTERM does not disturb the end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def checked(folder: Path) -> tuple[str, str, Consortium]:
    """Member, gate and consortium; OperatorError when the folder cannot be served: better now than
    in a process's log.
    """
    if not (folder / SETTINGS).is_file():
        there = "holds no client.toml" if folder.is_dir() else "is no folder"
        raise OperatorError(
            f"{folder} {there}",
            remedy="name the lender's folder, or join a consortium first: lianfang-client join -h",
        )
    member, gate, consortium = read_node(folder)
    read_transport(folder, member, datetime.now(UTC))
    read_bundles(folder)
    Mutual(folder).context()
    if not Loopback(folder).node_key.is_file():
        raise OperatorError(
            f"{folder}: no file {Loopback(folder).node_key.name} in own/",
            remedy="join the consortium: lianfang-client join makes it",
        )
    return member, gate, consortium


def children_of(folder: Path) -> list[Child]:
    """The lender's processes. A SuperNode whose executor is gone would wait long for a reply."""
    parent, takes = str(os.getpid()), {"executor": ("supernode",)}
    home = {"FLWR_HOME": str(folder / "own" / "node" / "home")}
    return [
        Child(
            name,
            ("-m", "client.node.child", parent, name, str(folder)),
            takes.get(name, ()),
            {**ENVIRONMENT, **home},
        )
        for name in ENTRIES
    ]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The turn to serve this folder; the system lets go of it however this process ends."""
    keep_private(folder / "own")
    handle = os.open(folder / "own" / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OperatorError(
            f"{folder} is being served already, by another process",
            remedy="stop that one first; one process serves a folder",
        ) from error
    else:
        yield
    finally:
        os.close(handle)


def _watched(folder: Path, port: int) -> Observed:
    """Metrics and health; on another port where that one is taken."""
    try:
        return observed(folder, port, _THREADS)
    except OperatorError:
        made = observed(folder, 0, _THREADS)
        told = "port %d is taken: metrics are at %d"
        logging.getLogger("lianfang.client").warning(told, port, made.port)
        return made


def _watch_disk(folder: Path, ended: threading.Event) -> None:
    disk = DiskWatch(folder)
    while not ended.wait(_LOOK_SECONDS):
        disk.look()


def _say(
    loopback: Loopback,
    began: float,
    ended: threading.Event,
    member: str,
    gate: str,
    as_json: bool,
) -> None:
    while not ended.wait(0.1):
        try:
            if loopback.registered.stat().st_mtime >= began:
                break
        except OSError:
            continue
    else:
        return
    text = json.dumps({"member": member, "gate": gate})
    told = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {member} is connected to {gate}\n"
    sys.stdout.write(f"{text}\n" if as_json else told)
    sys.stdout.flush()
