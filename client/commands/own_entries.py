"""A lender's own entries as it sees them: `lianfang-client list own`, and after an approval.

Invariants:
- Whom an entry is about is read from what this lender kept sealed, and shown masked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from client.commands.identifiers import given
from client.commands.names import today
from client.commands.printing import ATTENTION, DONE, document, line
from client.commands.waits import waits_for
from client.commands.words import counted, status_words

if TYPE_CHECKING:
    from client.exchange.filed import FiledEntry
    from shared.blacklist.state import EntryState

Kept = Callable[[bytes], "FiledEntry | None"]
"""What was kept of an own entry, by its name."""


def own(arguments: argparse.Namespace) -> int:
    """All of them, or those about the subject that is given."""
    from client.exchange.opening import open_desk
    from client.exchange.subjects import canonical_all

    pairs = given(arguments)
    subject = frozenset(canonical_all(pairs, today())) if pairs else None
    with open_desk(arguments.folder) as desk:
        entries, newest = desk.own(), max(desk.known_epochs(), default=0)
        if subject is not None:
            kept = {one.entry_id: desk.filed.entry(one.entry_id) for one in entries}
            entries = [one for one in entries if _about(kept[one.entry_id]) & subject]
        rows = own_rows(entries, desk.filed.entry, newest)
    if arguments.json:
        document(rows)
    else:
        for row in rows:
            line(own_line(row))
        line(counted(len(rows), "live entry", "live entries"))
    return ATTENTION if any(row["waits_for"] for row in rows) else DONE


def own_rows(entries: Sequence[EntryState], kept: Kept, newest: int) -> list[dict[str, Any]]:
    """Entries for scripts; reason and event are null, and the subject empty, where nothing is kept.
    `newest`: the last key epoch that answers.
    """
    return [_row(entry, kept(entry.entry_id), newest) for entry in entries]


def own_line(row: dict[str, Any]) -> str:
    """The same for a person."""
    waits = f"waits for {row['waits_for']}" if row["waits_for"] else "-"
    about = "not known here any more"
    if row["reason"] is not None:
        subject = ", ".join(f"{one['kind']} {one['text']}" for one in row["subject"])
        about = f"{row['reason']} of {row['event_date']}, {subject}"
    return (
        f"{row['entry']}  {about}  {status_words(row['status'])}, until {row['expires']}  {waits}"
    )


def _about(record: FiledEntry | None) -> frozenset[object]:
    return frozenset(() if record is None else record.identifiers)


def _row(entry: EntryState, record: FiledEntry | None, newest: int) -> dict[str, Any]:
    return {
        "entry": entry.entry_id.hex(),
        "status": entry.status.value,
        "severity": entry.severity,
        "expires": entry.expires.isoformat(),
        "kinds": [part.id_kind for part in entry.parts],
        "epochs": list(entry.epochs),
        "corroborated_epochs": list(entry.corroborated),
        "waits_for": waits_for(entry, newest),
        **_kept(record),
    }


def _kept(record: FiledEntry | None) -> dict[str, Any]:
    from shared.schema.finding import masked

    if record is None:
        return {"reason": None, "event_date": None, "subject": []}
    return {
        "reason": record.entry.reason_code.value,
        "event_date": record.entry.event_date.isoformat(),
        "subject": [{"kind": one.kind, "text": masked(one.value)} for one in record.identifiers],
    }
