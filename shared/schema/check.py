"""Checking a lender's table against the schema: everything that is wrong at once, or a Table.

Invariants:
- All findings are collected before anything is refused, so that a file is mended once, not ten
  times; a file with one wrong cell is refused as a whole and never repaired.
- What is merely unusual (an empty or constant column, levels nobody declared, one class only) is
  accepted with a warning: such a lender can still contribute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.schema.cells import (
    EMPTY,
    Reading,
    cell_text,
    read_labels,
    read_levels,
    read_numbers,
    read_texts,
    read_years,
)
from shared.schema.column import Column
from shared.schema.finding import EXAMPLES, Finding, masked, refusal
from shared.schema.headers import HeaderMatch, match_headers
from shared.schema.schema import Schema
from shared.schema.table import Table
from shared.schema.text import is_missing

_WRITE_A_NUMBER = "write a plain number (1234.5), or leave the cell empty if it is not known"
_OUTSIDE = (
    "correct the value (is the unit right?); if it is true, have the declared range widened; if it "
    "is a code for 'not known', have it declared as missing"
)
_REMEDY = {
    "no label": "give every row a label; leave rows without an outcome out of the file",
    "a value the label contract does not know": "use the bad, good and indeterminate values of "
    "[label] in the schema, or have the contract extended",
    "not a date": "write 2024-01-05 (or 2024/1/5, 20240105, 2024年1月5日, a year)",
    EMPTY: "leave the row out if nobody was ever asked for it; else write the value, or the "
    "column's own code where nothing is on record",
    "infinite": "find out which division made it; write the value, or leave the cell empty",
}
_PRECISION_LOST = r"[0-9](?:\.[0-9]+)?E\+[0-9]+"


@dataclass(frozen=True)
class CheckedTable:
    """A table that passed, and what a person should still look at."""

    table: Table
    warnings: tuple[Finding, ...]


class _Cells:
    """The columns of one file by schema name, with the line each row came from."""

    def __init__(self, frame: pd.DataFrame, match: HeaderMatch, lines: NDArray[np.int64]) -> None:
        self._frame = frame
        self._match = match
        self.lines = lines
        self.errors: list[Finding] = list(match.errors)
        self.warnings: list[Finding] = []

    def has(self, name: str) -> bool:
        return name in self._match.position

    def column(self, name: str) -> pd.Series:
        return self._frame.iloc[:, self._match.position[name]]

    def finding(self, name: str, what: str, remedy: str, mask: NDArray[np.bool_]) -> Finding:
        """A finding about the cells of `mask`, with the first few as examples."""
        at = np.flatnonzero(mask)[:EXAMPLES]
        cells = self.column(name).iloc[at]
        examples = tuple(
            (int(line), masked(cell_text(cell)))
            for line, cell in zip(self.lines[at], cells, strict=True)
        )
        return Finding(name, what, remedy, int(mask.sum()), examples)

    def refuse(self, name: str, reading: Reading, fallback: str) -> None:
        """Note an error for every reason a reading has."""
        for what, mask in reading.wrong.items():
            remedy = _OUTSIDE if what.startswith("outside") else _REMEDY.get(what, fallback)
            self.errors.append(self.finding(name, what, remedy, mask))


def check_frame(
    frame: pd.DataFrame,
    schema: Schema,
    *,
    source: str,
    first_line: int = 2,
    lines: NDArray[np.int64] | None = None,
    labelled: bool = True,
) -> CheckedTable:
    """The rows of `frame` as a Table of `schema`, with warnings.

    Cells may be texts or typed. `source` is the file's name in messages; row i came from line
    `lines[i]`, or `first_line + i` when that is not given. With `labelled=False` (applicants to
    be scored) label and time are neither needed nor read. Raises OperatorError with all findings.
    """
    match = match_headers(
        [str(header) for header in frame.columns],
        schema.required if labelled else tuple(filter(None, (*schema.names, schema.row_key))),
        {column.name: column.aliases for column in schema.columns},
        schema.prohibited,
    )
    if lines is None:
        lines = np.arange(first_line, first_line + len(frame), dtype=np.int64)
    cells = _Cells(frame, match, lines)
    if not len(frame):
        cells.errors.append(
            Finding("(all)", "the file has no rows", "export the rows with the header")
        )
        raise refusal(source, cells.errors)
    table = _table(cells, schema, labelled=labelled)
    if table is None:
        raise refusal(source, cells.errors)
    return CheckedTable(table, (*cells.warnings, *_ignored(match), *_unusual(table)))


def _table(cells: _Cells, schema: Schema, *, labelled: bool) -> Table | None:
    """Every column read; None when `cells` then holds errors."""
    values = {c.name: _feature(cells, c) for c in schema.columns if cells.has(c.name)}
    labels = _labels(cells, schema) if labelled else None
    keys = _row_keys(cells, schema.row_key)
    time = _time(cells, schema.time)
    if cells.errors:
        return None
    if labels is None:
        return Table(schema, values, None, keys, time)
    known = ~np.isnan(labels)
    table = Table(schema, values, np.where(known, labels, 0).astype(np.int8), keys, time)
    return table if known.all() else table.take(known)


def _feature(cells: _Cells, column: Column) -> NDArray[np.float64] | NDArray[np.int16]:
    series = cells.column(column.name)
    if column.kind == "number":
        reading = read_numbers(series, column)
        cells.refuse(column.name, reading, _WRITE_A_NUMBER)
        return reading.values
    reading = read_levels(series, column)
    unseen = reading.values == len(column.levels)
    if unseen.any():
        remedy = "they are read as 'unseen'; if they are common, have the schema extended"
        what = "values that are not among the declared levels"
        cells.warnings.append(cells.finding(column.name, what, remedy, unseen))
    return reading.values


def _labels(cells: _Cells, schema: Schema) -> NDArray[np.float64]:
    label = schema.label
    if not cells.has(label.column):
        return np.empty(0)
    series = cells.column(label.column)
    reading = read_labels(series, label.bad, label.good, label.indeterminate)
    cells.refuse(label.column, reading, "")
    dropped = int(np.isnan(reading.values).sum()) - sum(m.sum() for m in reading.wrong.values())
    if dropped == len(series):
        what = "every row is indeterminate, so no row is left"
        cells.errors.append(Finding(label.column, what, "export rows with a known outcome"))
    elif dropped:
        what = "rows with an indeterminate label were left out"
        cells.warnings.append(Finding(label.column, what, "nothing to do", int(dropped)))
    return reading.values


def _row_keys(cells: _Cells, name: str) -> NDArray[np.object_]:
    if not name:
        return cells.lines.astype(str).astype(object)
    if not cells.has(name):
        return np.empty(0, dtype=object)
    keys = pd.Series(read_texts(cells.column(name)), dtype="str")
    distinct = pd.Series(keys.unique(), dtype="str")
    absent = keys.isin([key for key in distinct[distinct.str.len() < 5] if is_missing(key)])
    spoilt = keys.str.fullmatch(_PRECISION_LOST, case=False)
    double = keys.duplicated(keep=False) & ~absent & ~spoilt
    for what, remedy, mask in (
        ("the row key is missing", "give every row its own key", absent),
        ("precision was lost in a spreadsheet", "export the key as text, not number", spoilt),
        ("the same row key occurs more than once", "keep one row for each key", double),
    ):
        if mask.any():
            cells.errors.append(cells.finding(name, what, remedy, mask.to_numpy(dtype=bool)))
    return keys.to_numpy(dtype=object)


def _time(cells: _Cells, name: str | None) -> NDArray[np.float64] | None:
    if name is None or not cells.has(name):
        return None
    reading = read_years(cells.column(name))
    cells.refuse(name, reading, _REMEDY["not a date"])
    unknown = np.isnan(reading.values)
    if unknown.any() and not reading.wrong:
        remedy = "these rows take part in training but never in an out-of-time sample"
        cells.warnings.append(cells.finding(name, "the time is not known", remedy, unknown))
    return reading.values


def _ignored(match: HeaderMatch) -> Iterator[Finding]:
    if match.ignored:
        shown = ", ".join(repr(header) for header in match.ignored[:10])
        more = f" and {len(match.ignored) - 10} more" if len(match.ignored) > 10 else ""
        what = f"columns not in the schema were not read: {shown}{more}"
        yield Finding("(all)", what, "nothing to do, unless one of them is a misspelt column")


def _unusual(table: Table) -> Iterator[Finding]:
    """Empty columns, constant columns and one-class labels."""
    for column in table.schema.columns:
        values = table.values[column.name]
        known = values[~np.isnan(values)] if column.kind == "number" else values[values >= 0]
        if not len(known):
            yield Finding(column.name, "every value is missing", "check the export of this column")
        elif known.min() == known.max():
            yield Finding(column.name, "all known values are the same", "check the export")
    if table.bad is not None and table.bad.min() == table.bad.max():
        only = "bad" if table.bad[0] else "good"
        remedy = "the rows still count towards the shared model; no local measures can be given"
        yield Finding(table.schema.label.column, f"every row is {only}", remedy)
