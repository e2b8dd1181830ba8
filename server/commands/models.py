"""`lianfang-server model …`: models of finished runs, used only if two operators say so."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from server.commands.serving import command, now

if TYPE_CHECKING:
    from server.deployment.models import Listed

EXAMPLES = """examples:
  lianfang-server authority enrol /srv/consortium/authority /home/anna/lianfang --code anna \\
      --role operator
  lianfang-server model propose /srv/consortium spring-2027 --operator /home/anna/lianfang
  lianfang-server model promote /srv/consortium 1 --operator /home/ben/lianfang
  lianfang-server model list /srv/consortium

Who proposed a model does not promote it. Each line of models/promotions.jsonl is signed with the
operator's own key. To go back to an earlier model, promote its number again.

Exit status: 0 done, 2 refused: the message says why and what to do.
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `model` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "model", help="propose and promote models", epilog=EXAMPLES, formatter_class=form
    )
    own = parser.add_subparsers(dest="model_command", required=True, metavar="COMMAND")
    proposed = command(own, "propose", "put a finished run's model forward", EXAMPLES)
    promoted = command(own, "promote", "put a proposed model to use", EXAMPLES)
    shown = command(own, "list", "all models, and which is in use", EXAMPLES)
    for one in (proposed, promoted, shown):
        one.add_argument("folder", type=Path, help="the coordinator's folder")
        one.add_argument("--json", action="store_true", help="one JSON line for scripts")
    proposed.add_argument("run", metavar="RUN", help="a finished run's name")
    promoted.add_argument("model", type=int, metavar="N", help="a proposed model's number")
    for one in (proposed, promoted):
        one.add_argument(
            "--operator", type=Path, required=True, metavar="FOLDER", help="your own folder"
        )
    proposed.set_defaults(handler=_propose)
    promoted.set_defaults(handler=_promote)
    shown.set_defaults(handler=_list)


def _propose(arguments: argparse.Namespace) -> int:
    from server.consortium.folder import locked
    from server.deployment.models import propose

    with locked(arguments.folder):
        made = propose(arguments.folder, arguments.run, arguments.operator, now())
    _say(arguments, made, f"model {made.number}, {made.digest[:16]}, was proposed; now another "
         f"operator: lianfang-server model promote {arguments.folder} {made.number}")  # fmt: skip
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    from server.consortium.folder import locked
    from server.deployment.models import promote

    with locked(arguments.folder):
        made = promote(arguments.folder, arguments.model, arguments.operator, now())
    _say(arguments, made, f"model {made.number}, {made.digest[:16]}, is in use")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from server.deployment.models import listed

    found = listed(arguments.folder)
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(one) for one in found]) + "\n")
        return 0
    table = Table("model", "run", "digest", "proposed by", "promoted by", "in use")
    for one in found:
        by, in_use = one.promoted_by, "yes" if one.current else ""
        table.add_row(str(one.number), one.run, one.digest[:16], one.proposed_by, by, in_use)
    Console().print(table)
    return 0


def _say(arguments: argparse.Namespace, made: Listed, text: str) -> None:
    line = json.dumps(asdict(made)) if arguments.json else text
    sys.stdout.write(line + "\n")
