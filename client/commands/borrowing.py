"""`lianfang-client borrowing …`: parse, call the desk, print. The stronger mode's commands are in
`borrowing_asked.py`, `screen` and `columns` in `borrowing_screening.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from client.commands import borrowing_asked, borrowing_screening
from client.commands.borrowing_screening import warn_if_old
from client.commands.borrowing_words import (
    contributed_lines,
    elsewhere_lines,
    examples,
    plain_answers,
    refusal_lines,
)
from client.commands.filing import columns_named
from client.commands.identifiers import add_identifiers, given, note_odd
from client.commands.names import today
from client.commands.printing import ATTENTION, DONE, bars, document, line, note
from client.commands.words import ago, counted

if TYPE_CHECKING:
    from client.exchange.submissions import Settled

_SHOWN = 20


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `borrowing` to the client's commands."""
    parser = commands.add_parser(
        "borrowing",
        help="borrowing elsewhere: contribute, sync, check, screen, columns; keep, ask, open, "
        "give-up",
        description="What other lenders told of a person's applications and loans, in bands.",
        epilog=examples(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own = parser.add_subparsers(dest="borrowing_command", required=True, metavar="COMMAND")

    def command(
        name: str, text: str, run: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = own.add_parser(
            name,
            help=text,
            description=text,
            epilog=examples(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(run=run)
        return made

    told = command("contribute", "tell the desk of own applications and loans", _contribute)
    told.add_argument("events", type=Path, help="CSV or Parquet file, an event a row")
    told.add_argument(
        "--retract", action="store_true", help="take these events back instead: told by mistake"
    )
    sync = command("sync", "send what was kept, fetch the latest table", _sync)
    check = command("check", "what other lenders told of one person", _check)
    add_identifiers(check)
    screened = borrowing_screening.add(command)
    asked = borrowing_asked.add(command)
    for one in (told, screened, *asked[:2]):
        one.add_argument("--column", action="append", default=[], metavar="KIND=HEADER")
    for one in (told, sync, check, screened, *asked):
        one.add_argument("--folder", type=Path, default=Path(), help="the lender's folder")
        one.add_argument("--json", action="store_true", help="one JSON line for scripts")


def _contribute(arguments: argparse.Namespace) -> int:
    from client.borrowing.opening import open_borrowing
    from client.exchange.kept import kept_pages

    columns = columns_named(arguments.column)
    with open_borrowing(arguments.folder) as desk, bars() as bar, kept_pages():
        done = desk.contribute(
            arguments.events,
            retract=arguments.retract,
            columns=columns,
            progress=lambda total: bar("tokens", total),
            sending=lambda total: bar("pages", total),
        )
    if arguments.json:
        refused = [str(one.refusal) for one in done.refused]
        document(
            {
                "events": done.events,
                "rows": done.rows,
                "pages": done.pages,
                "told_before": done.before.told,
                "not_told_before": done.before.new,
                "changed_lines": list(done.before.changed),
                "out_of_term": len(done.late),
                "out_of_term_lines": list(done.late),
                "refused": refused,
            }
        )
    else:
        for told in contributed_lines(done, retract=arguments.retract):
            line(told)
        for told in refusal_lines(done.refused):
            line(told)
    if done.late:
        note(_left_out(done.late))
    odd = done.before.new if arguments.retract else done.before.changed
    return ATTENTION if done.refused or done.late or odd else DONE


def _left_out(lines: tuple[int, ...]) -> str:
    from shared.borrowing.terms import LONGEST_OPEN, TTL_DAYS

    where = ", ".join(map(str, lines[:_SHOWN])) + (" …" if len(lines) > _SHOWN else "")
    return (
        f"{counted(len(lines), 'event')} left out, older than may be told (applications and closed "
        f"loans {TTL_DAYS} days, open loans {LONGEST_OPEN:,}): line {where}"
    )


def _sync(arguments: argparse.Namespace) -> int:
    from client.borrowing.opening import open_borrowing
    from client.exchange.kept import goes_on

    def answered(settled: Sequence[Settled]) -> None:
        for told in refusal_lines(settled):  # now: the table may not come
            (note if arguments.json else line)(told)

    with open_borrowing(arguments.folder) as desk, bars() as bar, goes_on("what is kept leaves"):
        settled, fetched = desk.sync(lambda total: bar("rows", total), answered)
        head, day = fetched.head, desk.today
    refused = [str(one.refusal) for one in settled if one.refusal]
    sent = len(settled) - len(refused)
    content = {
        "version": head.version,
        "rows": head.rows,
        "day": head.day.isoformat(),
        "days_old": (day - head.day).days,
        "sent": sent,
        "refused": refused,
        "stale": fetched.stale,
    }
    if arguments.json:
        document(content)
    else:
        new = "" if fetched.new else ", which was here already"
        line(
            f"version {head.version} of the table, of {ago(day - head.day)}: "
            f"{counted(head.rows, 'row')}{new}"
        )
        if sent:
            line(f"{counted(sent, 'page')} kept here before, taken now")
    if fetched.stale:
        note("warning: the desk has published nothing for days, although it does daily")
    return ATTENTION if fetched.stale or refused else DONE


def _check(arguments: argparse.Namespace) -> int:
    from client.borrowing.opening import open_borrowing
    from client.borrowing.screening import is_known
    from client.exchange.subjects import read_subject

    with open_borrowing(arguments.folder) as desk:
        subject = read_subject(given(arguments), today())
        note_odd(subject.warnings, "looked up as it is")
        found = desk.check(subject.identifiers)
        age = (desk.today - found.day).days
    warn_if_old(found.day, age)
    if arguments.json:
        document(
            {
                "record": is_known(found),
                "look": bool(found.triggered),
                "triggers": list(found.triggered),
                "day": found.day.isoformat(),
                "days_old": age,
                "answers": plain_answers(found),
                "warnings": [cell._asdict() for cell in subject.warnings],
            }
        )
    else:
        for told in elsewhere_lines(found, age):
            line(told)
    return ATTENTION if found.triggered else DONE
