"""What of a file this lender told the desk before, by its own record of what it submitted.

Invariants:
- The desk keeps the first telling of an event (`server/borrowing/desk.py`): one told anew with
  another day, time or amount changes nothing there, and is never counted as told.
- It says what left this machine, not what the desk holds: without the record all is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.pages import Rows, read_page

_VALUES = ("day", "id_kind", "bits", "band")
Name = tuple[bytes, bytes, int]
Value = tuple[int, ...]


@dataclass(frozen=True)
class Before:
    """Events by what was told of them: `told`, all of it; `new`, some of it not; `changed`: lines
    of those told otherwise, which the desk does not take.
    """

    told: int
    new: int
    changed: tuple[int, ...]


def told_before(
    pages: Iterable[bytes], rows: Rows, lines: Sequence[int], *, retract: bool
) -> Before:
    """Of `rows` (n,), with the line of the event of each. `pages`: texts of what was submitted and
    not refused, in order. Taken back is by name, whatever else is said: then nothing is changed.
    """
    held = _held(pages, rows)
    new, changed = set(), set()
    for line, row in zip(lines, rows, strict=True):
        value = held.get(_name(row))
        if value is None:
            new.add(line)
            if not retract:
                held[_name(row)] = _value(row)
        elif value != _value(row) and not retract:
            changed.add(line)
    told = set(lines) - new - changed
    return Before(len(told), len(new - changed), tuple(sorted(changed)))


def _held(pages: Iterable[bytes], rows: Rows) -> dict[Name, Value]:
    """What the desk should hold of the events that `rows` name."""
    held: dict[Name, Value] = {}
    asked = np.unique(_start(rows))
    for text in pages:
        page = read_page(text)
        table = page.table()
        for row in table[np.isin(_start(table), asked)]:
            if page.retract:
                held.pop(_name(row), None)
            else:
                held.setdefault(_name(row), _value(row))
    return held


def _start(rows: Rows) -> NDArray[np.uint64]:
    """(n,) the first eight bytes of references: enough to leave most rows out."""
    return np.ascontiguousarray(rows["reference"][:, :8]).view(np.uint64).ravel()


def _name(row: np.void) -> Name:
    return row["subject"].tobytes(), row["reference"].tobytes(), int(row["kind"])


def _value(row: np.void) -> Value:
    return tuple(int(row[name]) for name in _VALUES)
