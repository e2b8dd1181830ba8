"""`lianfang-client borrowing screen | columns`: the answers of a book, and their columns."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from client.commands.borrowing_words import WITHHELD
from client.commands.filing import columns_named
from client.commands.printing import ATTENTION, DONE, bars, document, line, note
from client.commands.words import counted
from shared.borrowing.terms import FRESH_DAYS, TTL_DAYS
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.borrowing.answers_file import Kept
    from client.borrowing.screening import Screened
    from client.exchange.cells import BadCell

Command = Callable[[str, str, Callable[[argparse.Namespace], int]], argparse.ArgumentParser]
_SHOWN = 20


def add(command: Command) -> argparse.ArgumentParser:
    """Add these; `screen` is returned, for the options that others have, too."""
    screened = command("screen", "look every row of a book up", _screen)
    screened.add_argument("book", type=Path, help="CSV or Parquet file")
    screened.add_argument("--out", type=Path, required=True, help=".csv or .parquet to write")
    screened.add_argument(
        "--every-cell",
        action="store_true",
        help="all cells, for a model: each row's day must be there, in a column applied_at",
    )
    screened.add_argument(
        "--today", action="store_true", help="ask of every row as of today, whatever its day"
    )
    screened.add_argument(
        "--append",
        action="store_true",
        help="add to --out what it has no answer for yet, by application_id",
    )
    columns = command("columns", "how a schema declares these features", _columns)
    columns.add_argument(
        "cells",
        nargs="*",
        metavar="CELL",
        help="or its header (id_…) in a screened book; without: those that the simulation uses",
    )
    columns.add_argument("--json", action="store_true", help="one JSON line for scripts")
    return screened


def warn_if_old(day: date, age: int) -> None:
    """Where the table is not one of these days."""
    if age > FRESH_DAYS:
        note(
            f"warning: the table is of {day}, {age} days ago, and misses what came since: "
            "lianfang-client borrowing sync"
        )


def _screen(arguments: argparse.Namespace) -> int:
    from client.borrowing.opening import open_borrowing
    from client.borrowing.screening import Wanted, screen

    if not arguments.out.parent.is_dir():
        raise OperatorError(
            f"{arguments.out.parent}: there is no such folder; nothing was looked up",
            remedy="make it first, or name another --out",
        )
    with open_borrowing(arguments.folder) as desk, bars() as bar:
        done = screen(
            desk,
            arguments.book,
            arguments.out,
            Wanted(arguments.every_cell, arguments.today, arguments.append),
            columns=columns_named(arguments.column),
            progress=lambda total: bar("tokens", total),
        )
        day = date.fromisoformat(done.day)
        age = (desk.today - day).days
    warn_if_old(day, age)
    _note_bad(done.bad)
    if done.kept.over:
        note(
            f"{counted(done.kept.over, 'answer')} in {arguments.out} older than {TTL_DAYS} days, "
            "the term of an answer: keep them only if the consortium's rules let a model do so"
        )
    if arguments.json:
        document(_content(done, age, arguments.out))
    else:
        _print(done, arguments.out, append=arguments.append)
    look = done.look or done.bad or done.left_out or done.kept.unasked
    return ATTENTION if look else DONE


def _content(done: Screened, age: int, out: Path) -> dict[str, object]:
    return {
        "rows": done.rows,
        "known": done.known,
        "look": done.look,
        "withheld": done.withheld,
        "bad_cells": [cell._asdict() for cell in done.bad],
        "left_out": {str(why): list(lines) for why, lines in done.left_out.items()},
        "added": done.kept.added,
        "there_already": done.kept.before,
        "not_asked": list(done.kept.unasked),
        "look_not_in_file": list(done.kept.unseen),
        "over_term": done.kept.over,
        "day": done.day,
        "days_old": age,
        "out": str(out),
    }


def _print(done: Screened, out: Path, *, append: bool) -> None:
    from client.borrowing.screening import SAID
    from shared.borrowing.terms import LEAST_OF_CLASS

    where = "" if append else f"; in {out}"
    line(
        f"{counted(done.rows, 'row')}: {done.known:,} that others told of, {done.look:,} to "
        f"look at{where}, by the table of {done.day}"
    )
    if done.withheld:
        withheld = WITHHELD.format(least=LEAST_OF_CLASS)
        line(f"{counted(done.withheld, 'row')} with −2 in it, {withheld}")
    if append:
        _print_kept(done.kept, out)
    for why, lines in done.left_out.items():
        line(f"{counted(len(lines), 'row')} left out, not looked up, {SAID[why]}: {_lines(lines)}")


def _print_kept(kept: Kept, out: Path) -> None:
    stays = ", whose first answer stays" if kept.before else ""
    line(f"in {out}: {kept.added:,} added, {kept.before:,} there before{stays}")
    if kept.unseen:
        line(
            f"{counted(len(kept.unseen), 'row')} to look at by this table, not by the first "
            f"answer: {_lines(kept.unseen)}"
        )
    if kept.unasked:
        line(
            f"{counted(len(kept.unasked), 'row')} not added, nobody was asked: no identifier that "
            "can be read; mend it and screen it before the next `borrowing sync`: "
            f"{_lines(kept.unasked)}"
        )


def _lines(lines: Sequence[int]) -> str:
    return "line " + ", ".join(map(str, lines[:_SHOWN])) + (" …" if len(lines) > _SHOWN else "")


def _note_bad(bad: tuple[BadCell, ...]) -> None:
    for cell in bad[:_SHOWN]:
        about = f"line {cell.line}, {cell.column} {cell.text}"
        note(f"{about}: {cell.what} ({cell.reason}); {cell.remedy}")
    if len(bad) > _SHOWN:
        note(f"… and {len(bad) - _SHOWN:,} more cells that are no identifiers; --json lists more")


def _columns(arguments: argparse.Namespace) -> int:
    from shared.borrowing.columns import OF_LOANS, cell_of, column_of, schema_block

    cells = list(dict.fromkeys(map(cell_of, arguments.cells))) or OF_LOANS
    block = schema_block(cells)
    if arguments.json:
        document({"columns": [asdict(column_of(cell)) for cell in cells]})
    else:
        line(block.rstrip("\n"))
    if any(cell not in OF_LOANS for cell in cells):
        note("no measurement has shown what cells other than the simulation's add to a model")
    return DONE
