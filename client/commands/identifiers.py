"""Identifiers of one subject as a command takes them.

Invariants:
- A value given as `-` is read from standard input, one line each, so that it stands in no shell
  history and in no list of processes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from client.commands.printing import note
from client.commands.words import ODD, counted
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.exchange.cells import WarnedCell

_COMMON = ("resident-id", "uscc", "phone", "bank-card", "device", "email", "address")
_SHOWN = 20


def add_identifiers(command: argparse.ArgumentParser) -> None:
    """The options; each may stand several times."""
    group = command.add_argument_group(
        "the subject (one or more; write - to read the value from standard input, a line each, "
        "so that it does not stay in the shell's history)"
    )
    for name in _COMMON:
        group.add_argument(f"--{name}", action="append", default=[], metavar="VALUE")
    group.add_argument("--kind", action="append", default=[], help="any other kind, with --value")
    group.add_argument("--value", action="append", default=[])


def given(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Kinds and texts as given, `-` replaced by lines of standard input."""
    if len(arguments.kind) != len(arguments.value):
        raise OperatorError(
            "--kind and --value do not come in pairs", remedy="give a --value after each --kind"
        )
    pairs = [
        (name.replace("-", "_"), text)
        for name in _COMMON
        for text in getattr(arguments, name.replace("-", "_"))
    ]
    pairs += zip(arguments.kind, arguments.value, strict=True)
    return [(kind, _line_for(kind) if text == "-" else text) for kind, text in pairs]


def note_odd(odd: Sequence[WarnedCell], so: str) -> None:
    """What is odd about identifiers that are taken as they are, before anything leaves; `so`: what
    happens with them.
    """
    for cell in odd[:_SHOWN]:
        where = f"line {cell.line}, " if cell.line else ""
        what = ODD.get(cell.warning, "it is unusual")
        note(f"warning: {where}{cell.column} {cell.text}: {what} ({cell.warning}); {so}")
    if len(odd) > _SHOWN:
        note(f"… and {counted(len(odd) - _SHOWN, 'more warning')}; --json lists all")


def _line_for(kind: str) -> str:
    if sys.stdin.isatty():
        sys.stderr.write(f"{kind}: ")
        sys.stderr.flush()
    text = sys.stdin.readline()
    if not text:
        raise OperatorError(
            f"standard input ended before the {kind} was read",
            remedy="write one line for each value given as -",
        )
    return text.strip()
