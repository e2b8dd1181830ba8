"""Key shares are kept apart from the list and from rings' graphs: no service starts where a part is
that is to be elsewhere.

Invariants:
- Outside the profile `demo` a process that has loaded the other service, and a folder that holds
  its files, is refused before anything is opened; in the demo a warning says so.
- A database counts by what is in it, whatever its name; only the beginning of files is read.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.errors import OperatorError

PROFILES = ("demo", "production")
_DATABASE = (b"SQLite format 3\0", b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
"""A database file or its write-ahead log begins with one of these."""
_BEGINNING = 1 << 18
"""Bytes; the tables' definitions are what is written first."""
_log = logging.getLogger("lianfang.apart")


@dataclass(frozen=True)
class Part:
    """What is to be elsewhere: the `package` that serves it, its files' names in a folder, and a
    text that its database has near the beginning.
    """

    what: str
    package: str
    names: str
    table: bytes


SHARE = Part("a share of the key", "server.keyholder", "keyholder*", b"CREATE TABLE shares")
LIST = Part("the list", "server.registry", "registry*", b"CREATE TABLE published")
EVENTS = Part(
    "what lenders told of borrowing",
    "server.borrowing",
    "borrowing*",
    b"CREATE TABLE heads (version INTEGER",
)
GRAPH = Part("the graph of a case", "server.cases", "cases*", b"CREATE TABLE pages")


def check_without(
    part: Part,
    profile: str,
    folder: Path,
    *beside: Path,
    modules: Container[str] = sys.modules,
) -> None:
    """OperatorError when this process (its loaded `modules`), the folder with all below it or a
    folder `beside` has this part, unless the profile is `demo`.
    """
    if profile == "demo":
        _log.warning(
            "profile demo: whoever runs this may hold %s as well; it protects nobody", part.what
        )
        return
    found = next(_found(part, folder, beside, modules), None)
    if found is not None:
        raise not_apart(found)


def not_apart(found: str) -> OperatorError:
    """The one refusal of a share of the key beside the list; `found`: where both would be."""
    return OperatorError(
        f"one process or folder is to hold a share of the key and the list or a case: {found}",
        remedy="run key holders and registry apart, best by different operators",
    )


def _found(
    part: Part, folder: Path, beside: Iterable[Path], modules: Container[str]
) -> Iterator[str]:
    if part.package in modules:
        yield f"this process has loaded {part.package}"
    for path in sorted(folder.glob(part.names)):
        yield f"{path} belongs to {part.what}"
    for path in folder.rglob("*"):
        if _holds(path, part.table):
            yield f"{path} holds {part.what}"
    for other in beside:
        for path in other.iterdir() if other.is_dir() else ():
            if _holds(path, part.table):
                yield f"{path} holds {part.what}"


def _holds(path: Path, table: bytes) -> bool:
    """Whether it is a database, or the log of one, with this table, and ours to read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
    except OSError:
        return False
    return beginning.startswith(_DATABASE) and table in beginning
