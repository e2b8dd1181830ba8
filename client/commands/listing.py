"""`lianfang-client list …`: parse, call the desk, print. Here what fetches and shows; looking up is
in `checking.py`, filing in `filing.py`, deciding in `deciding.py`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from client.commands.checking import check
from client.commands.deciding import DECIDING
from client.commands.list_words import add_list
from client.commands.printing import ATTENTION, DONE, bars, document, line, note
from client.commands.waits import waiting_line, waiting_row, waits_for
from client.commands.words import counted, status_words

if TYPE_CHECKING:
    from client.exchange.changed_hits import ChangedHit
    from shared.blacklist.state import EntryState


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `list` to the client's commands."""
    shown = {"sync": _sync, "check": check, "own": _own, "waiting": _waiting}
    add_list(commands, {**shown, **DECIDING})


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
        "changed_hits": None if changed is None else [_changed(one) for one in changed],
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
        for one in changed or []:
            where = ", ".join(f"line {row} {ref}".strip() for row, ref in one.rows)
            line(f"an earlier hit is {one.now}: {where or 'a subject looked up or filed alone'}")
        if changed:
            line("look these subjects up again before you rely on what you were told")
    if changed is None:
        note("the list came whole: which earlier hits changed is not known; screen them again")
    if synced.stale:
        note("warning: the registry has published nothing for days, although it does daily")
    return ATTENTION if synced.stale else DONE


def _changed(one: ChangedHit) -> dict[str, Any]:
    rows = [{"line": row, "customer_ref": ref} for row, ref in one.rows]
    return {"now": one.now.value, "rows": rows}


def _own(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk:
        entries, newest = desk.own(), max(desk.known_epochs(), default=0)
    rows = [_own_row(entry, newest) for entry in entries]
    if arguments.json:
        document(rows)
    else:
        for row in rows:
            waits = f"waits for {row['waits_for']}" if row["waits_for"] else "-"
            line(f"{row['entry']}  {status_words(row['status'])}, until {row['expires']}  {waits}")
        line(counted(len(rows), "live entry", "live entries"))
    return ATTENTION if any(row["waits_for"] for row in rows) else DONE


def _own_row(entry: EntryState, newest: int) -> dict[str, Any]:
    return {
        "entry": entry.entry_id.hex(),
        "status": entry.status.value,
        "severity": entry.severity,
        "expires": entry.expires.isoformat(),
        "kinds": [part.id_kind for part in entry.parts],
        "epochs": list(entry.epochs),
        "corroborated_epochs": list(entry.corroborated),
        "waits_for": waits_for(entry, newest),
    }


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
