"""The credit table's schema: feature columns, label contract, row key, prohibited fields.

Invariants:
- Two schemas with the same digest are equal; the digest is over canonical JSON (sorted keys, no
  spaces, UTF-8), so it does not depend on the order of keys in anybody's TOML file. The order of
  columns and of levels does count: it is the order of codes.
- No feature is the label, the row key or a prohibited field; no header text names two columns.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

from shared.errors import OperatorError
from shared.schema.column import Column
from shared.schema.headers import folded, is_prohibited
from shared.schema.label import LabelContract


@dataclass(frozen=True)
class Schema:
    """What every lender's table must hold. `columns` are the features only, in order.

    `row_key` names the column that tells rows apart (e.g. a loan id): used inside the lender only,
    to split rows; an empty `row_key` (a researcher's own table) tells them apart by their line.
    `time` names a column for out-of-time splits (a year or a date) and may also be
    a feature. `weight` is always None: every row counts once, which the privacy accounting relies
    on. Raises OperatorError when columns collide.
    """

    version: int
    columns: tuple[Column, ...]
    label: LabelContract
    row_key: str
    time: str | None = None
    weight: None = None
    prohibited: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if problem := next(self._problems(), None):
            raise OperatorError(
                f"schema: {problem}",
                remedy="mend the consortium's schema; every lender needs the same",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The feature of that name; raises KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def required(self) -> tuple[str, ...]:
        """Every column a lender's file must have: features, label, row key, time; no doubles."""
        extra = [name for name in (self.label.column, self.row_key, self.time) if name]
        return tuple(dict.fromkeys([*self.names, *extra]))

    def digest(self) -> str:
        """SHA-256, hex, of the canonical JSON form."""
        return self._digest

    @cached_property
    def _digest(self) -> str:  # asked for with every block of rows that is scored
        text = json.dumps(
            self.to_dict(),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, object]:
        """JSON-ready form with the layout of the TOML file; `parse_schema` is its inverse."""
        table = {
            "version": self.version,
            "row_key": self.row_key,
            "time": self.time,
            "prohibited": self.prohibited,
        }
        return {
            "table": _plain(table),
            "label": _plain(asdict(self.label)),
            "columns": [_plain(asdict(column)) for column in self.columns],
        }

    def _problems(self) -> Iterator[str]:
        if not self.columns:
            yield "there are no feature columns"
        for name, count in Counter(self.names).items():
            if count > 1:
                yield f"{count} columns have the name {name!r}; take all but one out"
        for special in (self.label.column, self.row_key):
            if special in self.names:
                yield f"{special!r} is a feature and also the label or the row key"
        if self.label.column in (self.row_key, self.time) or self.row_key == self.time:
            yield "label, row key and time must be three different columns"
        owners: dict[str, str] = {}
        for name, text in self._header_texts():
            if owners.setdefault(folded(text), name) != name:
                yield f"header {text!r} names both {owners[folded(text)]!r} and {name!r}"
        if any(not folded(field) for field in self.prohibited):
            yield "a prohibited field has no text"
        for _, text in self._header_texts():
            if field := is_prohibited(text, self.prohibited):
                yield f"{text!r} is declared as a column but {field!r} is prohibited"

    def _header_texts(self) -> Iterator[tuple[str, str]]:
        for name in self.required:
            yield name, name
        for column in self.columns:
            for alias in column.aliases:
                yield column.name, alias


def _plain(fields: Mapping[str, object]) -> dict[str, object]:
    """JSON and TOML have no None and no tuples; what is left at None is simply absent."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in fields.items()
        if value is not None
    }
