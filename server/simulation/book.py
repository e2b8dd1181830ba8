"""The researcher's book: all rows in one place, and which lender holds which.

Only a simulation has this. It is split into lenders' folders for the run, and used again afterwards
for everything that pools rows.

Invariants:
- A frame's headers are the schema's own names, whatever the file called them.
- Which row is whose follows the row key, never a row's place after checking.
- A lender is a code; its name is not kept.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from itertools import count

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from server.simulation.partition import partition
from server.simulation.study import DataSource, Study
from shared.errors import OperatorError
from shared.schema import Schema, Table, check_frame, infer_schema, parse_schema
from shared.schema.cells import read_texts
from shared.schema.headers import folded, match_headers


@dataclass(frozen=True, eq=False)
class Book:
    """`frame` as read, `table` checked (rows with an indeterminate label left out), `lender` code
    of each row of the table, `position` of each of its rows in the frame; `warnings` to show.
    """

    frame: pd.DataFrame
    table: Table
    position: NDArray[np.int64]
    lender: NDArray[np.object_]
    warnings: tuple[str, ...]

    @property
    def codes(self) -> list[str]:
        """Lender codes, ascending."""
        return sorted(set(self.lender.tolist()))


def book_of(
    frame: pd.DataFrame,
    study: Study,
    *,
    lenders: int | None = None,
    lines: NDArray[np.int64] | None = None,
) -> Book:
    """Check a frame and give each row a lender; `lenders` keeps the largest or makes that many.

    Raises OperatorError with everything that is wrong with the rows.
    """
    source = study.data
    keyed, schema = _keyed(frame, _schema(frame, source))
    used = keyed if source.lender in (None, *schema.required) else _without(keyed, source.lender)
    checked = check_frame(used, schema, source=source.path.name, lines=lines)
    table, keyed = checked.table, _canonical(keyed, schema)
    keys = pd.Index(read_texts(keyed[schema.row_key]))
    position = keys.get_indexer(pd.Index(table.row_key)).astype(np.int64)
    if source.lender is None:
        lender = _dealt(table, study, lenders)
    else:
        lender = _coded(_named(frame, source, source.lender).iloc[position])
        if lenders is not None:
            held = len(set(lender.tolist()))
            if lenders > held:
                raise OperatorError(
                    f"{lenders} lenders are asked for; the lender column holds {held}",
                    remedy="ask for fewer, or make lenders with [data.partition]",
                )
            kept = np.flatnonzero(np.isin(lender.astype(str), _largest(lender, lenders)))
            table, position, lender = table.take(kept), position[kept], lender[kept]
    return Book(keyed, table, position, lender, tuple(str(w) for w in checked.warnings))


def _without(frame: pd.DataFrame, column: str | None) -> pd.DataFrame:
    return frame.loc[:, [str(header) != column for header in frame.columns]]


def _schema(frame: pd.DataFrame, source: DataSource) -> Schema:
    if source.schema is not None:
        try:
            document = tomllib.loads(source.schema.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise OperatorError(f"{source.schema}: {error}", remedy="check the schema") from error
        return parse_schema(document)
    headers = Counter(folded(str(header)) for header in frame.columns)
    double = [str(header) for header in frame.columns if headers[folded(str(header))] > 1]
    if double:
        raise OperatorError(
            f"{source.path.name}: columns with the same name: {', '.join(map(repr, double))}",
            remedy="rename or remove all but one of them",
        )
    assert source.label is not None  # read_study has seen to it
    return infer_schema(
        frame,
        label=source.label,
        source=source.path.name,
        bad=source.bad,
        row_key=source.row_key,
        time=source.time,
        lender=source.lender,
        categories=source.categories,
        good=source.good,
    )


def _keyed(frame: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, Schema]:
    """Both with a row key: a table that has none is told apart by its rows' places."""
    if schema.row_key:
        return frame, schema
    taken = {folded(str(header)) for header in frame.columns}
    key = next(name for i in count() if folded(name := f"row{i or ''}") not in taken)
    document = schema.to_dict()
    table = document["table"]
    assert isinstance(table, dict)
    with_key = parse_schema(document | {"table": table | {"row_key": key}})
    return frame.assign(**{key: np.arange(len(frame))}), with_key


def _canonical(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The frame of a table that passed, under the schema's names."""
    headers = [str(header) for header in frame.columns]
    aliases = {column.name: column.aliases for column in schema.columns}
    for name, place in match_headers(headers, schema.required, aliases).position.items():
        headers[place] = name
    return frame.set_axis(headers, axis=1)


def _dealt(table: Table, study: Study, lenders: int | None) -> NDArray[np.object_]:
    asked = study.data.partition
    assert asked is not None  # read_study has seen to it
    column = None
    if asked.column is not None:
        if asked.column not in table.values:
            raise OperatorError(
                f"[data.partition] column {asked.column!r} is no feature",
                remedy=f"name one of {', '.join(table.schema.names[:40])}",
            )
        column = table.values[asked.column].astype(np.float64)
    owner = partition(
        asked.kind,
        table.rows,
        lenders or asked.lenders,
        seed=study.seed,
        label=table.bad,
        column_values=column,
        sizes=asked.sizes,
        alpha=asked.alpha,
    )
    width = max(2, len(str(owner.max() + 1)))
    return np.array([f"L{i + 1:0{width}d}" for i in range(owner.max() + 1)], dtype=object)[owner]


def _named(frame: pd.DataFrame, source: DataSource, column: str) -> pd.Series:
    """The lender's name in each row of the file, white space around it removed."""
    if [str(header) for header in frame.columns].count(column) != 1:
        raise OperatorError(
            f"{source.path.name}: there is not exactly one lender column {column!r}",
            remedy="name a column of the file, or use [data.partition]",
        )
    named = frame[column].astype("str").str.strip()
    absent = frame[column].isna() | (named == "")
    if absent.any():
        raise OperatorError(
            f"{source.path.name}: {int(absent.sum())} rows name no lender",
            remedy="fill the lender column, or leave those rows out",
        )
    return named


def _largest(lender: NDArray[np.object_], most: int) -> list[str]:
    codes, rows = np.unique(lender.astype(str), return_counts=True)
    return [str(code) for code in codes[np.argsort(-rows, kind="stable")][:most]]


def _coded(named: pd.Series) -> NDArray[np.object_]:
    """Codes L01, L02 … by size, unless the column already holds such codes: no lender's name
    reaches a report, a log or a folder.
    """
    if named.str.fullmatch(r"L\d{2,}").all():
        return named.to_numpy(dtype=object)
    order = named.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    width = max(2, len(str(len(order))))
    codes = {name: f"L{i + 1:0{width}d}" for i, name in enumerate(order)}
    return named.map(codes).to_numpy(dtype=object)
