"""The researcher's book: all rows in one place, and which lender holds which.

Only a simulation has this. It is split into lenders' folders for the run, and used again afterwards
for everything that pools rows.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from server.simulation.partition import partition
from server.simulation.study import DataSource, Study
from shared.errors import OperatorError
from shared.schema import Schema, Table, check_frame, infer_schema, parse_schema

ROW_KEY = "row"


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


def book_of(frame: pd.DataFrame, study: Study, *, lenders: int | None = None) -> Book:
    """Check a frame and give each row a lender; `lenders` keeps the largest or makes that many.

    Raises OperatorError with everything that is wrong with the rows.
    """
    source = study.data
    frame, schema = _with_schema(frame, source)
    keyed = frame.assign(**{ROW_KEY: np.arange(len(frame))}) if not schema.row_key else frame
    if not schema.row_key:
        schema = Schema.from_dict(_with_row_key(schema))
    checked = check_frame(keyed, schema, source=source.path.name)
    position = _positions(keyed, checked.table, schema)
    lender = _lenders(keyed, checked.table, position, study, lenders)
    if source.lender is not None and lenders is not None:
        largest = pd.Series(lender).value_counts().index[:lenders]
        kept = np.flatnonzero(np.isin(lender.astype(str), list(largest)))
        table = checked.table.take(kept)
        return Book(keyed, table, position[kept], lender[kept], _texts(checked.warnings))
    return Book(keyed, checked.table, position, lender, _texts(checked.warnings))


def _texts(warnings: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(str(warning) for warning in warnings)


def _with_schema(frame: pd.DataFrame, source: DataSource) -> tuple[pd.DataFrame, Schema]:
    if source.schema is not None:
        try:
            document = tomllib.loads(source.schema.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise OperatorError(f"{source.schema}: {error}", remedy="check the schema") from error
        return frame, parse_schema(document)
    assert source.label is not None  # read_study has seen to it
    schema = infer_schema(
        frame,
        label=source.label,
        source=source.path.name,
        bad=source.bad,
        row_key=source.row_key,
        time=source.time,
        lender=source.lender,
        categories=source.categories,
    )
    return frame, schema


def _with_row_key(schema: Schema) -> dict[str, object]:
    document = schema.to_dict()
    table = document["table"]
    assert isinstance(table, dict)
    return document | {"table": table | {"row_key": ROW_KEY}}


def _positions(frame: pd.DataFrame, table: Table, schema: Schema) -> NDArray[np.int64]:
    """Where each row of the table is in the frame: not the same when labels were indeterminate."""
    if table.rows == len(frame):
        return np.arange(table.rows, dtype=np.int64)
    texts = frame[schema.label.column].astype(str).str.strip()
    return np.flatnonzero(~texts.isin(schema.label.indeterminate)).astype(np.int64)


def _lenders(
    frame: pd.DataFrame,
    table: Table,
    position: NDArray[np.int64],
    study: Study,
    lenders: int | None,
) -> NDArray[np.object_]:
    source = study.data
    if source.lender is not None:
        if source.lender not in frame:
            raise OperatorError(
                f"{source.path.name}: there is no lender column {source.lender!r}",
                remedy="name a column of the file, or use [data.partition]",
            )
        named = frame[source.lender].iloc[position]
        if named.isna().any():
            raise OperatorError(
                f"{source.path.name}: {int(named.isna().sum())} rows name no lender",
                remedy="fill the lender column, or leave those rows out",
            )
        return _coded(named)
    asked = source.partition
    assert asked is not None  # read_study has seen to it
    column = None
    if asked.column is not None:
        if asked.column not in table.values:
            raise OperatorError(f"[data.partition] column {asked.column!r} is no feature")
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


def _coded(named: pd.Series) -> NDArray[np.object_]:
    """Codes L01, L02 … by size, unless the column already holds such codes: no lender's name
    reaches a report, a log or a folder.
    """
    texts = named.astype(str)
    if texts.str.fullmatch(r"L\d{2,}").all():
        return texts.to_numpy(dtype=object)
    order = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    width = max(2, len(str(len(order))))
    codes = {name: f"L{i + 1:0{width}d}" for i, name in enumerate(order)}
    return texts.map(codes).to_numpy(dtype=object)
