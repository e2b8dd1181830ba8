"""The file of answers that a screening writes, and that later ones add to.

Invariants:
- Added to, it keeps every answer it has: the first one to an application stands, since an answer
  of that day cannot be made again. Answers that are over their term are counted, not deleted: how
  long a model's rows may be kept is the consortium's to say.
- A row that nobody was asked about is no answer: it is not added, and one that is there gives way.
- Not added to, a file is written over only if all its answers are made again, of the same table.
- It appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from client.borrowing.answers_read import ABOUT, TABLE_DAY, are_answered, raw_answers, read_answers
from client.borrowing.applications import DAY, KEY
from client.exchange.hits_file import safe_cell, write_frame
from shared.borrowing.terms import TTL_DAYS
from shared.errors import OperatorError

_SHOWN = 20


class Kept(NamedTuple):
    """What came of this book's rows: `added`; answered in the file `before`. Of a file that was
    added to: answers that are `over` their term; lines of the book that are `unasked`, so not in
    it; lines that are to be looked at, though the first answer, which stays, is not (`unseen`).
    """

    added: int = 0
    before: int = 0
    over: int = 0
    unasked: tuple[int, ...] = ()
    unseen: tuple[int, ...] = ()


def write_answers(frame: pd.DataFrame, out: Path, *, book: Path, append: bool, today: date) -> Kept:
    """Write `out`, or add to it what it has no answer for. Raises OperatorError; the file is as it
    was then.
    """
    if not append:
        _check_nothing_is_lost(frame, out)
        write_frame(frame, out, book=book)
        return Kept(len(frame))
    _check_keys(frame, out)
    old = read_answers(out, frame) if out.exists() else frame[:0]
    numbers, asked, first = _numbers(old, out), are_answered(frame), are_answered(old)
    there = _numbers(frame, out).isin(set(numbers[first]))
    added = frame[asked & ~there]
    if len(added):
        stays = old[first | ~numbers.isin(set(_numbers(added, out)))]
        both = pd.concat([stays, added], ignore_index=True) if len(stays) else added
        write_frame(both, out, book=book)
    told = _numbers(frame, out).isin(set(numbers[first & old["look"]]))
    oldest = (today - timedelta(days=TTL_DAYS)).isoformat()
    over = (old[TABLE_DAY] < oldest).sum() if TABLE_DAY in old.columns else 0
    return Kept(
        added=len(added),
        before=int((asked & there).sum()),
        over=int(over),
        unasked=_lines(frame[~asked]),
        unseen=_lines(frame[asked & there & frame["look"] & ~told]),
    )


def _lines(frame: pd.DataFrame) -> tuple[int, ...]:
    return tuple(frame["line"].tolist())


def _numbers(frame: pd.DataFrame, out: Path) -> pd.Series:
    """Applications' numbers, as a file like `out` has them."""
    return frame[KEY] if out.suffix == ".parquet" else frame[KEY].map(safe_cell)


def _check_keys(frame: pd.DataFrame, out: Path) -> None:
    if KEY not in frame.columns:
        raise OperatorError(
            "no column tells applications apart, so nothing can be added to by them",
            remedy=f"add a column {KEY}, or name yours: --column {KEY}=HEADER",
        )
    wrong = (frame[KEY] == "") | _numbers(frame, out).duplicated(keep=False)
    if wrong.any():
        lines = ", ".join(map(str, frame["line"][wrong][:_SHOWN]))
        more = " …" if wrong.sum() > _SHOWN else ""
        raise OperatorError(
            f"{KEY} is empty or there twice: line {lines}{more}; nothing was written",
            remedy="give every application its own number",
        )


def _check_nothing_is_lost(frame: pd.DataFrame, out: Path) -> None:
    """OperatorError where `out` holds answers of a day that `frame` does not hold again."""
    if not out.is_file() or not out.stat().st_size:
        return
    try:
        old = raw_answers(out)
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"{out} is there and cannot be read: answers may be in it; nothing was written",
            remedy="name another --out",
        ) from error
    if not any(TABLE_DAY in str(name) for name in old.columns):
        return
    lost = len(old)
    if TABLE_DAY in old.columns:
        old = old[are_answered(old)]
        lost = len(old) - sum(_made_again(old, frame[are_answered(frame)]))
    if lost:
        raise OperatorError(
            f"{out} holds {lost:,} answers that this run does not make again, and that may never "
            "be made again; nothing was written",
            remedy="add --append, or name another --out",
        )


def _made_again(old: pd.DataFrame, new: pd.DataFrame) -> Iterable[bool]:
    """Of each old answer, whether it is among the new: same application, day, table and cells."""
    by = [*([KEY] if KEY in old.columns else ABOUT[:2]), DAY, TABLE_DAY]
    if not set(by) <= set(old.columns) <= set(new.columns):
        return [False] * len(old)
    there = set(zip(*(new[name].astype(str).map(safe_cell) for name in by), strict=True))
    rows = zip(*(old[name].astype(str).map(safe_cell) for name in by), strict=True)
    return [row in there for row in rows]
