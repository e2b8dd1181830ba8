"""`lianfang-client list check`: what the list says about one subject."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from client.commands.identifiers import given, note_odd
from client.commands.names import today
from client.commands.printing import ATTENTION, DONE, document, line, note, warn_if_old
from client.commands.words import ago, answer_lines, plain, skipped_lines

if TYPE_CHECKING:
    from client.exchange.desk import Known
    from shared.blacklist.answer import Answer


def check(arguments: argparse.Namespace) -> int:
    """Look one subject up; ATTENTION for a hit, and where rows could not be looked at."""
    from client.commands.reference import check_reference
    from client.exchange.opening import open_desk
    from client.exchange.subjects import read_subject

    with open_desk(arguments.folder) as desk:
        pairs = given(arguments)
        subject = read_subject(pairs, today())
        check_reference(arguments.reference, pairs, subject.identifiers, today())
        note_odd(subject.warnings, "looked up as it is")
        known = desk.check(
            subject.identifiers, purpose=arguments.purpose, reference=arguments.reference
        )
        version, age = desk.index.version, desk.age
    warn_if_old(age)
    for told in skipped_lines(known.skipped):
        note(f"warning: {told}")
    if arguments.json:
        about = {"hit": known.answer is not None, "version": version, "days_old": age.days}
        odd = {"warnings": [cell._asdict() for cell in subject.warnings]}
        document(about | _known(known) | odd)
    else:
        hit = "no hit" if known.answer is None else "a hit"
        line(f"{hit} on version {version} of the list, published {ago(age)}")
        for told in _lines(known):
            line(told)
    return DONE if known.answer is None and not known.skipped else ATTENTION


def plain_answer(answer: Answer) -> dict[str, Any]:
    """An answer's fields as JSON has them."""
    return {
        name: value if isinstance(value, bool | int) else str(value)
        for name, value in vars(answer).items()
    }


def _known(known: Known) -> dict[str, object]:
    answer = None if known.answer is None else plain_answer(known.answer)
    return {"answer": answer, "rows": _rows(known), "skipped_epochs": list(known.skipped)}


def _lines(known: Known) -> list[str]:
    if known.answer is None:
        return []
    rows = [f"row            {_row_words(row)}" for row in _rows(known)]
    last = "a hit is a reason for a person to look, never a decision"
    return [*answer_lines(known.answer), *rows, last]


def _rows(known: Known) -> list[dict[str, Any]]:
    """What each row behind the answer is about, the newest event first: a dispute names one row."""
    from shared.blacklist.rows import Flag

    hits = {hit.name: hit for hit in known.hits}
    order = sorted(hits.values(), key=lambda hit: hit.name)
    order.sort(key=lambda hit: hit.record.event_end, reverse=True)
    return [
        {
            "row": hit.name.hex(),
            "kind": hit.id_kind,
            "reason_class": hit.record.reason_class.value,
            "event_month": hit.record.event_end.strftime("%Y-%m"),
            "disputed": bool(hit.flags & Flag.DISPUTED),
            "annotated": bool(hit.flags & Flag.ANNOTATED),
            "corroborated": bool(hit.flags & Flag.CORROBORATED),
        }
        for hit in order
    ]


def _row_words(row: dict[str, Any]) -> str:
    flags = [name for name in ("disputed", "annotated", "corroborated") if row[name]]
    about = (plain(row["kind"]), plain(row["reason_class"]), row["event_month"], *flags)
    return f"{row['row']}  {', '.join(about)}"
