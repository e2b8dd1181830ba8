"""`lianfang-client list checkpoint` and `list compare`: whether two lenders were shown one list.

Invariants:
- Nothing is asked of anybody: both work on what is on the disk. A checkpoint holds counts and
  digests signed by the registry, so it may be shown to every member.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from client.commands.printing import DONE, document, fail, line, note
from shared.errors import OperatorError

_MOST_BYTES = 65_536


def checkpoint(arguments: argparse.Namespace) -> int:
    """The checkpoint this lender holds, on standard output or in a file."""
    from client.exchange.opening import open_desk
    from shared.secure_sum.encoding import text_of

    with open_desk(arguments.folder) as desk:
        held = desk.checkpoint()
    text, out = text_of(held), arguments.out
    if out is not None:
        _write(out, text)
    about = {"version": held.version, "head": held.head.hex()}
    if arguments.json:
        where = {"checkpoint": text.decode()} if out is None else {"out": str(out)}
        document(about | where)
    elif out is None:
        line(text.decode())
    else:
        line(f"checkpoint of version {held.version} of the list in {out}")
    note(f"version {held.version}, head {held.head.hex()}: the same at every member")
    return DONE


def compare(arguments: argparse.Namespace) -> int:
    """Another member's checkpoint against this lender's; WRONG for a fork."""
    from client.exchange.opening import open_desk
    from shared.blacklist.checkpoint import ForkError

    text = _read(arguments.file)
    with open_desk(arguments.folder) as desk:
        try:
            here, there = desk.compare(text)
        except ForkError as fork:
            return fail(fork, as_json=arguments.json, same_list=False)
    if arguments.json:
        document({"same_list": True, "version_here": here.version, "version_there": there.version})
    elif here.version == there.version:
        line(f"the same list: version {here.version} there and here")
    else:
        line(f"the same list: version {there.version} there, version {here.version} here")
    return DONE


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1).strip()
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}", remedy="check the path"
        ) from error
    if len(text) > _MOST_BYTES or not text.startswith(b"{"):
        raise OperatorError(
            f"{path} is no checkpoint",
            remedy="ask the other member for what `list checkpoint --out FILE` wrote there",
        )
    return text


def _write(path: Path, text: bytes) -> None:
    from client.files import write_whole

    try:
        if not path.parent.is_dir():
            raise NotADirectoryError(0, "there is no such folder")
        write_whole(path, text + b"\n")
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be written: {error.strerror}", remedy="name another --out"
        ) from error
