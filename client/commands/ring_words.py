"""The words of `lianfang-client ring …`: parsers only."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from client.commands.filing_words import add_filing
from client.commands.identifiers import add_identifiers

Handler = Callable[[argparse.Namespace], int]
_RING = "how its name begins, as `ring own` and `ring check` show it (4 letters and digits or more)"
_EXAMPLES = """examples (--folder is the lender's folder; its exchange.toml has a section [cases]):
  lianfang-client ring sync --folder /srv/lender                     cases and bulletins
  lianfang-client ring contribute edges.csv --case spring            weekly; again: it goes on
  lianfang-client ring contribute --case spring --now                what the week asks for, at once
  lianfang-client ring retract wrong.csv --case spring --yes         contributed by mistake
  lianfang-client ring check --resident-id -                         one applicant
  lianfang-client ring screen book.csv --out flags.csv
  lianfang-client ring own                                           rings with own customers
  lianfang-client ring show 3fa8c1 --html ring.html
  lianfang-client ring decide 3fa8c1 --verdict innocent --operator "Li Na"
  lianfang-client ring decide 3fa8c1 --verdict fraud --operator "Li Na" --confidence confirmed \\
      --event-date 2026-01-05 --product consumer --outcome refused --notice exempt:court_order \\
      --evidence device_trace=case17.pdf
  lianfang-client ring confirm 3fa8c1 --operator "Wang Wei"

A row of EDGES: subject_kind, subject, attribute_kind, attribute, date, and perhaps amount (of
payees) and customer_ref, your own name of the customer, which never leaves.

Exit status: 0 done; 1 done, and somebody should look: a flag, rows left out, a verdict that waits,
a bulletin that is days old; 2 not done, or not all: the message says why and what to do; what was
fetched or sent is kept, so the same command goes on. With --json an error is also a line
{"error": …, "remedy": …} on standard output.
"""


def add_ring(
    commands: argparse._SubParsersAction,  # type: ignore[type-arg]
    handlers: Mapping[str, Handler],
) -> None:
    """`ring` and its own commands."""
    parser = commands.add_parser(
        "ring",
        help="fraud rings across lenders: contribute, sync, check, screen, show, decide …",
        description="Fraud rings across lenders, from this lender's folder.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own = parser.add_subparsers(dest="ring_command", required=True, metavar="COMMAND")

    def add(name: str, text: str, *options: Callable[[argparse.ArgumentParser], None]) -> None:
        command = own.add_parser(
            name,
            help=text,
            description=text,
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for option in options:
            option(command)
        command.add_argument(
            "--folder", type=Path, default=Path(), help="the lender's folder (default: this one)"
        )
        command.add_argument("--json", action="store_true", help="one JSON line for scripts")
        command.set_defaults(run=handlers[name])

    add("sync", "fetch and check the cases and their bulletins", _case(needed=False))
    add("contribute", "keep observations, and do what the case's week asks for", _contribution)
    add("retract", "take observations back that were contributed by mistake", _retraction)
    add("check", "what is known about one applicant; asks nobody", add_identifiers)
    add("screen", "a whole book against the bulletins here", _book)
    add("own", "rings that own customers are in or near")
    add("show", "one ring, for an investigator", _ring("?"), add_identifiers, _page)
    add("decide", "one person's verdict on a ring", _ring(None), _verdict, _filing, _operator)
    add("confirm", "another person's word on that verdict; fraud is filed", _ring(None), _operator)


def _case(*, needed: bool) -> Callable[[argparse.ArgumentParser], None]:
    def added(command: argparse.ArgumentParser) -> None:
        usual = "" if needed else " (default: all)"
        command.add_argument(
            "--case", required=needed, default="", help=f"its name, or how its id begins{usual}"
        )

    return added


def _contribution(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "edges", type=Path, nargs="?", help="CSV or Parquet; without it: only the week's pages"
    )
    _case(needed=True)(command)
    command.add_argument(
        "--without-bad-rows", action="store_true", help="leave such rows out and go on"
    )
    text = "send at once, not at a moment drawn within window_hours of exchange.toml"
    command.add_argument("--now", action="store_true", help=text)


def _retraction(command: argparse.ArgumentParser) -> None:
    text = "the file that was contributed, or some of its rows"
    command.add_argument("edges", type=Path, nargs="?", help=text)
    _case(needed=True)(command)
    command.add_argument(
        "--ref",
        action="append",
        default=[],
        metavar="REF",
        help="all of the customer with this reference (customer_ref); as often as needed",
    )
    command.add_argument("--yes", action="store_true", help="without it, only say how many")


def _book(command: argparse.ArgumentParser) -> None:
    command.add_argument("book", type=Path, help="CSV or Parquet file")
    command.add_argument("--out", type=Path, required=True, help=".csv or .parquet to write")
    command.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="KIND=HEADER",
        help="a column whose header is none in common use",
    )


def _ring(count: str | None) -> Callable[[argparse.ArgumentParser], None]:
    def added(command: argparse.ArgumentParser) -> None:
        if count:
            text = f"{_RING}; or give the applicant"
            command.add_argument("ring", metavar="RING", nargs=count, default="", help=text)
        else:
            command.add_argument("ring", metavar="RING", help=_RING)

    return added


def _page(command: argparse.ArgumentParser) -> None:
    command.add_argument("--html", type=Path, metavar="FILE", help="write it as one offline page")
    command.add_argument(
        "--reveal", action="store_true", help="own customers' identifiers in full, not masked"
    )


def _operator(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--operator", required=True, metavar="NAME", help="who does this; kept as a keyed mark"
    )


def _verdict(command: argparse.ArgumentParser) -> None:
    command.add_argument("--verdict", required=True, choices=("fraud", "innocent", "watch"))
    command.add_argument(
        "--except",
        dest="left_out",
        action="append",
        default=[],
        metavar="REF",
        help="an own member that is no part of it, as `ring show` names it; as often as needed",
    )
    command.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="REF",
        help="one whom own observations alone make a member, and who is part of it; a fraud lists "
        "no such customer otherwise",
    )


def _filing(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the filing of a fraud (F302), as for `list file`")
    add_filing(group)
