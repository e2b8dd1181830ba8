"""`lianfang-client ring …`: parse, call the desk, print. Here what fetches and looks up; what
contributes is in `ring_contributing.py`, showing and deciding in `ring_showing.py`.
"""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from client.commands.filing import columns_named
from client.commands.identifiers import given, note_odd
from client.commands.names import today
from client.commands.printing import ATTENTION, DONE, bars, document, line, note
from client.commands.ring_contributing import contribute, named, retract
from client.commands.ring_lines import (
    LAST,
    flag_document,
    flag_lines,
    own_document,
    own_line,
)
from client.commands.ring_showing import confirm, decide, show
from client.commands.ring_words import add_ring
from client.commands.words import ago, counted
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.rings.screening import ScreenedBook

_OLD = timedelta(days=10)
_SHOWN = 20


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `ring` to the client's commands."""
    shown = {"show": show, "decide": decide, "confirm": confirm}
    here = {
        "sync": _sync,
        "contribute": contribute,
        "retract": retract,
        "check": _check,
        "screen": _screen,
    }
    add_ring(commands, {**shown, **here, "own": _own})


def _sync(arguments: argparse.Namespace) -> int:
    from client.rings.opening import open_ring_desk

    with open_ring_desk(arguments.folder) as desk, bars() as bar:
        found = desk.sync(arguments.case, named(bar))
        rings = desk.own_rings() if any(one.version for one in found) else []
    rows: list[dict[str, Any]] = [
        {
            "case": one.case.name,
            "id": one.case.id.hex(),
            "bulletin": one.version,
            "new": one.versions,
            "days_old": one.age.days,
            "closed": one.closed,
        }
        for one in found
    ]
    stale = any(one.age > _OLD for one in found if one.version and not one.over)
    if arguments.json:
        document({"cases": rows, "rings": [own_document(one) for one in rings], "stale": stale})
        return ATTENTION if stale else DONE
    for row, one in zip(rows, found, strict=True):
        what = (
            f"bulletin {row['bulletin']}, made {ago(one.age)}" if one.version else "no bulletin yet"
        )
        ended = "; closed by its desk, the last one" if one.closed else "; the case is over"
        line(f"case {row['case']} ({row['id'][:8]}): {what}{ended if one.over else ''}")
    if not rows:
        line("the case desk has no case")
    if rings:
        line(f"{counted(len(rings), 'ring')} with own customers: see `ring own`")
    if stale:
        note(
            "warning: a case has had no bulletin for more than ten days, although one comes weekly"
        )
    return ATTENTION if stale else DONE


def _check(arguments: argparse.Namespace) -> int:
    from client.exchange.subjects import read_subject
    from client.rings.opening import open_ring_desk

    with open_ring_desk(arguments.folder) as desk:
        subject = read_subject(given(arguments), today())
        note_odd(subject.warnings, "looked up as it is")
        found = desk.check(subject.identifiers)
        age = desk.age()
    _warn_if_old(age)
    if arguments.json:
        flags = [flag_document(one) for one in found]
        document({"flag": bool(found), "flags": flags, "days_old": age.days})
    else:
        line(f"{'a flag' if found else 'no flag'}; bulletin made {ago(age)}")
        for one in found:
            for told in flag_lines(one):
                line(told)
        if found:
            line(LAST)
    return ATTENTION if found else DONE


def _screen(arguments: argparse.Namespace) -> int:
    from client.exchange.hits_file import check_out
    from client.rings.flags_file import write_flags
    from client.rings.opening import open_ring_desk
    from client.rings.screening import screen

    check_out(arguments.out, arguments.book)
    if not arguments.out.parent.is_dir():
        raise OperatorError(
            f"{arguments.out.parent}: there is no such folder; nothing was looked up",
            remedy="make it first, or name another --out",
        )
    columns = columns_named(arguments.column)
    with open_ring_desk(arguments.folder) as desk, bars() as bar:
        found = screen(desk, arguments.book, columns=columns, bars=named(bar))
        age = desk.age()
    _warn_if_old(age)
    write_flags(found.flags, arguments.out, book=arguments.book)
    _note_cells(found)
    if arguments.json:
        document(
            {
                "rows": found.rows,
                "people": found.people,
                "flags": len(found.flags),
                "bad_cells": [cell._asdict() for cell in found.bad],
                "rows_not_looked_up": {"count": found.left_count, "lines": list(found.left)},
                "days_old": age.days,
                "out": str(arguments.out),
            }
        )
    else:
        line(
            f"{counted(found.rows, 'row')}, {counted(found.people, 'person', 'people')}: "
            f"{counted(len(found.flags), 'flag')} in {arguments.out}"
        )
    return ATTENTION if found.flags or found.bad or found.left_count else DONE


def _note_cells(found: ScreenedBook) -> None:
    for cell in found.bad[:_SHOWN]:
        about = f"line {cell.line}, {cell.column} {cell.text}"
        note(f"{about}: {cell.what} ({cell.reason}); {cell.remedy}")
    if len(found.bad) > _SHOWN:
        note(f"… and {len(found.bad) - _SHOWN:,} more cells that are no identifiers")
    if found.left_count:
        lines = ", ".join(map(str, found.left)) + (
            " …" if found.left_count > len(found.left) else ""
        )
        held = "held nothing that names a person and could be looked up"
        note(f"warning: {counted(found.left_count, 'row')} {held}: line {lines}")


def _own(arguments: argparse.Namespace) -> int:
    from client.rings.opening import open_ring_desk

    with open_ring_desk(arguments.folder) as desk:
        rows = [own_document(one) for one in desk.own_rings()]
        age = desk.age()
    _warn_if_old(age)
    if arguments.json:
        document(rows)
    else:
        for row in rows:
            line(own_line(row))
        line(f"{counted(len(rows), 'ring')} with own customers, bulletin made {ago(age)}")
    return ATTENTION if rows else DONE


def _warn_if_old(age: timedelta) -> None:
    if age > _OLD:
        note(
            f"warning: the bulletin here is {age.days} days old and misses what came since: "
            "lianfang-client ring sync"
        )
