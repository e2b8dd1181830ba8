"""The hits of a screening as a file for a person or a program.

Invariants:
- It appears whole or not at all, and never over the book itself.
- A row is known by its line and the book's own reference; no identifier is written.
- A CSV opens in a spreadsheet (UTF-8 with byte order mark), and no cell of it runs as a formula.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from client.exchange.screening import RowAnswer
from client.files import write_whole
from shared.blacklist.answer import Answer
from shared.errors import OperatorError

COLUMNS = ("line", "customer_ref", *(field.name for field in fields(Answer)))
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def check_out(out: Path, book: Path) -> None:
    """OperatorError unless hits in `book` may be written to `out`: asked before long work."""
    if out.suffix not in (".csv", ".parquet"):
        raise OperatorError(f"{out}: the output must be .csv or .parquet", remedy="rename --out")
    if out.is_symlink():  # it would be replaced, and what it leads to stay as it is
        raise OperatorError(f"{out} is a link", remedy="name the file that it leads to")
    if out.resolve() == book.resolve():
        raise OperatorError(f"{out} is the book itself", remedy="name another --out")


def write_hits(hits: Sequence[RowAnswer], out: Path, *, book: Path) -> None:
    """Write .csv or .parquet; one row for each hit. Raises OperatorError."""
    rows = [{"line": hit.line, "customer_ref": hit.ref, **_plain(hit.answer)} for hit in hits]
    write_frame(pd.DataFrame(rows, columns=list(COLUMNS)), out, book=book)


def write_frame(frame: pd.DataFrame, out: Path, *, book: Path) -> None:
    """Write rows with a column `customer_ref`, as above. Raises OperatorError."""
    check_out(out, book)
    try:
        write_whole(out, content_of(frame, out.suffix))
    except OSError as error:
        raise OperatorError(
            f"{out}: cannot be written ({error.strerror})", remedy="check folder and space"
        ) from error


def _plain(answer: Answer) -> dict[str, str | int | bool]:
    return {
        name: value if isinstance(value, (bool, int)) else str(value)
        for name, value in asdict(answer).items()
    }


def content_of(frame: pd.DataFrame, suffix: str) -> bytes:
    """A file's bytes; what a spreadsheet would run as a formula gets an apostrophe, wherever the
    text came from, and what moves a terminal's cursor becomes a space.
    """
    if suffix == ".parquet":
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        return buffer.getvalue()
    safe = {
        name: frame[name].map(safe_cell) for name in frame.columns if not _is_number(frame[name])
    }
    return frame.assign(**safe).to_csv(index=False).encode("utf-8-sig")


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))


def safe_cell(cell: object) -> object:
    """A cell of text as a CSV has it; done again, it stays."""
    if not isinstance(cell, str):
        return cell
    plain = "".join(one if one.isprintable() else " " for one in cell)
    return "'" + plain if cell.lstrip().startswith(_FORMULA) else plain
