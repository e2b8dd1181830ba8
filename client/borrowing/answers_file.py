"""The file of answers that a screening writes, and that later ones add to.

Invariants:
- Added to, it keeps every row it has: the first answer to an application stands, since an answer
  of that day cannot be made again. Answers that are over their term are counted, not deleted: how
  long a model's rows may be kept is the consortium's to say.
- It appears whole or not at all.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from client.borrowing.applications import KEY
from client.exchange.hits_file import write_frame
from shared.borrowing.terms import TTL_DAYS
from shared.errors import OperatorError

TABLE_DAY = "table_day"
_SHOWN = 20


class Kept(NamedTuple):
    """Of a file that was added to: applications that were in it `before`, of this book; answers in
    it that are `over` their term.
    """

    before: int = 0
    over: int = 0


def write_answers(frame: pd.DataFrame, out: Path, *, book: Path, append: bool, today: date) -> Kept:
    """Write `out`, or add to it what it has no answer for. Raises OperatorError; the file is as it
    was then.
    """
    if append:
        _check_keys(frame)
    if not append or not out.exists():
        write_frame(frame, out, book=book)
        return Kept()
    old = _read(out, frame)
    there = frame[KEY].isin(set(old[KEY].str.removeprefix("'")))
    if not there.all():
        write_frame(pd.concat([old, frame[~there]], ignore_index=True), out, book=book)
    oldest = (today - timedelta(days=TTL_DAYS)).isoformat()
    over = (old[TABLE_DAY] < oldest).sum() if TABLE_DAY in old.columns else 0
    return Kept(int(there.sum()), int(over))


def _check_keys(frame: pd.DataFrame) -> None:
    if KEY not in frame.columns:
        raise OperatorError(
            "no column tells applications apart, so nothing can be added to by them",
            remedy=f"add a column {KEY}, or name yours: --column {KEY}=HEADER",
        )
    wrong = (frame[KEY] == "") | frame[KEY].duplicated(keep=False)
    if wrong.any():
        lines = ", ".join(map(str, frame["line"][wrong][:_SHOWN]))
        more = " …" if wrong.sum() > _SHOWN else ""
        raise OperatorError(
            f"{KEY} is empty or there twice: line {lines}{more}; nothing was written",
            remedy="give every application its own number",
        )


def _read(out: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """What `out` holds, in the types of `frame`."""
    try:
        if out.suffix == ".parquet":
            old = pd.read_parquet(out)
        else:
            old = pd.read_csv(out, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        if list(old.columns) == list(frame.columns):
            return pd.DataFrame({name: _typed(old[name], frame[name]) for name in frame.columns})
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(
            f"{out}: it cannot be read as a file of answers, so nothing was added",
            remedy="put it back as a screening wrote it, or name another --out",
        ) from error
    raise OperatorError(
        f"{out} has other columns, so nothing was added",
        remedy="screen with the same options and a file of the same columns as before, or name "
        "another --out",
    )


def _typed(old: pd.Series, like: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(like):
        return old.astype(str) == "True"
    if isinstance(like.dtype, pd.Int8Dtype):
        return pd.to_numeric(old.astype(object).where(old != "", None)).astype("Int8")
    return old.astype(like.dtype)
