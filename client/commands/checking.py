"""`lianfang-client list check`: what the list says about one subject."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from client.commands.identifiers import subject_of
from client.commands.names import today
from client.commands.printing import ATTENTION, DONE, document, line, note, warn_if_old
from client.commands.words import ago, answer_lines, skipped_lines

if TYPE_CHECKING:
    from client.exchange.desk import Known
    from shared.blacklist.answer import Answer


def check(arguments: argparse.Namespace) -> int:
    """Look one subject up; ATTENTION for a hit, and where rows could not be looked at."""
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk:
        subject = subject_of(arguments, today())
        known = desk.check(subject, purpose=arguments.purpose, reference=arguments.reference)
        version, age = desk.index.version, desk.age
    warn_if_old(age)
    for told in skipped_lines(known.skipped):
        note(f"warning: {told}")
    if arguments.json:
        about = {"hit": known.answer is not None, "version": version, "days_old": age.days}
        document(about | _known(known))
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
    rows = [f"row            {name}" for name in _rows(known)]
    last = "a hit is a reason for a person to look, never a decision"
    return [*answer_lines(known.answer), *rows, last]


def _rows(known: Known) -> list[str]:
    return sorted({hit.name.hex() for hit in known.hits})
