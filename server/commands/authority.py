"""`lianfang-server authority …`: the consortium's authority on its own machine."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path
from typing import get_args

from server.commands import serving
from shared.identity.certificate import Role

EXAMPLES = """examples:
  lianfang-server authority create /srv/authority --name "Five lenders"
  lianfang-server authority enrol /srv/authority /srv/lender --code L01 --role lender

`enrol` makes a member's keys on the authority's machine: for trials. In earnest a key is made where
it is used and never travels.

Exit status: 0 done, 2 the input is wrong (the message says what to do).
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `authority` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "authority", help="certificates for trials", epilog=EXAMPLES, formatter_class=form
    )
    own = parser.add_subparsers(dest="authority_command", required=True, metavar="COMMAND")
    create = serving.command(own, "create", "a new authority", EXAMPLES)
    create.add_argument("folder", type=Path)
    create.add_argument("--name", required=True, help="the consortium's name")
    create.set_defaults(handler=_create)
    text = "keys and certificates of a member, key holder …"
    enrol = serving.command(own, "enrol", text, EXAMPLES)
    enrol.add_argument("authority", type=Path)
    enrol.add_argument("folder", type=Path, help="the member's folder")
    enrol.add_argument("--code", required=True)
    enrol.add_argument("--role", required=True, choices=get_args(Role))
    enrol.set_defaults(handler=_enrol)
    create.add_argument("--days", type=int, default=10 * serving.DAYS)
    enrol.add_argument("--days", type=int, default=serving.DAYS)
    for one in (create, enrol):
        one.add_argument("--json", action="store_true", help="one JSON line for scripts")


def _create(arguments: argparse.Namespace) -> int:
    from server.authority import create_authority, write_authority
    from server.revoked import begin_revoked

    authority = create_authority(
        arguments.name, days=arguments.days, now=serving.now(), random=secrets.token_bytes
    )
    write_authority(arguments.folder, authority)
    begin_revoked(arguments.folder)
    serving.said(arguments, {"authority": str(arguments.folder), "consortium": arguments.name})
    return 0


def _enrol(arguments: argparse.Namespace) -> int:
    from server.actor import write_actor
    from server.authority import read_authority

    write_actor(
        arguments.folder,
        read_authority(arguments.authority, serving.now()),
        arguments.code,
        arguments.role,
        days=arguments.days,
        now=serving.now(),
        random=secrets.token_bytes,
    )
    serving.said(arguments, {"folder": str(arguments.folder), "code": arguments.code})
    return 0
