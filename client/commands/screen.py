"""`lianfang-client screen`: a whole book against this lender's own copy of the list."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from client.commands.filing import columns_named
from client.commands.printing import (
    ATTENTION,
    DONE,
    bars,
    document,
    fail,
    line,
    note,
    warn_if_old,
)
from client.commands.words import ODD, ago, counted, skipped_lines
from shared.errors import LianfangError, OperatorError

if TYPE_CHECKING:
    from client.exchange.screening import Findings, NotLookedUp, Screening

EXAMPLES = """examples:
  lianfang-client screen book.csv --out hits.csv                  in the lender's folder, or:
  lianfang-client screen book.parquet --out hits.parquet --folder /srv/lender
  lianfang-client screen book.csv --out hits.csv --column resident_id=ID_NO --json

The list is the copy of the last `list sync`. A book that was screened before is screened again
without a network; of a new one only blinded points leave.

Exit status: 0 no hit; 1 there are hits, cells that are no identifiers (listed), rows without an
identifier that could be looked up, or rows of the list that nobody could look at; 2 nothing was
looked up: the message says why and what to do, after what is odd in the book's cells. With --json
an error is a line {"error": …, "remedy": …} too, with what was found in the cells.
"""
_SHOWN, _SHOWN_WARNED = 20, 5


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
    _check_folder(arguments.out)
    columns = columns_named(arguments.column)
    told: list[Findings] = []

    def tell(findings: Findings) -> None:
        told.append(findings)
        _note_findings(findings, where="" if arguments.json else "; --json lists more")

    try:
        with open_desk(arguments.folder) as desk, bars() as bar:
            names = iter(("reading", "tokens", *[f"tokens, epoch {n}" for n in desk.epochs()]))

            def begin(total: int) -> Callable[[int], None]:
                return bar(next(names, "tokens"), total)

            found = desk.screen(arguments.book, columns=columns, progress=begin, told=tell)
            age = desk.age
        warn_if_old(age)
        write_hits(found.hits, arguments.out, book=arguments.book)
    except LianfangError as error:
        if not told:
            raise
        return fail(error, as_json=arguments.json, **_cells(told[0]))
    for sentence in skipped_lines(found.skipped):
        note(f"warning: {sentence}")
    _note_not_looked_up(found.not_looked_up)
    if found.unreadable:
        records = counted(found.unreadable, "record")
        note(f"warning: {records} did not open: whoever filed such a one made it up")
    if arguments.json:
        out = {"days_old": age.days, "out": str(arguments.out)}
        document(_counts(found) | _cells(found.findings) | out)
    else:
        line(_sentence(found, arguments.out, age))
    looked = not (found.skipped or found.not_looked_up.count)
    look = found.hits or found.findings.bad or found.unreadable or not looked
    return ATTENTION if look else DONE


def _check_folder(out: Path) -> None:
    """OperatorError before long work; a folder with a slip in its name is not made."""
    if not out.parent.is_dir():
        raise OperatorError(
            f"{out.parent}: there is no such folder; nothing was looked up",
            remedy="make it first, or name another --out",
        )


def _sentence(found: Screening, out: Path, age: timedelta) -> str:
    asked = f"{counted(found.asked, 'token')} asked for" if found.asked else "no network was needed"
    return (
        f"{counted(found.rows, 'row')}, {counted(found.subjects, 'identifier')}, version "
        f"{found.version} of the list, published {ago(age)}: {counted(len(found.hits), 'hit')} in "
        f"{out}; {asked}"
    )


def _counts(found: Screening) -> dict[str, object]:
    return {
        "rows": found.rows,
        "subjects": found.subjects,
        "hits": len(found.hits),
        "unreadable_records": found.unreadable,
        "tokens_asked": found.asked,
        "version": found.version,
        "skipped_epochs": list(found.skipped),
        "rows_not_looked_up": vars(found.not_looked_up),
    }


def _note_not_looked_up(left: NotLookedUp) -> None:
    if left.count:
        lines = ", ".join(map(str, left.lines)) + (" …" if left.count > len(left.lines) else "")
        held = "held no identifier that could be looked up"
        note(f"warning: {counted(left.count, 'row')} {held}: line {lines}")


def _cells(findings: Findings) -> dict[str, object]:
    """`warned_cells` are at most a hundred of each column; `warnings` counts all."""
    return {
        "bad_cells": [cell._asdict() for cell in findings.bad],
        "warnings": dict(findings.warnings),
        "warned_cells": [cell._asdict() for cell in findings.warned],
    }


def _note_findings(findings: Findings, *, where: str) -> None:
    """Each with line, column, masked text and the word that stands in JSON."""
    for cell in findings.bad[:_SHOWN]:
        about = f"line {cell.line}, {cell.column} {cell.text}"
        note(f"{about}: {cell.what} ({cell.reason}); {cell.remedy}")
    if len(findings.bad) > _SHOWN:
        note(f"… and {len(findings.bad) - _SHOWN:,} more cells that are no identifiers{where}")
    for odd in findings.warned[:_SHOWN_WARNED]:
        what = ODD.get(odd.warning, "it is unusual")
        about = f"line {odd.line}, {odd.column} {odd.text}"
        note(f"warning: {about}: {what} ({odd.warning}); looked up as it is")
    left = sum(findings.warnings.values()) - len(findings.warned[:_SHOWN_WARNED])
    if left:
        note(f"… and {left:,} more warnings{where}")
