"""`lianfang-server`: what the coordinator runs on a run's folder, and the shared list's services.

    lianfang-server status out/demo/run          stage by stage: who is in it, bytes, seconds; and
                                                 how far the stage is that is open
    lianfang-server verify out/demo/run          fold all released totals again, compare the model;
                                                 of a batch about borrowing: its signed answer
    lianfang-server run start /srv/consortium spring-2027    runs of a consortium: see run -h
    lianfang-server model list /srv/consortium   models, promoted by two operators: see model -h
    lianfang-server demo                         try the shared fraud list on this machine
    lianfang-server keyholder serve /srv/k1      the list's services; each has examples: keyholder,
    lianfang-server registry serve /srv/r1       registry, keys, authority, each with -h
    lianfang-server borrowing serve /srv/d2      the desk that counts borrowing elsewhere
    lianfang-server keys status /srv/operator
    lianfang-server cases serve /srv/d1          the desk that finds fraud rings: see cases -h

Exit status: 0 done; 1 the run is not finished or does not verify, or is a batch that was given up,
keys are not the same at all holders, the demo's check failed; 2 a folder or setting is wrong, or
nobody answers; 3 (`run`) a run failed; the message says which and what to do; 130 Ctrl-C. With
--json an error is also a line {"error": …, "remedy": …} on standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.commands import (
    authority,
    borrowing,
    cases,
    founding,
    keyholder,
    keys,
    models,
    registry,
    runs,
    start,
)
from server.commands.printing import fail
from server.commands.serving import command
from server.commands.verifying import verify
from server.demo import command as demo
from shared.errors import LianfangError
from shared.plain_parser import PlainParser

Handler = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, call, print; returns the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _parser().parse_args(words)
        handler: Handler = arguments.handler
        status = handler(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except LianfangError as error:
        return fail(error, as_json="--json" in words)
    except KeyboardInterrupt:
        return 130


def _status(arguments: argparse.Namespace) -> int:
    from server.coordinator.checkpoint import Checkpoints
    from server.coordinator.kept_rounds import open_round_of
    from server.coordinator.places import GIVEN_UP
    from server.coordinator.refusals import refusals_kept
    from server.coordinator.rounds import STAGES, fold_of, read_terms

    run = fold_of(read_terms(arguments.run))
    _, records = Checkpoints(arguments.run / STAGES).replay(run)
    opened, refusals = open_round_of(arguments.run, run), refusals_kept(arguments.run)
    if arguments.json:
        stages = [record.to_dict() for record in records]
        about = {"finished": run.finished, "digest": run.digest, "open": opened}
        _line(json.dumps(about | {"stages": stages, "refusals": refusals}))
        return 0 if run.finished else 1
    table = Table("stage", "lenders", "missing", "kB up", "kB down", "seconds")
    for record in records:
        sizes = (f"{record.bytes_up / 1e3:,.0f}", f"{record.bytes_down / 1e3:,.0f}")
        lost = [f"{line} (in the sum)" for line in record.lost]
        missing = Text("; ".join([*record.missing, *lost]))
        table.add_row(
            record.stage, str(len(record.members)), missing, *sizes, f"{record.seconds:.2f}"
        )
    Console().print(table)
    state = "finished" if run.finished else opened or f"next: {run.question().stage}"
    if (arguments.run / GIVEN_UP).exists():
        state = "given up"
    if refusals:
        _line(f"signed refusals in refusals/: {', '.join(refusals)}")
    _line(f"{len(records)} stages; {state}; digest {run.digest[:16]}")
    return 0 if run.finished else 1


def _parser() -> argparse.ArgumentParser:
    summary, _, examples = (__doc__ or "").partition("\n\n")
    parser = PlainParser(
        prog="lianfang-server",
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    examples = parser.epilog or ""
    status = command(commands, "status", "what happened in a run, stage by stage", examples)
    verified = command(commands, "verify", "fold the released totals again", examples)
    for one, handler in ((status, _status), (verified, verify)):
        one.set_defaults(handler=handler)
        one.add_argument("run", type=Path, help="a run's folder, e.g. out/demo/run")
        one.add_argument("--json", action="store_true", help="one JSON line for scripts")
    for own in (
        founding,
        start,
        runs,
        models,
        authority,
        keyholder,
        registry,
        borrowing,
        cases,
        keys,
        demo,
    ):
        own.add(commands)
    return parser


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
