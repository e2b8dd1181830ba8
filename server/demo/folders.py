"""Every party's folder for the demo, under one authority made for it.

    authority/  operator/  K1/ K2/ K3/  R1/  D1/  L01/ L02/ L03/  book.csv  cases-L01.csv …

Invariants:
- Nothing is removed but what an earlier demo wrote, which its `demo.txt` tells.
"""

from __future__ import annotations

import csv
import fcntl
import io
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from server.actor import write_actor
from server.authority import Authority, create_authority, write_authority
from server.commands import keyholder, keys, registry, serving
from server.demo.identities import Person, people
from server.demo.rings import DESK, SETTINGS, write_observations
from shared.errors import OperatorError
from shared.identity.certificate import Role

CONTEXT = "Demo consortium"
HOLDERS, REGISTRY, LENDERS, OPERATOR = ("K1", "K2", "K3"), "R1", ("L01", "L02", "L03"), "C1"
THRESHOLD, BOOK_ROWS, _DAYS = 2, 60, 30
MARKER = "demo.txt"
WARNING = (
    "ONE MACHINE WITH EVERYTHING PROTECTS NOBODY: whoever runs this demo holds every share of the "
    "key and the list, and can unmask everyone on it. All people in it are made up."
)


@dataclass(frozen=True)
class Cast:
    """Who is on the list, who is not (`unlisted` is listed by hand, `another` never), and whom the
    book holds.
    """

    listed: tuple[Person, ...]
    unlisted: Person
    another: Person
    book: tuple[Person, ...]


def cast_of(seed: int) -> Cast:
    """Four people are listed; three of them stand in the book among others."""
    found = people(4 + BOOK_ROWS, seed)
    listed, rest = tuple(found[:4]), found[4:]
    book = [*rest[1 : BOOK_ROWS - 2], *listed[:3]]
    return Cast(listed, rest[0], rest[-1], tuple(sorted(book, key=lambda one: one.phone)))


@contextmanager
def made_folders(
    folder: Path, seed: int, begun: Callable[[], None] = lambda: None
) -> Iterator[Cast]:
    """All folders but the addresses, which are known once the services answer; nobody else makes a
    demo there meanwhile. `begun` is called when the folder may be used. Raises OperatorError.
    """
    _clear(folder)
    begun()
    cast = _make(folder, seed)
    with (folder / MARKER).open() as marker:
        if not _is_free(marker):
            raise _in_use(folder)
        yield cast


def _is_free(marker: TextIO) -> bool:
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_use(folder: Path) -> OperatorError:
    return OperatorError(
        f"a demo is running in {folder}; nothing was touched",
        remedy="end it with Ctrl-C first, or name another --folder",
    )


def _make(folder: Path, seed: int) -> Cast:
    cast = cast_of(seed)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / MARKER).write_text(f"made by lianfang-server demo\n{WARNING}\n", encoding="utf-8")
        authority = create_authority(
            CONTEXT, days=2 * _DAYS, now=serving.now(), random=secrets.token_bytes
        )
        write_authority(folder / "authority", authority)
        for code in HOLDERS:
            _enrol(folder / code, authority, code, "keyholder")
            text = keyholder.settings_text(CONTEXT, list(HOLDERS), THRESHOLD, "demo")
            (folder / code / "keyholder.toml").write_text(text, encoding="utf-8")
        _enrol(folder / REGISTRY, authority, REGISTRY, "registry")
        text = registry.settings_text(None, "demo", holders=HOLDERS, context=CONTEXT, at_once=True)
        (folder / REGISTRY / "registry.toml").write_text(text, encoding="utf-8")
        _enrol(folder / DESK, authority, DESK, "desk")
        (folder / DESK / "cases.toml").write_text(SETTINGS, encoding="utf-8")
        _enrol(folder / "operator", authority, OPERATOR, "coordinator")
        for code in LENDERS:
            _enrol(folder / code, authority, code, "lender")
        _write_tables(folder, cast)
        write_observations(folder, seed, LENDERS)
    except OSError as error:
        raise OperatorError(
            f"{error.filename or folder}: {error.strerror}", remedy="name another --folder"
        ) from error
    return cast


def write_addresses(folder: Path, addresses: Mapping[str, str]) -> None:
    """`keys.toml` for the operator and `exchange.toml` for every lender."""
    holders = {code: addresses[code] for code in HOLDERS}
    text = keys.settings_text(CONTEXT, THRESHOLD, holders)
    (folder / "operator" / keys.FILE).write_text(text, encoding="utf-8")
    for code in LENDERS:
        lines = [f'{one} = "{address}"\n' for one, address in holders.items()]
        (folder / code / "exchange.toml").write_text(
            f'[exchange]\nmember = "{code}"\ncontext = "{CONTEXT}"\n'
            f'[registry]\ncode = "{REGISTRY}"\naddress = "{addresses[REGISTRY]}"\n'
            f'[cases]\ncode = "{DESK}"\naddress = "{addresses[DESK]}"\n[holders]\n'
            + "".join(lines),
            encoding="utf-8",
        )


def _enrol(folder: Path, authority: Authority, code: str, role: Role) -> None:
    folder.mkdir(mode=0o700)
    random = secrets.token_bytes
    write_actor(folder, authority, code, role, days=_DAYS, now=serving.now(), random=random)


def _write_tables(folder: Path, cast: Cast) -> None:
    """The book, and the cases two lenders list: the first of them both."""
    rows = [(f"D{at:04}", one.resident_id, one.phone) for at, one in enumerate(cast.book, 1)]
    _write(folder / "book.csv", ("customer_ref", "resident_id", "phone"), rows)
    first, second, third, fourth = cast.listed
    day = f"{serving.now().date() - timedelta(days=40):%Y-%m-%d}"
    head = ("resident_id", "phone", "reason", "confidence", "event_date", "evidence")
    forged, asked = "forged_document=case.txt", "statement=case.txt"
    _write(
        folder / "cases-L01.csv",
        head,
        [
            (first.resident_id, first.phone, "F101", "confirmed", day, forged),
            (second.resident_id, "", "F203", "confirmed", day, asked),
            (fourth.resident_id, fourth.phone, "F301", "probable", day, forged),
        ],
    )
    _write(
        folder / "cases-L02.csv",
        head,
        [
            (first.resident_id, "", "F105", "confirmed", day, "contact_record=case.txt"),
            (third.resident_id, third.phone, "F304", "probable", day, asked),
        ],
    )
    (folder / "case.txt").write_text("what a case file would hold\n", encoding="utf-8")


def _write(path: Path, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    path.write_text(text.getvalue(), encoding="utf-8")


def _clear(folder: Path) -> None:
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MARKER).exists():
        raise OperatorError(
            f"{folder} holds something else than a demo; nothing was touched",
            remedy="name another --folder",
        )
    with (folder / MARKER).open() as marker:
        if not _is_free(marker):
            raise _in_use(folder)
        shutil.rmtree(folder)
