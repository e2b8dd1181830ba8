"""`lianfang-server registry …`: the registry of the shared list, from its own folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from server.apart import SHARE, check_without
from server.commands import serving
from server.commands.service_folder import add_init, add_profile, write_folder
from shared.errors import OperatorError
from shared.identity.certificate import CODE

EXAMPLES = """examples:
  lianfang-server registry init /srv/r1 --code R1 --context "Five lenders" \\
      --holder K1 --holder K2 --holder K3 --authority /srv/authority
  lianfang-server registry init /srv/r1 --code R1 --database postgresql+psycopg://registry@db/list
  lianfang-server registry serve /srv/r1 --listen 0.0.0.0:7444

A key holder and the registry are run by different operators: a process or folder that has both is
refused outside the demo profile.

Exit status: 0 done, 2 the input or a setting is wrong (the message says which and what to do).
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `registry` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "registry", help="the registry of the shared list", epilog=EXAMPLES, formatter_class=form
    )
    own = parser.add_subparsers(dest="registry_command", required=True, metavar="COMMAND")
    init = add_init(own, "registry", EXAMPLES)
    init.add_argument("--database", metavar="URL", help="PostgreSQL; none: SQLite in the folder")
    init.add_argument("--context", metavar="NAME", help="the consortium's, as key holders write it")
    text = "all key holders: keys of others are never taken; none: the first epoch's are kept to"
    init.add_argument("--holder", action="append", default=[], metavar="CODE", help=text)
    add_profile(init)
    init.set_defaults(handler=_init)
    serve = serving.add_serve(own, "registry", EXAMPLES, serving.PORTS["registry"])
    serve.set_defaults(handler=_serve)


def settings_text(
    database: str | None,
    profile: str = "production",
    *,
    holders: Sequence[str] = (),
    context: str | None = None,
    at_once: bool = False,
) -> str:
    """The text of `registry.toml`. `at_once`: for the demo, every filing is published by itself."""
    text = "" if database is None else f"database = {serving.quoted(database)}\n"
    text += f"profile = {serving.quoted(profile)}\n"
    text += "[batches]\nseconds = 0\ncontributors = 1\n" if at_once else ""
    if holders or context:
        text += "[keys]\n"
    if holders:
        text += f"holders = [{', '.join(map(serving.quoted, holders))}]\n"
    return text + (f"context = {serving.quoted(context)}\n" if context else "")


def check_no_share(folder: Path, profile: str = "production") -> None:
    """OperatorError when this folder or process also has a share of the key."""
    check_without(SHARE, profile, folder)


def _init(arguments: argparse.Namespace) -> int:
    from server.registry.settings import FILE

    check_no_share(arguments.folder, arguments.profile)
    _check_holders(arguments.holder)
    text = settings_text(
        arguments.database,
        arguments.profile,
        holders=arguments.holder,
        context=arguments.context,
    )
    said = write_folder(
        arguments.folder, arguments.code, "registry", arguments.authority, FILE, text
    )
    serving.said(arguments, said)
    return 0


def _check_holders(codes: Sequence[str]) -> None:
    right = len({*codes}) == len(codes) != 1 and all(map(CODE.fullmatch, codes))
    if not right:
        raise OperatorError(
            "--holder does not name two or more different key holders by their codes",
            remedy="e.g. --holder K1 --holder K2 --holder K3",
        )


def _serve(arguments: argparse.Namespace) -> int:
    from server.registry.service import serve

    serving.check_serve(arguments, "registry")
    serving.log_to_standard_error()
    service = serve(arguments.folder, arguments.listen)
    return serving.run(service, service.registry.code, arguments, serve)
