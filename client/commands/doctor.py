"""`lianfang-client doctor`: is this folder ready to take part?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from client.commands.printing import document, line, note

EXAMPLES = """examples:
  lianfang-client doctor                     in the lender's folder
  lianfang-client doctor /srv/lender --json
  lianfang-client doctor --no-network        before the coordinator runs

Nothing is changed. The table is read in full, as a run would read it.

Exit status: 0 all is well; 1 it works, and somebody should look; 2 it will not work. Every line
that is not ok says what to do.
"""
_MARKS = {"ok": "ok       ", "attention": "attention", "wrong": "WRONG    "}


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `doctor` to the client's commands."""
    doctor = commands.add_parser(
        "doctor",
        help="check data, keys, machine and the way to the coordinator",
        description="check data, keys, machine and the way to the coordinator",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.add_argument("folder", type=Path, nargs="?", default=Path(), help="the lender's folder")
    doctor.add_argument("--no-network", action="store_true", help="leave the coordinator aside")
    doctor.add_argument("--json", action="store_true", help="one JSON line for scripts")
    doctor.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from client.doctor.advice import status_of
    from client.doctor.examination import examine

    found = []
    for one in examine(arguments.folder, network=not arguments.no_network):
        found.append(one)
        if not arguments.json:
            line(f"{_MARKS[one.state]}  {one.subject:<12}  {one.what}")
            if one.remedy:
                line(f"{'':<25}→ {one.remedy}")
    status = status_of(found)
    if arguments.json:
        document({"status": status, "lines": [asdict(one) for one in found]})
    elif status == 0:
        note("all is well: lianfang-client start")
    return status
