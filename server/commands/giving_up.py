"""`lianfang-server run give-up`: what is lost is said, and with --yes it is done."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from server.commands.serving import now
from server.coordinator.places import ANSWER

if TYPE_CHECKING:
    from server.deployment.given_up import Stuck

WAITS = 1


def give_up_batch(arguments: argparse.Namespace) -> int:
    """Exit status 0: it is given up; 1: it waits for --yes."""
    from server.deployment.control import control_of
    from server.deployment.given_up import give_up, idle_batch

    if not arguments.yes:
        stuck = idle_batch(arguments.folder, arguments.name, control_of)
    else:
        with control_of(arguments.folder) as control:
            stuck = give_up(arguments.folder, arguments.name, control, now)
    if arguments.json:
        _line(json.dumps(_plain(stuck, arguments.yes), ensure_ascii=False))
    else:
        _say(arguments, stuck)
    return 0 if arguments.yes else WAITS


def _plain(stuck: Stuck, done: bool) -> dict[str, object]:
    from server.deployment.given_up import costs

    about = {"run": stuck.name, "agreement": stuck.agreement, "asker": stuck.asker}
    told = {"lenders": list(stuck.lenders), "why": stuck.why, "cost": list(costs(stuck))}
    return about | told | {"given_up": done}


def _say(arguments: argparse.Namespace, stuck: Stuck) -> None:
    from server.deployment.given_up import costs

    if arguments.yes:
        _line(f"batch {stuck.name} is given up, and there will be no {ANSWER}; in short:")
    else:
        _line(f"batch {stuck.name} of {stuck.asker} has no end: {stuck.why or 'nobody is at it'}")
        _line(f"try first: lianfang-server run resume {arguments.folder} {stuck.name}")
        _line("to give it up costs:")
    for one in costs(stuck):
        _line(f"  - {one}")
    if not arguments.yes:
        _line(f"to do it: lianfang-server run give-up {arguments.folder} {stuck.name} --yes")


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
