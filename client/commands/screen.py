"""`lianfang-client screen`: a whole book against this lender's own copy of the list."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from client.commands.deciding import columns_named
from client.commands.printing import ATTENTION, DONE, bars, document, line, note, warn_if_old

EXAMPLES = """examples:
  lianfang-client screen book.csv --out hits.csv                  in the lender's folder, or:
  lianfang-client screen book.parquet --out hits.parquet --folder /srv/lender
  lianfang-client screen book.csv --out hits.csv --column resident_id=ID_NO --json

The list is the copy of the last `list sync`. A book that was screened before is screened again
without a network; of a new one only blinded points leave.

Exit status: 0 no hit; 1 there are hits, or cells that are no identifiers (listed); 2 nothing was
done: the message says why and what to do.
"""
_SHOWN = 20


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `screen` to the client's commands."""
    parser = commands.add_parser(
        "screen",
        help="screen a book against the shared list",
        description="Screen a book against this lender's copy of the list.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("book", type=Path, help="CSV or Parquet file")
    parser.add_argument("--out", type=Path, required=True, help=".csv or .parquet to write")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="KIND=HEADER",
        help="a column whose header is none in common use",
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="the lender's folder")
    parser.add_argument("--json", action="store_true", help="one JSON line for scripts")
    parser.set_defaults(run=_screen)


def _screen(arguments: argparse.Namespace) -> int:
    from client.exchange.hits_file import check_out, write_hits
    from client.exchange.opening import open_desk

    check_out(arguments.out, arguments.book)
    columns = columns_named(arguments.column)
    with open_desk(arguments.folder) as desk, bars() as bar:
        names = iter(("reading", "tokens", *[f"tokens, epoch {n}" for n in desk.epochs()]))

        def begin(total: int) -> Callable[[int], None]:
            return bar(next(names, "tokens"), total)

        found, age = desk.screen(arguments.book, columns=columns, progress=begin), desk.age
    warn_if_old(age)
    write_hits(found.hits, arguments.out, book=arguments.book)
    status = ATTENTION if found.hits or found.bad or found.unreadable else DONE
    if arguments.json:
        bad = [cell._asdict() for cell in found.bad]
        document(
            {
                "rows": found.rows,
                "subjects": found.subjects,
                "hits": len(found.hits),
                "bad_cells": bad,
                "warnings": dict(found.warnings),
                "unreadable_records": found.unreadable,
                "tokens_asked": found.asked,
                "version": found.version,
                "days_old": age.days,
                "out": str(arguments.out),
            }
        )
        return status
    for cell in found.bad[:_SHOWN]:
        note(f"line {cell.line}, {cell.column} {cell.text}: {cell.what}; {cell.remedy}")
    if len(found.bad) > _SHOWN:
        note(f"… and {len(found.bad) - _SHOWN:,} more cells that are no identifiers (see --json)")
    if found.unreadable:
        note(f"warning: {found.unreadable:,} records did not open: whoever filed them made them up")
    asked = f"{found.asked:,} tokens asked for" if found.asked else "no network was needed"
    line(
        f"{found.rows:,} rows, {found.subjects:,} identifiers, version {found.version} of the "
        f"list: {len(found.hits):,} hits in {arguments.out}; {asked}"
    )
    return status
