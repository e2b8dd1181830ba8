"""`lianfang-client list …`: parse, call the desk, print. Here what fetches and shows; looking up is
in `checking.py`, filing in `filing.py`, deciding in `deciding.py`.
"""

from __future__ import annotations

import argparse

from client.commands.changes import changed_lines, changed_row
from client.commands.checking import check
from client.commands.comparing import checkpoint, compare
from client.commands.deciding import DECIDING
from client.commands.list_words import add_list
from client.commands.own_entries import own
from client.commands.printing import ATTENTION, DONE, bars, document, line, note
from client.commands.waits import waiting_line, waiting_row
from client.commands.words import counted


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `list` to the client's commands."""
    shown = {"sync": _sync, "check": check, "own": own, "waiting": _waiting}
    compared = {"checkpoint": checkpoint, "compare": compare}
    add_list(commands, {**shown, **compared, **DECIDING})


def _sync(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk, bars() as bar:
        sent, synced = desk.sync(lambda total: bar("rows", total))
        changed = desk.changed(synced)
    content = {
        "version": synced.version,
        "rows": synced.rows,
        "epochs": list(synced.epochs),
        "sent": sent,
        "stale": synced.stale,
        "changed_hits": None if changed is None else [*map(changed_row, changed)],
    }
    if arguments.json:
        document(content)
    else:
        epochs = ", ".join(map(str, synced.epochs)) or "none"
        line(
            f"version {synced.version} of the list: {counted(synced.rows, 'row')}; key "
            f"{'epoch' if len(synced.epochs) == 1 else 'epochs'} {epochs}"
        )
        if sent:
            line(f"{counted(sent, 'event')} kept here before, answered now: see `list own`")
        for told in changed_lines(changed or []):
            line(told)
        if changed:
            line("look these subjects up again before you rely on what you were told")
    if changed is None:
        note("the list came whole: which earlier hits changed is not known; screen them again")
    if synced.stale:
        note("warning: the registry has published nothing for days, although it does daily")
    return ATTENTION if synced.stale or changed else DONE


def _waiting(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk:
        items = desk.registry.waiting()
    rows = [waiting_row(one) for one in items]
    if arguments.json:
        document(rows)
    else:
        for row in rows:
            line(waiting_line(row))
        line(f"{len(rows):,} {'waits' if len(rows) == 1 else 'wait'} for a second institution")
    return ATTENTION if rows else DONE
