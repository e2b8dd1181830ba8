"""`lianfang-client borrowing keep | ask | open | give-up`: the stronger mode, without a desk."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from client.commands.borrowing_ending import give_up_end
from client.commands.filing import columns_named
from client.commands.printing import ATTENTION, DONE, bars, document, line, note
from client.commands.words import counted

if TYPE_CHECKING:
    import pandas as pd

    from client.borrowing.asking import Opened

Handler = Callable[[argparse.Namespace], int]
Command = Callable[[str, str, Handler], argparse.ArgumentParser]
_SHOWN = 20


def add(command: Command) -> tuple[argparse.ArgumentParser, ...]:
    """Add these; the first two of them take --column."""
    keep = command("keep", "keep own events here, to answer other lenders' batches from", _keep)
    keep.add_argument("events", type=Path, help="CSV or Parquet file, an event a row")
    keep.add_argument("--retract", action="store_true", help="take these events back instead")
    ask = command("ask", "make a batch of tokens about the people of a book", _ask)
    ask.add_argument("book", type=Path, help="CSV or Parquet file")
    ask.add_argument("--out", type=Path, required=True, help="the batch, for the coordinator")
    opened = command("open", "open the coordinator's answer to an own batch", _open)
    opened.add_argument("answer", type=Path, help="answer.json of the batch's run")
    opened.add_argument("--out", type=Path, required=True, help=".csv or .parquet to write")
    ended = command("give-up", "end a batch whose end never comes, by two persons", give_up_end)
    ended.add_argument("--operator", metavar="NAME", help="who says so; kept as a keyed mark")
    ended.add_argument("--yes", action="store_true", help="without it, only say what it costs")
    return keep, ask, opened, ended


def _keep(arguments: argparse.Namespace) -> int:
    from client.borrowing.opening import open_asking

    with open_asking(arguments.folder) as asking, bars() as bar:
        done = asking.keep(
            arguments.events,
            retract=arguments.retract,
            columns=columns_named(arguments.column),
            progress=lambda total: bar("tokens", total),
        )
    if arguments.json:
        content = {"events": done.events, "rows": done.rows, "kept": done.there}
        document(content | {"out_of_term_lines": list(done.late)})
    else:
        what = "taken back" if arguments.retract else "kept"
        line(
            f"{counted(done.events, 'event')} {what}, as {counted(done.rows, 'row')} under tokens; "
            f"{counted(done.there, 'row')} here now, of which nothing leaves but masked counts"
        )
    if done.late:
        where = ", ".join(map(str, done.late[:_SHOWN]))
        note(f"{counted(len(done.late), 'event')} left out, out of term: line {where}")
    return ATTENTION if done.late else DONE


def _ask(arguments: argparse.Namespace) -> int:
    from client.borrowing.opening import open_asking

    with open_asking(arguments.folder) as asking, bars() as bar:
        made = asking.ask(
            arguments.book,
            arguments.out,
            columns=columns_named(arguments.column),
            progress=lambda total: bar("tokens", total),
        )
    if arguments.json:
        content = {"batch": made.digest, "rows": made.rows, "tokens": made.tokens}
        bad = [cell._asdict() for cell in made.bad]
        document(content | {"bad_cells": bad, "out": str(arguments.out)})
    else:
        line(
            f"{counted(made.rows, 'row')}, {counted(made.tokens, 'token')}, filled up and signed "
            f"in {arguments.out}; hand it to the coordinator: lianfang-server run start … --asked"
        )
    for cell in made.bad[:_SHOWN]:
        note(f"line {cell.line}, {cell.column} {cell.text}: {cell.what}; not asked")
    return ATTENTION if made.bad else DONE


def _open(arguments: argparse.Namespace) -> int:
    from client.borrowing.opening import open_asking
    from client.exchange.hits_file import check_out, write_frame

    check_out(arguments.out, arguments.answer)
    with open_asking(arguments.folder) as asking:
        found = asking.open(arguments.answer)
    fired = _triggers(found)
    look = sum(map(bool, fired))
    write_frame(_frame(found, fired), arguments.out, book=arguments.answer)
    if arguments.json:
        content = {"day": found.day.isoformat(), "lenders": found.lenders}
        document(content | {"tokens": len(found.lines), "look": look, "out": str(arguments.out)})
    else:
        line(
            f"{counted(len(found.lines), 'token')} of {found.day}, {found.lenders} lenders in the "
            f"total, your own numbers taken off; {look:,} to look at; in {arguments.out}"
        )
        line("bands of other lenders only; a reason for a person to look, never a decision")
    return ATTENTION if look else DONE


def _triggers(found: Opened) -> list[str]:
    """Windows whose trigger each token sets off."""
    from shared.borrowing.answer import TRIGGERS
    from shared.borrowing.asked import ASKED_NAMES

    return [
        " ".join(
            window
            for window, _, band in TRIGGERS
            if bands[ASKED_NAMES.index(f"app_orgnum_{window}_all")] >= band
        )
        for bands in found.bands
    ]


def _frame(found: Opened, fired: list[str]) -> pd.DataFrame:
    import pandas as pd

    from shared.borrowing.asked import ASKED_NAMES

    columns: dict[str, object] = {
        "line": list(found.lines),
        "customer_ref": list(found.refs),
        "by": list(found.kinds),
        "look": [bool(one) for one in fired],
        "triggers": fired,
    }
    names = ASKED_NAMES[:-1]
    return pd.DataFrame(columns | {name: found.bands[:, at] for at, name in enumerate(names)})
