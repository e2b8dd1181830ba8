"""`lianfang-server borrowing …`: the borrowing desk, from its own folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from server.apart import SHARE, check_without
from server.commands import serving
from server.commands.service_folder import add_init, add_profile, write_folder
from shared.errors import OperatorError
from shared.identity.certificate import CODE

CLASSES = ("bank", "nbank", "cons", "micro", "auto", "guar")

EXAMPLES = """examples:
  lianfang-server borrowing init /srv/d2 --code D2 --authority /srv/authority \\
      --lender L01=bank --lender L02=bank --lender L03=cons --lender L04=micro
  lianfang-server borrowing serve /srv/d2 --listen 0.0.0.0:7446

A key holder and the desk are run by different operators: a process or folder that has both is
refused outside the demo profile.

Exit status: 0 done, 2 the input or a setting is wrong (the message says which and what to do).
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `borrowing` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    text = "the desk that counts borrowing elsewhere"
    parser = commands.add_parser("borrowing", help=text, epilog=EXAMPLES, formatter_class=form)
    own = parser.add_subparsers(dest="borrowing_command", required=True, metavar="COMMAND")
    init = add_init(own, "borrowing desk", EXAMPLES)
    text = "of every lender: bank, nbank, cons, micro, auto or guar; more in borrowing.toml"
    init.add_argument("--lender", action="append", default=[], metavar="CODE=CLASS", help=text)
    add_profile(init)
    init.set_defaults(handler=_init)
    serve = serving.add_serve(own, "borrowing desk", EXAMPLES, serving.PORTS["borrowing"])
    serve.set_defaults(handler=_serve)


def settings_text(
    classes: Sequence[str], profile: str = "production", *, at_once: bool = False
) -> str:
    """The text of `borrowing.toml`. `classes`: CODE=CLASS each; `at_once`: for the demo, every page
    makes a table. OperatorError for what is no such pair.
    """
    text = f"profile = {serving.quoted(profile)}\n"
    text += "at_once = true\n" if at_once else ""
    text += "[classes]\n"
    for pair in classes:
        code, _, of = pair.partition("=")
        if not CODE.fullmatch(code) or of not in CLASSES:
            raise OperatorError(
                f"--lender {pair!r} is not CODE=CLASS",
                remedy=f"e.g. --lender L01=bank; the classes are {', '.join(CLASSES)}",
            )
        text += f"{serving.quoted(code)} = {serving.quoted(of)}\n"
    return text


def _init(arguments: argparse.Namespace) -> int:
    from server.borrowing.settings import FILE

    check_without(SHARE, arguments.profile, arguments.folder)
    said = write_folder(
        arguments.folder,
        arguments.code,
        "desk",
        arguments.authority,
        FILE,
        settings_text(arguments.lender, arguments.profile),
    )
    serving.said(arguments, said)
    if not arguments.lender:
        sys.stderr.write(
            f"warning: no lender has a class yet: write [classes] into {arguments.folder / FILE} "
            f'before it serves, e.g. L01 = "bank"; the classes are {", ".join(CLASSES)}\n'
        )
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from server.borrowing.service import serve

    serving.check_serve(arguments, "borrowing")
    serving.log_to_standard_error()
    service = serve(arguments.folder, arguments.listen)
    return serving.run(service, service.desk.code, arguments, serve)
