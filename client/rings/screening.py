"""A whole book against the bulletins here.

Invariants:
- Nobody is asked but for tokens that are not kept yet; the same book again needs no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from client.exchange.book import read_book
from client.exchange.cells import BadCell
from client.rings.attributes import is_subject
from client.rings.flags_file import RowFlag
from client.rings.looking import Told, nearest
from client.rings.ring_desk import Bars, RingDesk, no_bars
from shared.errors import OperatorError

MOST_LINES = 20


@dataclass(frozen=True)
class ScreenedBook:
    """`flags` by line; `bad` cells; `left`: lines without an identifier that names a person, and
    how many there are.
    """

    rows: int
    people: int
    flags: tuple[RowFlag, ...]
    bad: tuple[BadCell, ...]
    left: tuple[int, ...]
    left_count: int


def screen(
    desk: RingDesk, path: Path, *, columns: Mapping[str, str], bars: Bars = no_bars
) -> ScreenedBook:
    """Raises OperatorError, PeerError; also where no cell of the book names a person."""
    desk.bulletins()  # before long work
    book = read_book(path, today=desk.desk.today, columns=columns, progress=bars("reading"))
    named = np.array([is_subject(one.kind) for one in book.subjects], bool)
    if not named.any():
        raise OperatorError(
            f"{path.name}: no cell names a person by what stays with it: nothing was looked up",
            remedy="a column of resident_id, uscc, passport … is needed",
        )
    found = desk.check_many(book.subjects, bars)
    of_row: dict[int, list[Told]] = {}
    for row, subject in zip(book.row, book.subject, strict=True):
        if int(subject) in found:
            of_row.setdefault(int(row), []).append(found[int(subject)])
    flags = []
    for row in sorted(of_row):
        told = nearest(of_row[row])
        ref = "" if book.refs is None else book.refs[row]
        if told is not None:
            flags.append(RowFlag(int(book.lines[row]), ref, told))
    empty = np.ones(len(book.lines), bool)
    empty[book.row[named[book.subject]]] = False
    left = np.flatnonzero(empty)
    return ScreenedBook(
        len(book.lines),
        int(named.sum()),
        tuple(flags),
        book.bad,
        tuple(int(book.lines[at]) for at in left[:MOST_LINES]),
        len(left),
    )
