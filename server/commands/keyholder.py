"""`lianfang-server keyholder …`: one key holder, from its own folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from server.commands import serving
from server.commands.service_folder import add_init, add_profile, write_folder
from shared.errors import OperatorError

EXAMPLES = """examples:
  lianfang-server keyholder init /srv/k1 --code K1 --context "Five lenders" \\
      --holder K1 --holder K2 --holder K3 --threshold 2 --authority /srv/authority
  lianfang-server keyholder serve /srv/k1 --listen 0.0.0.0:7443
  lianfang-server keyholder retire /srv/k1 1       what to check before its share of an epoch goes
  lianfang-server keyholder retire /srv/k1 1 --yes       wipe it, after the grace days

A key holder and the registry are run by different operators: a process or folder that has both is
refused outside the demo profile.

Exit status: 0 done, 2 the input or a setting is wrong (the message says which and what to do).
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `keyholder` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "keyholder", help="a key holder of the shared list", epilog=EXAMPLES, formatter_class=form
    )
    own = parser.add_subparsers(dest="keyholder_command", required=True, metavar="COMMAND")
    init = add_init(own, "key holder", EXAMPLES)
    init.add_argument("--context", required=True, help="the consortium's name, without '|'")
    init.add_argument("--holder", action="append", default=[], metavar="CODE", help="all, in order")
    init.add_argument("--threshold", type=int, required=True, help="as many answer together")
    add_profile(init)
    init.set_defaults(handler=_init)
    serve = serving.add_serve(own, "key holder", EXAMPLES, serving.PORTS["keyholder"])
    serve.set_defaults(handler=_serve)
    text = "wipe this holder's share of an old epoch"
    retire = serving.command(own, "retire", text, EXAMPLES)
    retire.add_argument("folder", type=Path, help="the key holder's folder")
    retire.add_argument("epoch", type=int)
    retire.add_argument(
        "--yes", action="store_true", help="it was checked that the list answers no more for it"
    )
    retire.add_argument("--json", action="store_true", help="one JSON line for scripts")
    retire.set_defaults(handler=_retire)


def settings_text(context: str, holders: list[str], threshold: int, profile: str) -> str:
    """The text of `keyholder.toml`."""
    codes = ", ".join(map(serving.quoted, holders))
    return (
        f"[keyholder]\ncontext = {serving.quoted(context)}\nholders = [{codes}]\n"
        f"threshold = {threshold}\nprofile = {serving.quoted(profile)}\n"
    )


def _init(arguments: argparse.Namespace) -> int:
    import tomllib

    from server.keyholder.settings import FILE, settings_of

    text = settings_text(
        arguments.context, arguments.holder, arguments.threshold, arguments.profile
    )
    settings_of(tomllib.loads(text))
    if arguments.code not in arguments.holder:
        raise OperatorError(
            f"{arguments.code} is not among the holders", remedy="name all of them with --holder"
        )
    said = write_folder(
        arguments.folder, arguments.code, "keyholder", arguments.authority, FILE, text
    )
    serving.said(arguments, said)
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from server.keyholder.service import serve

    serving.check_serve(arguments, "keyholder")
    serving.log_to_standard_error()
    service = serve(arguments.folder, arguments.listen)
    return serving.run(service, service.holder.actor.identity.member.code, arguments, serve)


def _retire(arguments: argparse.Namespace) -> int:
    from server.keyholder.service import join
    from shared.tokens.sodium import Sodium

    if not arguments.yes:
        raise _unchecked(arguments.epoch)
    holder = join(arguments.folder, group=Sodium(), clock=serving.now)
    try:
        holder.retire(arguments.epoch, serving.now)
    finally:
        holder.store.close()
    serving.said(arguments, {"epoch": arguments.epoch, "share": "wiped"})
    return 0


def _unchecked(epoch: int) -> OperatorError:
    """A holder knows its grace days; which epochs answer is known to the registry alone."""
    return OperatorError(
        f"nothing was wiped: epoch {epoch} may still be open at the registry, which a key holder "
        "does not see; once holders have wiped their shares, entries with tokens of that epoch "
        "only are lost, and nobody can look it up",
        remedy="ask lenders: `lianfang-client list sync --json` must not name it among the epochs "
        "any more, at any of them, and `list waiting` no retire-epoch; then give --yes",
    )
