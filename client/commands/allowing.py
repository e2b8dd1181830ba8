"""`lianfang-client terms`: runs that were refused here since other lenders were counted before.

    lianfang-client terms show --folder /srv/lender
    lianfang-client terms allow L01,L02,L03 --folder /srv/lender          says what it costs
    lianfang-client terms allow L01,L02,L03 --folder /srv/lender --yes    allows it

Exit status: 0 nothing waits, or it is allowed; 1 something waits for your word; 2 it did not work.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from client.commands.printing import ATTENTION, DONE, document, line

if TYPE_CHECKING:
    from client.allowed import Asked


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add these to the client's commands."""
    form, text = argparse.RawDescriptionHelpFormatter, "runs over the same rows, other lenders"
    terms = commands.add_parser(
        "terms", help=text, description=text, epilog=__doc__, formatter_class=form
    )
    words = terms.add_subparsers(dest="word", required=True, metavar="show|allow")
    show = words.add_parser("show", help="what was refused, and what allowing it costs")
    allow = words.add_parser("allow", help="allow one of them")
    allow.add_argument("lenders", metavar="CODES", help="as they were refused, e.g. L01,L02,L03")
    allow.add_argument("--yes", action="store_true", help="without it, only say what it costs")
    for command, handler in ((show, _show), (allow, _allow)):
        command.add_argument("--folder", type=Path, default=Path(), help="the lender's folder")
        command.add_argument("--json", action="store_true", help="one JSON line for scripts")
        command.set_defaults(run=handler)


def _show(arguments: argparse.Namespace) -> int:
    from client.allowed import refused_here

    found = refused_here(arguments.folder)
    if arguments.json:
        document([_plain(one, one.allowed) for one in found])
    else:
        for one in found:
            _say(one, one.allowed, arguments.folder)
        if not found:
            line("no run was refused here for being over other lenders than one before")
    return DONE if all(one.allowed for one in found) else ATTENTION


def _allow(arguments: argparse.Namespace) -> int:
    from client.allowed import allow, chosen

    codes = [code for code in arguments.lenders.replace(" ", "").split(",") if code]
    asked = chosen(arguments.folder, codes)
    if arguments.yes:
        asked = allow(arguments.folder, codes, lambda: datetime.now(UTC))
    allowed = asked.allowed or arguments.yes
    if arguments.json:
        document(_plain(asked, allowed))
    else:
        _say(asked, allowed, arguments.folder)
    return DONE if allowed else ATTENTION


def _plain(asked: Asked, allowed: bool) -> dict[str, Any]:
    return {
        "lenders": list(asked.lenders),
        "before": [list(codes) for codes in asked.before],
        "gone": list(asked.nearest.gone),
        "new": list(asked.nearest.new),
        "run": asked.agreement,
        "at": asked.at.isoformat(),
        "rows": asked.rows,
        "cost": asked.cost,
        "allowed": allowed,
    }


def _say(asked: Asked, allowed: bool, folder: Path) -> None:
    codes = ",".join(asked.lenders)
    when = f"{asked.at.astimezone():%Y-%m-%d %H:%M}"
    line(f"{codes}: {'allowed' if allowed else 'refused'}; asked {when} by {asked.agreement[:16]}")
    for before in asked.before:
        line(f"  counted before over the same rows: {','.join(before)}")
    line(f"  the cost: {asked.cost}")
    if not allowed:
        line(f"  to allow it: lianfang-client terms allow {codes} --folder {folder} --yes")
