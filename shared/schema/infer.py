"""A schema for a researcher's own table, read off the table itself.

A consortium declares its schema; this is for one person who holds all rows. Invariants:
- The result is a function of the table alone: levels are ordered by frequency, then by text.
- What is not taken as a feature is not lost silently: `check_frame` lists every header that the
  schema leaves out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from shared.errors import OperatorError
from shared.schema.cells import cell_text, read_numbers
from shared.schema.column import MAX_LEVELS, Column
from shared.schema.headers import PROHIBITED, folded, is_prohibited
from shared.schema.label import LabelContract
from shared.schema.schema import Schema
from shared.schema.text import clean, is_missing, number_of

# A text column with more distinct values than this share of its rows names rows, not groups.
_ID_LIKE_SHARE = 0.5
FEW_LEVELS = 20
# `loan_id`, `LoanID`, `key`, `编号`, a spreadsheet library's unnamed index; not `amount_paid`.
_ROW_NAME = re.compile(r"(?:^|[\W_])(?:id|key|index|nr|no)$|^unnamed: 0$|[编序]?号$", re.IGNORECASE)
_CAMEL_ROW_NAME = re.compile(r"[a-z](?:Id|ID)$")
_BAD_WORDS = frozenset(
    (
        *("bad", "yes", "y", "true", "default", "defaulted", "chargedoff", "chgoff", "bankrupt"),
        *("坏", "坏客户", "是"),
    )
)


def infer_schema(
    frame: pd.DataFrame,
    *,
    label: str,
    source: str,
    bad: str | None = None,
    row_key: str | None = None,
    time: str | None = None,
    lender: str | None = None,
    categories: Sequence[str] = (),
    good: Sequence[str] = (),
) -> Schema:
    """The schema of `frame`, whose label column is `label`.

    A column whose known cells all read as numbers is a number unless listed in `categories`; any
    other is a category of its (at most 250 most frequent) texts. Left out: `lender`, empty
    columns, columns of almost all different texts, unique whole numbers with a name like `id`.
    `bad` is the label's bad value; without it the larger of two numbers, or the one word of two
    that means bad. Without `row_key` rows are told apart by their line. Raises OperatorError.
    """
    headers = [str(header) for header in frame.columns]
    for name in [label, *filter(None, (row_key, time, lender)), *categories]:
        _require(name, headers, source)
    columns = []
    for position, header in enumerate(headers):
        if header in (label, row_key, lender) or is_prohibited(header, PROHIBITED):
            continue
        cells = frame.iloc[:, position]
        column = _column(clean(header), cells, as_category=header in categories)
        if column and not (header == time and column.kind == "category"):
            columns.append(column)
    return Schema(
        version=1,
        columns=tuple(columns),
        label=_label(clean(label), frame.iloc[:, headers.index(label)], bad, good),
        row_key=clean(row_key or ""),
        time=clean(time) if time else None,
        prohibited=PROHIBITED,
    )


def _require(name: str, headers: Sequence[str], source: str) -> None:
    if headers.count(name) != 1:
        what = "there is no column" if name not in headers else "more than one column is called"
        raise OperatorError(
            f"{source}: {what} {name!r}", remedy=f"columns: {', '.join(headers[:40])}"
        )


def _column(name: str, cells: pd.Series, *, as_category: bool) -> Column | None:
    """The declaration of one column, or None when it is no use as a feature."""
    if not name or not cells.notna().any():
        return None
    if not as_category:
        reading = read_numbers(cells, Column(name, "number"))
        if reading.wrong.keys() <= {"infinite"}:  # a number; checking then says where
            useful = bool((reading.values == reading.values).any()) and not _names_rows(name, cells)
            return Column(name, "number") if useful else None
    counts = _counts(cells)
    known = sum(counts.values())
    id_like = len(counts) > FEW_LEVELS and len(counts) > _ID_LIKE_SHARE * known
    if not counts or (id_like and not as_category):
        return None
    ordered = sorted(counts, key=lambda text: (-counts[text], text))
    return Column(name, "category", levels=tuple(ordered[:MAX_LEVELS]))


def _names_rows(name: str, cells: pd.Series) -> bool:
    """Whether a number column is a row number: unique, whole, and called so."""
    named = _ROW_NAME.search(name) or _CAMEL_ROW_NAME.search(name)
    if not named or cells.isna().any() or not cells.is_unique:
        return False
    return all("." not in cell_text(cell) for cell in cells.head(1000))


def _counts(cells: pd.Series) -> Counter[str]:
    """Rows per canonical text, without the missing ones."""
    counts: Counter[str] = Counter()
    for cell, rows in cells.value_counts().items():
        text = cell_text(cell)
        if not is_missing(text):
            counts[text] += int(rows)
    return counts


def _label(name: str, cells: pd.Series, bad: str | None, good: Sequence[str]) -> LabelContract:
    values = sorted(_counts(cells))
    if good and bad is not None:
        return LabelContract(name, (clean(bad),), tuple(clean(value) for value in good))
    chosen = clean(bad) if bad is not None else _bad_of(name, values)
    if chosen not in values or len(values) != 2:
        raise OperatorError(
            f"label {name!r} has {len(values)} different values; it needs two, one of them "
            f"{chosen!r}",
            remedy="with more than two, say which are good as well (bad = …, good = [ … ]), or "
            "declare a schema with indeterminate values",
        )
    return LabelContract(name, (chosen,), tuple(value for value in values if value != chosen))


def _bad_of(name: str, values: Sequence[str]) -> str:
    """The bad one of two values: the larger number, or the only word that means bad."""
    if len(values) == 2:
        try:
            return max(values, key=number_of)
        except ValueError:
            words = [value for value in values if folded(value) in _BAD_WORDS]
            if len(words) == 1:
                return words[0]
    raise OperatorError(
        f"label {name!r}: which of its {len(values)} values means bad cannot be seen",
        remedy="say which value is bad (bad = … under [data])",
    )
