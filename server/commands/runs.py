"""`lianfang-server run …`: the consortium's runs, on the machine where `start` runs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console
from rich.live import Live
from rich.table import Table

from server.commands.giving_up import give_up_batch
from server.commands.serving import command
from shared.errors import OperatorError
from shared.training.agreement import Family

if TYPE_CHECKING:
    from server.commands.connected import Connected
    from server.coordinator.checkpoint import StageRecord
    from server.coordinator.status import Status

EXAMPLES = """examples:
  lianfang-server run start /srv/consortium spring-2027
  lianfang-server run start /srv/consortium spring-2027 --family network --rounds 30 --detach
  lianfang-server run start /srv/consortium asked-1 --asked batch.json
  lianfang-server run status /srv/consortium spring-2027 --watch
  lianfang-server run stop /srv/consortium spring-2027
  lianfang-server run resume /srv/consortium spring-2027
  lianfang-server run give-up /srv/consortium asked-1          says what is lost; --yes does it
  lianfang-server run list /srv/consortium

`start` and `resume` wait until the run is over, with --detach only until it is accepted. Ctrl-C
ends the waiting, not the run. With --asked the run is one batch of tokens about borrowing, which a
lender made (lianfang-client borrowing ask): it ends with runs/NAME/answer.json for that lender. It
is refused beside another run, and so is another run beside it; also while the end of the batch
before was not heard by all its lenders: `resume` that one, or, where one will never hear it,
`give-up`.

Exit status: 0 done, or the run is finished; 1 it is not finished yet, or waits for --yes; 2 a
setting is wrong or nothing runs on the folder; 3 the run failed or was stopped: the message names
lenders, phase and remedy.
"""
NOT_FINISHED, FAILED = 1, 3
_LOOK_SECONDS, _ASK_SECONDS, _GRACE_SECONDS = 0.5, 3.0, 60.0
_LOOKS = 5


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `run` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "run", help="start, watch, stop, resume runs", epilog=EXAMPLES, formatter_class=form
    )
    own = parser.add_subparsers(dest="run_command", required=True, metavar="COMMAND")
    start = command(own, "start", "start a new run", EXAMPLES)
    resume = command(own, "resume", "go on with a run that failed, or was stopped", EXAMPLES)
    status = command(own, "status", "how a run stands", EXAMPLES)
    stop = command(own, "stop", "stop a run; what is done is kept", EXAMPLES)
    ended = command(own, "give-up", "end a batch whose lenders will not all hear its end", EXAMPLES)
    listed = command(own, "list", "all runs", EXAMPLES)
    handlers = (
        (start, _start), (resume, _resume), (status, _status), (stop, _stop),
        (ended, give_up_batch), (listed, _list),
    )  # fmt: skip
    for one, handler in handlers:
        one.add_argument("folder", type=Path, help="the coordinator's folder")
        if one is not listed:
            one.add_argument("name", metavar="RUN", help="the run's name, such as spring-2027")
        one.add_argument("--json", action="store_true", help="one JSON line for scripts")
        one.set_defaults(handler=partial(_in_its_folder, handler))
    for one in (start, resume):
        one.add_argument("--detach", action="store_true", help="do not wait for the run")
        one.add_argument("--patience", type=float, metavar="SECONDS", help="for late lenders")
        one.add_argument("--deadline", type=float, metavar="SECONDS", help="of one exchange")
    start.add_argument("--family", choices=get_args(Family), help="instead of the consortium's")
    start.add_argument("--rounds", type=int, metavar="N", help="instead of the consortium's")
    start.add_argument("--asked", type=Path, metavar="BATCH", help="a lender's batch, not a model")
    text = "not over the lenders of earlier batches: each must be allowed at every lender"
    start.add_argument("--anew", action="store_true", help=text)
    start.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    ended.add_argument("--yes", action="store_true", help="without it, only say what it costs")
    status.add_argument("--watch", action="store_true", help="until the run is over")


def _in_its_folder(
    handler: Callable[[argparse.Namespace], int], arguments: argparse.Namespace
) -> int:
    """Where it fails in a folder without runs that is no coordinator's, that is told instead."""
    try:
        return handler(arguments)
    except OperatorError:
        _check_folder(arguments.folder)
        raise


def _check_folder(folder: Path) -> None:
    from server.consortium.folder import consortium_text
    from server.deployment.runs import RUNS

    if not (folder / RUNS).is_dir():
        consortium_text(folder)


def _start(arguments: argparse.Namespace) -> int:
    from server.commands.asked_run import check_name, length_of, terms_asked
    from server.consortium.folder import read_consortium
    from server.deployment.control import control_of
    from server.deployment.runs import start_run

    consortium = read_consortium(arguments.folder)
    check_name(arguments.folder, arguments.name)
    agreement = terms_asked(arguments, consortium)
    with control_of(arguments.folder) as control:
        start_run(
            arguments.folder,
            arguments.name,
            agreement,
            control,
            patience=arguments.patience or 0.0,
            deadline=arguments.deadline or 0.0,
        )
    if told := length_of(arguments.folder, agreement.rounds):
        sys.stderr.write(f"attention: {told}\n")
    return _accepted(arguments)


def _resume(arguments: argparse.Namespace) -> int:
    from server.deployment.control import control_of
    from server.deployment.runs import resume_run

    with control_of(arguments.folder) as control:
        resume_run(
            arguments.folder,
            arguments.name,
            control,
            patience=arguments.patience,
            deadline=arguments.deadline,
        )
    return _accepted(arguments)


def _stop(arguments: argparse.Namespace) -> int:
    from server.deployment.control import control_of
    from server.deployment.runs import stop_run

    with control_of(arguments.folder) as control:
        stop_run(arguments.folder, arguments.name, control)
    _say(arguments, {"run": arguments.name, "state": "stopped"}, f"{arguments.name} is stopped")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    if arguments.watch:
        return _ended(arguments, _watched(arguments), shown=Console().is_terminal)
    return _ended(arguments, _standing(arguments))


def _list(arguments: argparse.Namespace) -> int:
    from server.coordinator.places import GIVEN_UP
    from server.coordinator.status import Status, read_status
    from server.deployment.runs import RUNS, names_of

    found = []
    _check_folder(arguments.folder)
    for name in names_of(arguments.folder):
        try:
            found.append(read_status(arguments.folder / RUNS / name) or Status(name, "starting"))
        except OperatorError as error:  # one run's file hides no other run
            sys.stderr.write(f"{error}\n")
    runs = arguments.folder / RUNS
    ended = {status.run for status in found if (runs / status.run / GIVEN_UP).exists()}
    if arguments.json:
        told = [status.to_dict() | {"given_up": status.run in ended} for status in found]
        _line(json.dumps(told, ensure_ascii=False))
        return 0
    table = Table("run", "state", "stages", "started", "lenders", "model")
    for status in found:
        done = f"{status.done}/{status.steps}" if status.steps else str(status.done)
        started, lenders = status.started[:16].replace("T", " "), str(len(status.lenders))
        state = "given up" if status.run in ended else status.state
        table.add_row(status.run, state, done, started, lenders, status.model[:16])
    Console().print(table)
    return 0


def _accepted(arguments: argparse.Namespace) -> int:
    if arguments.detach:
        _say(
            arguments,
            {"run": arguments.name, "state": "starting"},
            f"{arguments.name} was accepted; watch it: lianfang-server run status "
            f"{arguments.folder} {arguments.name} --watch",
        )
        return 0
    return _ended(arguments, _watched(arguments), shown=Console().is_terminal)


def _ended(arguments: argparse.Namespace, status: Status, *, shown: bool = False) -> int:
    """Say how the run stands, unless a live table has `shown` it; the exit status."""
    from server.commands.run_table import lines_of, page
    from server.deployment.disk import REMEDY, trouble_of

    status, records = _looked(arguments, status)
    there = None if status.ended else _connected(arguments)
    if arguments.json:
        known = {} if there is None else {"connected": asdict(there)}
        stages = {"stages": [record.to_dict() for record in records]}
        _line(json.dumps(status.to_dict() | stages | known, ensure_ascii=False))
    elif not shown:
        Console().print(page(status, records, last=0, there=there))
    if status.state != "finished" and (trouble := trouble_of(arguments.folder)):
        sys.stderr.write(f"attention: {trouble}. {REMEDY}\n")
    if status.state in ("failed", "stopped"):
        for line in lines_of(status) if arguments.json else ():
            sys.stderr.write(f"{line}\n")
        return FAILED
    return 0 if status.state == "finished" else NOT_FINISHED


def _looked(arguments: argparse.Namespace, status: Status) -> tuple[Status, list[StageRecord]]:
    """The status, and the records of as many stages as it says are done. It may be older than the
    records, which are durable before it is: then it is read again.
    """
    from server.coordinator.checkpoint import records_in
    from server.coordinator.places import STAGES
    from server.deployment.runs import run_folder

    stages = run_folder(arguments.folder, arguments.name) / STAGES
    for _ in range(_LOOKS):
        records = records_in(stages)
        if status.ended or status.done >= len(records):
            break
        status = _standing(arguments)
    return replace(status, done=max(status.done, len(records))), records


def _connected(arguments: argparse.Namespace) -> Connected | None:
    from server.commands.connected import connected
    from server.deployment.runs import run_folder

    return connected(arguments.folder, run_folder(arguments.folder, arguments.name))


def _standing(arguments: argparse.Namespace) -> Status:
    from server.coordinator.status import Status, read_status
    from server.deployment.runs import run_folder

    place = run_folder(arguments.folder, arguments.name)
    return read_status(place) or Status(arguments.name, "starting")


def _watched(
    arguments: argparse.Namespace,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Status:
    """The status once the run has ended, with a live table where a person looks."""
    from server.commands.run_table import fitting

    console = Console()
    shown = console.is_terminal and not arguments.json
    there, told = None, ""
    with Live(console=console, auto_refresh=False) if shown else nullcontext() as live:
        asked = alone_since = clock()
        while True:
            status = _standing(arguments)
            if live is not None:
                status, records = _looked(arguments, status)
                live.update(fitting(console, status, records, there), refresh=True)
            if status.ended:
                return status
            if clock() - asked > _ASK_SECONDS:
                asked = clock()
                there = _connected(arguments)
                if live is None:
                    told = _tell_of(there, told)
                if _somebody_is_at_it(arguments):
                    alone_since = clock()
            if clock() - alone_since > _GRACE_SECONDS:
                raise OperatorError(
                    f"run {arguments.name} was interrupted at {status.phase or status.stage}: no "
                    "process is at work on it, and nobody has started it again",
                    remedy=f"look after lianfang-server start, then: lianfang-server run resume "
                    f"{arguments.folder} {arguments.name}",
                )
            sleep(_LOOK_SECONDS)


def _tell_of(there: Connected | None, told: str) -> str:
    """On standard error, where no table is shown, that too few lenders are there: each time it is
    something else. What was told.
    """
    what = "" if there is None or there.enough else there.line()
    if what and what != told:
        sys.stderr.write(f"{what}\n")
        sys.stderr.flush()
    return what


def _somebody_is_at_it(arguments: argparse.Namespace) -> bool:
    """A process works on the run, or the SuperLink means to have one."""
    from server.deployment.control import control_of
    from server.deployment.runs import at_work, read_started, run_folder

    place = run_folder(arguments.folder, arguments.name)
    if at_work(place):
        return True
    number = read_started(place).flower_run
    try:
        with control_of(arguments.folder) as control:
            found = control.run(number) if number else None
    except OperatorError:
        return False
    return found is not None and not found.ended


def _say(arguments: argparse.Namespace, document: dict[str, object], text: str) -> None:
    _line(json.dumps(document, ensure_ascii=False) if arguments.json else text)


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
