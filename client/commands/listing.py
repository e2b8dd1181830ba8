"""`lianfang-client list …`: parse, call the desk, print. Here what asks and shows; what files and
decides is in `deciding.py`.
"""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from client.commands.deciding import DECIDING, today
from client.commands.identifiers import subject_of
from client.commands.list_words import add_list
from client.commands.printing import ATTENTION, DONE, bars, document, line, note, warn_if_old

if TYPE_CHECKING:
    from client.exchange.changed_hits import ChangedHit
    from client.exchange.desk import Known
    from shared.blacklist.answer import Answer
    from shared.blacklist.state import EntryState


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `list` to the client's commands."""
    shown = {"sync": _sync, "check": _check, "own": _own, "waiting": _waiting}
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
        line(f"version {synced.version} of the list: {synced.rows:,} rows; key epochs {epochs}")
        if sent:
            line(f"{sent:,} events that were kept here are answered: see `list own`")
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


def _check(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk:
        subject = subject_of(arguments, today())
        known = desk.check(subject, purpose=arguments.purpose, reference=arguments.reference)
        version, age = desk.index.version, desk.age
    warn_if_old(age)
    if arguments.json:
        about = {"hit": known.answer is not None, "version": version, "days_old": age.days}
        document(about | _known(known))
    elif known.answer is None:
        line(f"no hit on version {version} of the list")
    else:
        for name, value in plain_answer(known.answer).items():
            line(f"{name:<13} {value}")
        for name in _entries_of(known):
            line(f"{'entry':<13} {name}")
        line("a hit is a reason for a person to look, never a decision")
    return DONE if known.answer is None else ATTENTION


def plain_answer(answer: Answer) -> dict[str, Any]:
    """An answer's fields as JSON has them."""
    return {
        name: value if isinstance(value, bool | int) else str(value)
        for name, value in vars(answer).items()
    }


def _known(known: Known) -> dict[str, object]:
    answer = None if known.answer is None else plain_answer(known.answer)
    return {"answer": answer, "entries": _entries_of(known)}


def _entries_of(known: Known) -> list[str]:
    return sorted({hit.record.entry_id.hex() for hit in known.hits})


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
            line(f"{row['entry']}  {row['status']:<14}  until {row['expires']}  {waits}")
        line(f"{len(rows):,} live entries")
    return ATTENTION if any(row["waits_for"] for row in rows) else DONE


def _own_row(entry: EntryState, newest: int) -> dict[str, Any]:
    return {
        "entry": entry.entry_id.hex(),
        "status": entry.status.value,
        "severity": entry.severity,
        "expires": entry.expires.isoformat(),
        "kinds": [part.id_kind for part in entry.parts],
        "epochs": list(entry.epochs),
        "waits_for": _waits_for(entry, newest),
    }


def _waits_for(entry: EntryState, newest: int) -> str:
    from shared.blacklist.terms import TERMS
    from shared.blacklist.transitions import Status

    found = []
    if entry.status is Status.PENDING_REVIEW:
        if entry.checker is None:
            found.append("this lender's checker (list approve)")
        # whatever its checker approved and is not on the list waits for another institution
        if (entry.severity == 3 or entry.checker is not None) and entry.second is None:
            found.append("a second institution")
    if entry.disputed is not None:
        last = entry.disputed + timedelta(days=TERMS.dispute_days)
        found.append(f"the outcome of a dispute by {last} (list resolve)")
    if entry.newest_epoch < newest:
        found.append(f"tokens of key epoch {newest} (list refile)")
    return " and ".join(found)


def _waiting(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk:
        items = desk.registry.waiting()
    rows = [
        {
            "kind": "entry" if one.kind == "File" else one.kind,
            "name": one.name.hex(),
            "reason": one.reason_code,
            "epoch": one.epoch,
            "entries": one.entries,
        }
        for one in items
    ]
    if arguments.json:
        document(rows)
    else:
        for row in rows:
            about = row["reason"] or (f"epoch {row['epoch']}" if row["epoch"] else "")
            about = about or f"{row['entries']:,} entries"
            command = "approve" if row["kind"] == "entry" else "consent"
            line(f"{row['name']}  {row['kind']:<11}  {about}  (list {command})")
        line(f"{len(rows):,} wait for a second institution")
    return ATTENTION if rows else DONE
