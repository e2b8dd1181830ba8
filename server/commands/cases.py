"""`lianfang-server cases …`: the desk that finds fraud rings across lenders."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from server.apart import SHARE, check_without
from server.commands import serving
from server.commands.service_folder import add_init, add_profile, check_alone, write_folder
from shared.errors import OperatorError

if TYPE_CHECKING:
    from server.cases.said import Standing

EXAMPLES = """examples:
  lianfang-server cases init /srv/d1 --code D1 --authority /srv/authority
  lianfang-server cases open /srv/d1 --name "spring 2027" --epoch 1 --weeks 26
  lianfang-server cases serve /srv/d1 --listen 0.0.0.0:7445
  lianfang-server cases status /srv/d1 --json
  lianfang-server cases close /srv/d1 "spring 2027" --yes        ended early, for good

A case is one graph under tokens of its own, which ends by itself. Lenders count in the 24 hours
after each week and send edges in the next 24; then the desk publishes its bulletin. A desk and a
key holder are run by different operators: a process or folder that has both is refused outside the
demo profile.

Exit status: 0 done, 2 the input or a setting is wrong (the message says which and what to do).
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `cases` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "cases", help="the desk that finds fraud rings", epilog=EXAMPLES, formatter_class=form
    )
    own = parser.add_subparsers(dest="cases_command", required=True, metavar="COMMAND")
    init = add_init(own, "case desk", EXAMPLES)
    add_profile(init)
    init.set_defaults(handler=_init)
    _add_open(own)
    serve = serving.add_serve(own, "case desk", EXAMPLES, serving.PORTS["cases"])
    serve.set_defaults(handler=_serve)
    close = serving.command(own, "close", "end a case early; the desk may be serving", EXAMPLES)
    close.add_argument("folder", type=Path, help="the desk's folder")
    close.add_argument("case", help="its name, or how its id begins")
    close.add_argument("--yes", action="store_true", help="without it, only say what it costs")
    close.add_argument("--json", action="store_true", help="one JSON line for scripts")
    close.set_defaults(handler=_close)
    status = serving.command(own, "status", "all cases and where they stand", EXAMPLES)
    status.add_argument("folder", type=Path, help="the desk's folder")
    status.add_argument("--json", action="store_true", help="one JSON line for scripts")
    status.set_defaults(handler=_status)


def _add_open(own: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    opened = serving.command(own, "open", "begin a case; the desk may be serving", EXAMPLES)
    opened.add_argument("folder", type=Path, help="the desk's folder")
    opened.add_argument("--name", required=True, help="what lenders know it by")
    opened.add_argument("--epoch", type=int, required=True, help="of the key holders' key")
    text = "how many it goes on for (default %(default)s)"
    opened.add_argument("--weeks", type=int, default=26, help=text)
    text = "its first day; none: this week's Monday"
    opened.add_argument("--first-monday", type=_day, metavar="YYYY-MM-DD", help=text)
    text = "an edge's kind, repeated; none: all"
    opened.add_argument("--kind", action="append", default=[], metavar="KIND", help=text)
    text = "so many must send all their pages before anything is told (default %(default)s)"
    opened.add_argument("--minimum-lenders", type=int, default=3, help=text)
    text = "pages of 512 pairs that each lender sends a week, whatever it has (default %(default)s)"
    opened.add_argument("--count-pages", type=int, default=4, help=text)
    text = "the same, of 512 edges (default %(default)s)"
    opened.add_argument("--edge-pages", type=int, default=4, help=text)
    opened.add_argument("--json", action="store_true", help="one JSON line for scripts")
    opened.set_defaults(handler=_open)


def _init(arguments: argparse.Namespace) -> int:
    from server.cases.settings import FILE

    check_without(SHARE, arguments.profile, arguments.folder)
    text = f"profile = {serving.quoted(arguments.profile)}\n"
    said = write_folder(arguments.folder, arguments.code, "desk", arguments.authority, FILE, text)
    serving.said(arguments, said)
    return 0


def _open(arguments: argparse.Namespace) -> int:
    from server.cases.service import desk_in

    kinds = _kinds(arguments.kind)
    today = serving.now().date()
    desk, store, _ = desk_in(_folder(arguments.folder), clock=serving.now)
    try:
        signed = desk.open(
            arguments.name,
            arguments.first_monday or today - timedelta(days=today.weekday()),
            arguments.weeks,
            kinds,
            arguments.epoch,
            minimum_lenders=arguments.minimum_lenders,
            pages=(arguments.count_pages, arguments.edge_pages),
        )
    finally:
        store.close()
    case = signed.case
    serving.said(arguments, {"case": case.id.hex(), "digest": case.digest.hex()})
    if case.monday(case.weeks) <= today:
        sys.stderr.write(
            f"warning: the last week of this case ended before {case.monday(case.weeks)}: only "
            "observations of before count; --weeks gives it more\n"
        )
    return 0


def _close(arguments: argparse.Namespace) -> int:
    from server.cases.service import desk_in

    desk, store, _ = desk_in(_folder(arguments.folder), clock=serving.now)
    try:
        one = _named(desk.standings(), arguments.case)
        if not arguments.yes:
            raise OperatorError(
                f"{one.signed.case.name}: week {one.week}, {one.stage}: nothing was closed. It "
                "cannot be opened again; pages of this week are erased now, all others as at a "
                "case's end",
                remedy="tell the members, then give --yes; they read it in the closing bulletin",
            )
        head = desk.close(one.signed.case.id)
    finally:
        store.close()
    case = one.signed.case
    serving.said(arguments, {"closed": case.name, "case": case.id.hex(), "bulletin": head.version})
    return 0


def _named(standings: list[Standing], word: str) -> Standing:
    """The one case that goes on and has this name, or whose id begins so."""
    from server.cases.said import OVER

    going = [one for one in standings if one.stage not in OVER]
    found = [one for one in going if one.signed.case.name == word] or [
        one for one in going if len(word) >= 4 and one.signed.case.id.hex().startswith(word.lower())
    ]
    if len(found) != 1:
        raise OperatorError(
            f"{'several cases begin' if found else 'no case that goes on is called'} so",
            remedy="lianfang-server cases status names them and their ids",
        )
    return found[0]


def _serve(arguments: argparse.Namespace) -> int:
    from server.cases.service import serve

    serving.check_serve(arguments, "cases")
    _folder(arguments.folder)
    serving.log_to_standard_error()
    service = serve(arguments.folder, arguments.listen)
    return serving.run(service, service.desk.code, arguments, serve)


def _status(arguments: argparse.Namespace) -> int:
    from server.cases.service import desk_in

    desk, store, _ = desk_in(_folder(arguments.folder), clock=serving.now)
    try:
        standings = desk.standings()
    finally:
        store.close()
    found = [
        {"case": one.signed.case.id.hex(), "name": one.signed.case.name}
        | {field.name: getattr(one, field.name) for field in fields(one) if field.name != "signed"}
        for one in standings
    ]
    if arguments.json:
        sys.stdout.write(json.dumps({"cases": found}) + "\n")
        return 0
    for one in found:
        sys.stdout.write(
            f"{one['name']}: week {one['week']}, {one['stage']}; bulletin {one['bulletin']}; "
            f"id {one['case']}\n"
        )
    if not found:
        sys.stdout.write("no case yet: lianfang-server cases open\n")
    return 0


def _folder(folder: Path) -> Path:
    from server.cases.settings import FILE

    if not folder.is_dir():
        raise OperatorError(
            f"{folder}: there is no such folder",
            remedy=f"make it first: lianfang-server cases init {folder} …",
        )
    check_alone(folder, FILE)
    return folder


def _kinds(names: list[str]) -> list[int]:
    from shared.rings.kinds import Kind

    known = {kind.name.lower(): int(kind) for kind in Kind}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OperatorError(
            f"--kind {unknown[0]!r} is not a kind of edge", remedy=f"known are {', '.join(known)}"
        )
    return [known[name] for name in names or known]


def _day(text: str) -> date:
    return date.fromisoformat(text)
