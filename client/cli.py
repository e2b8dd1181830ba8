"""`lianfang-client`: what a member institution runs.

    lianfang-client join - --folder /srv/lender --table loans.parquet    with an invitation
    lianfang-client doctor /srv/lender          is all ready, and if not, what to do
    lianfang-client start /srv/lender           the node, until told to stop
    lianfang-client check loans.csv --schema consortium.toml
    lianfang-client score own/model applicants.csv --out scored.csv --reasons 4
    lianfang-client result own/result.json
    lianfang-client outbox                      what left this building, from the lender's folder
    lianfang-client outbox /srv/lender --since 200 --refusals
    lianfang-client outbox /srv/lender --run 3fa8c1 --json
    lianfang-client list sync --folder /srv/lender      the shared fraud list: see list -h
    lianfang-client screen book.csv --out hits.csv --folder /srv/lender
    lianfang-client ring check --resident-id -          fraud rings: see ring -h
    lianfang-client borrowing check --resident-id -     borrowing elsewhere: see borrowing -h

Exit status: 0 done; 1 (list, screen, ring, borrowing, members, doctor) done, and somebody should
look, at a hit for example; 2 the input or a setting is wrong (the message says which and what to
do). With --json an error is also a line {"error": …, "remedy": …} on standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from client.commands import allowing, borrowing, doctor, join, listing, ring, screen, start
from client.commands.printing import fail
from shared.errors import LianfangError, OperatorError
from shared.plain_parser import PlainParser

console = Console(stderr=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, call, print; returns the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _parser().parse_args(words)
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except LianfangError as error:
        return fail(error, as_json="--json" in words)
    except KeyboardInterrupt:
        console.print("stopped; what was fetched or sent so far is kept: give the command again")
        return 130


def _check(arguments: argparse.Namespace) -> int:
    from client.table import read_table
    from shared.schema import parse_schema

    try:
        document = tomllib.loads(arguments.schema.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{arguments.schema}: {error}", remedy="check the schema") from error
    checked = read_table(arguments.table, parse_schema(document))
    table = checked.table
    bad = 0 if table.bad is None else int(table.bad.sum())
    if arguments.json:
        warnings = [str(warning) for warning in checked.warnings]
        _out({"rows": table.rows, "bad": bad, "warnings": warnings})
        return 0
    for warning in checked.warnings:
        console.print(f"warning: {warning}", highlight=False, markup=False, soft_wrap=True)
    _line(f"{arguments.table.name}: {table.rows:,} rows, {bad:,} bad; fits the schema")
    return 0


def _score(arguments: argparse.Namespace) -> int:
    from client.scoring import open_model, score_book

    scorer = open_model(arguments.model, shared_only=arguments.shared_only)
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("scoring", total=None)

        def begin(rows: int) -> Callable[[int], None]:
            progress.update(task, total=rows)
            return lambda done: progress.update(task, advance=done)

        rows = score_book(
            scorer, arguments.book, arguments.out, reasons=arguments.reasons, progress=begin
        )
    if arguments.json:
        personal = scorer.layer is not None
        about = {"rows": rows, "out": str(arguments.out), "personal": personal}
        _out(about | {"model": scorer.digest})
    else:
        which = "personal" if scorer.layer is not None else "shared"
        _line(f"{rows:,} applicants scored with the {which} model: {arguments.out}")
        _line(f"shared model {scorer.digest[:16]}: compare it with the one in use")
    return 0


def _result(arguments: argparse.Namespace) -> int:
    try:
        result = json.loads(arguments.file.read_text(encoding="utf-8"))
        lines = [f"{key:<31} {result[key]}" for key in sorted(result) if key != "psi"]
        drifts = sorted(result["psi"].items(), key=lambda item: -(item[1] or 0.0))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise OperatorError(
            f"{arguments.file}: is not a result file ({type(error).__name__})",
            remedy="name own/result.json of a finished run",
        ) from error
    if arguments.json:
        _out(result)
        return 0
    for line in lines:
        _line(line)
    for name, value in drifts:
        _line(f"{'drift of ' + name:<31} {'-' if value is None else format(value, '.3f')}")
    return 0


def _outbox(arguments: argparse.Namespace) -> int:
    from client.outbox_table import documents, page, read_outbox

    outbox = read_outbox(arguments.folder)
    entries = outbox.chosen(
        since=arguments.since, run=arguments.run_digest, refusals=arguments.refusals
    )
    if arguments.json:
        _out(documents(outbox, entries))
        return 0
    for line in page(outbox, entries):
        _line(line)
    return 0


def _parser() -> argparse.ArgumentParser:
    summary, _, examples = (__doc__ or "").partition("\n\n")
    parser = PlainParser(
        prog="lianfang-client",
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=parser.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    check = add("check", "check a table against the consortium's schema")
    check.add_argument("table", type=Path, help="CSV or Parquet file with labels")
    check.add_argument("--schema", type=Path, required=True, help="the consortium's TOML file")
    score = add("score", "score applicants with a trained model")
    score.add_argument("model", type=Path, help="model folder, e.g. own/model")
    score.add_argument("book", type=Path, help="CSV or Parquet file; no labels needed")
    score.add_argument("--out", type=Path, required=True, help=".csv or .parquet to write")
    score.add_argument("--reasons", type=int, default=0, metavar="N", help="add N reasons (≤ 4)")
    score.add_argument("--shared-only", action="store_true", help="leave the personal layer aside")
    result = add("result", "show what this lender keeps of a run")
    result.add_argument("file", type=Path, help="own/result.json")
    outbox = add("outbox", "show what left this lender, and check the journal")
    outbox.add_argument("folder", type=Path, nargs="?", default=Path(), help="the lender's folder")
    outbox.add_argument("--since", type=int, default=1, metavar="N", help="from number N on")
    outbox.add_argument(
        "--run",
        dest="run_digest",
        default="",
        metavar="HEX",
        help="of this agreement, run or round",
    )
    outbox.add_argument("--refusals", action="store_true", help="only what was refused")
    handlers = ((check, _check), (score, _score), (result, _result), (outbox, _outbox))
    for command, handler in handlers:
        command.add_argument("--json", action="store_true", help="one JSON line for scripts")
        command.set_defaults(run=handler)
    join.add(commands)
    doctor.add(commands)
    start.add(commands)
    allowing.add(commands)
    listing.add(commands)
    screen.add(commands)
    borrowing.add(commands)
    ring.add(commands)
    return parser


def _out(document: object) -> None:
    _line(json.dumps(document, ensure_ascii=False))


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
