"""`lianfang-client borrowing give-up`: what waits, what it costs, and two persons' words."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from client.commands.printing import ATTENTION, DONE, document, line
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.borrowing.giving_up import Waiting

_PERSONS = 2


def give_up_end(arguments: argparse.Namespace) -> int:
    """Exit status 0: it is given up; 1: it waits for a word, or for --yes."""
    from client.borrowing.giving_up import give_up, nothing_waits, waiting
    from client.doctor.machine import folder

    if arguments.yes and not arguments.operator:
        raise OperatorError(
            "nobody's name: two persons say so, one after the other",
            remedy="add --operator NAME; then another one does the same",
        )
    if (strange := folder(arguments.folder)) is not None:
        raise OperatorError(strange.what, remedy=strange.remedy)
    found = waiting(arguments.folder)
    if found is None:
        raise nothing_waits(arguments.folder)
    if arguments.yes:
        found = give_up(arguments.folder, arguments.operator)
    if arguments.json:
        document(_plain(found))
    elif found.words == _PERSONS:
        line(f"batch {found.terms[:16]} is given up: the next one is answered from here")
        line(
            "tell the coordinator: where this was the only lender that waited, `run resume` brings "
            "the batch to its end now"
        )
    else:
        _say(arguments, found)
    return DONE if found.words == _PERSONS else ATTENTION


def _plain(found: Waiting) -> dict[str, object]:
    about = {"terms": found.terms, "asker": found.asker, "answered": found.at.isoformat()}
    told = {"lenders": list(found.lenders), "words": found.words, "cost": list(found.costs)}
    return about | told | {"given_up": found.words == _PERSONS}


def _say(arguments: argparse.Namespace, found: Waiting) -> None:
    if found.words:
        line("one person here has given it up")
    of = f" of {found.asker}" if found.asker else ""
    line(f"batch {found.terms[:16]}{of}, answered {found.at.astimezone():%Y-%m-%d %H:%M}: its end")
    line(f"was not heard here; its sum is over {', '.join(found.lenders)}, as this lender was told")
    line("first ask the coordinator for `lianfang-server run resume`; and ask these lenders by")
    line("telephone over whom theirs was (lianfang-client outbox --json, its line `answer`)")
    line("to give it up costs:")
    for one in found.costs:
        line(f"  - {one}")
    if found.words:
        line("another one's word is missing:")
    else:
        line("two persons here have to say so:")
    line(f"  lianfang-client borrowing give-up --folder {arguments.folder} --operator NAME --yes")
