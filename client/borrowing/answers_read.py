"""Reading a file of answers that a screening wrote.

Invariants:
- What a screening does not write is refused: a spreadsheet that saves the file rewrites days,
  numbers (`0007` becomes `7`) and yes and no, and a number that changed joins to no loan.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from client.borrowing.applications import DAY, KEY
from shared.borrowing.terms import UNTOLD
from shared.errors import OperatorError

TABLE_DAY = "table_day"
ABOUT = ("line", "customer_ref", KEY, DAY, TABLE_DAY, "look", "triggers")
"""The columns of a file of answers that are no cells of an answer."""
_BANDS = ("", *map(str, range(UNTOLD, 6)))
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def raw_answers(out: Path) -> pd.DataFrame:
    """What `out` holds, a CSV as text. OSError, ValueError: it cannot be read."""
    if out.suffix == ".parquet":
        return pd.read_parquet(out)
    return pd.read_csv(out, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def are_answered(frame: pd.DataFrame) -> pd.Series:
    """Of each row, whether somebody was asked: it has a cell that is not empty."""
    answered = pd.Series(False, index=frame.index)
    for name in frame.columns:
        if name not in ABOUT:
            cells = frame[name]
            text = not pd.api.types.is_numeric_dtype(cells)
            answered |= (cells.notna() & (cells != "")) if text else cells.notna()
    return answered


def read_answers(out: Path, like: pd.DataFrame) -> pd.DataFrame:
    """What `out` holds, in the types of `like`. Raises OperatorError: it cannot be read, has other
    columns, or is not as a screening wrote it.
    """
    try:
        old = raw_answers(out)
        if list(old.columns) == list(like.columns):
            _check_as_written(out, old)
            return pd.DataFrame({name: _typed(old[name], like[name]) for name in like.columns})
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise OperatorError(
            f"{out}: it cannot be read as a file of answers, so nothing was added",
            remedy="put it back as a screening wrote it, or name another --out",
        ) from error
    raise OperatorError(
        f"{out} has other columns, so nothing was added",
        remedy="screen with the same options and a file of the same columns as before, or name "
        "another --out",
    )


def _check_as_written(out: Path, old: pd.DataFrame) -> None:
    for name in old.columns:
        wrong = ~_as_written(str(name), old[name])
        if wrong.any():
            raise OperatorError(
                f"{out}, row {int(wrong.to_numpy().argmax()) + 1}, {name}: not as a screening "
                "writes it: the file was edited since, perhaps saved by a spreadsheet; nothing "
                "was added",
                remedy="put it back from your backup: numbers such as 0007 may have changed, too",
            )


def _as_written(name: str, cells: pd.Series) -> pd.Series:
    if name not in ABOUT and isinstance(cells.dtype, pd.Int8Dtype):
        return cells.isna() | cells.between(UNTOLD, 5).fillna(False)
    texts = cells.astype(object).where(cells.notna(), "").astype(str)
    if name in (DAY, TABLE_DAY):
        days = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")
        return texts.str.fullmatch(_DAY) & days.notna()
    if name == "look":
        return texts.isin(("True", "False"))
    if name == "line":
        return texts.str.fullmatch("[1-9][0-9]{0,17}")
    return texts.isin(_BANDS) if name not in ABOUT else texts.notna()


def _typed(old: pd.Series, like: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(like):
        return old.astype(str) == "True"
    if isinstance(like.dtype, pd.Int8Dtype) and old.dtype != like.dtype:
        return pd.to_numeric(old.astype(object).where(old != "", None)).astype("Int8")
    return old.astype(like.dtype)
