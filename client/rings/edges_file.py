"""A lender's file of observations: who was seen with what, when.

    subject_kind,subject,attribute_kind,attribute,date,amount,customer_ref

Invariants:
- A cell is missing, or canonical, or told with its line, column, masked text, reason and remedy;
  never repaired. A column nobody knows is refused, not ignored.
- An amount counts for payees only, and only as a band; a date only as a week of the case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from client.exchange.bad_rows import BadRow
from client.exchange.cells import unmarked
from client.exchange.parties import Progress, no_progress
from client.rings.attributes import KIND_NAMES, attribute_of, subject_of
from client.table import read_raw
from shared.errors import OperatorError
from shared.rings.edges import amount_band
from shared.rings.kinds import Kind
from shared.schema.finding import masked
from shared.schema.headers import PROHIBITED, folded, is_prohibited
from shared.schema.text import clean
from shared.tokens.identifiers import Canonical, IdentifierError, MissingIdentifierError

NEEDED = ("subject", "attribute_kind", "attribute", "date")
PERHAPS = ("subject_kind", "amount", "customer_ref")
_USUAL_SUBJECT = "resident_id"
_LONGEST_REF = 128
_EXACT = 2**53
_BLOCK = 4096


@dataclass(frozen=True)
class Seen:
    """One observation: places in `people` and `attributes`; `week` of the case, `band` of the
    amount (0: none).
    """

    person: int
    attribute: int
    kind: Kind
    week: int
    band: int


@dataclass(frozen=True)
class Observations:
    """`refs`: the lender's own reference by person, empty where it gave none; `bad`: rows that are
    in nothing else; `outside`: rows whose date is not in the case; `empty`: rows without a value.
    """

    people: tuple[Canonical, ...] = field(repr=False)
    refs: tuple[str, ...] = field(repr=False)
    attributes: tuple[Canonical, ...] = field(repr=False)
    rows: tuple[Seen, ...]
    bad: tuple[BadRow, ...] = ()
    outside: int = 0
    empty: int = 0


def read_edges(
    path: Path,
    *,
    today: date,
    first_monday: date,
    weeks: int,
    kinds: Sequence[Kind],
    progress: Progress = no_progress,
) -> Observations:
    """Read a CSV or Parquet file. `weeks`, `kinds`: those of the case; `progress`: of rows.
    OperatorError when the file is no table or has not the columns.
    """
    raw = read_raw(path)
    told = progress(len(raw.lines))
    places = _places(list(raw.frame.columns), raw.source)
    reader = _Reader(today, first_monday, weeks, frozenset(kinds))
    columns = {name: [*map(_text, raw.frame.iloc[:, at])] for name, at in places.items()}
    for at, line in enumerate(raw.lines):
        reader.row(int(line), {name: cells[at] for name, cells in columns.items()})
        if at % _BLOCK == _BLOCK - 1:
            told(_BLOCK)
    told(len(raw.lines) % _BLOCK)
    return reader.found()


class _WrongCellError(Exception):
    """A cell that cannot be read: `column`, `text` masked, what is wrong and what to do."""

    def __init__(self, column: str, text: str, what: str, remedy: str) -> None:
        super().__init__(f"{column} {text}: {what}; {remedy}")


class _Reader:
    def __init__(self, today: date, first: date, weeks: int, kinds: frozenset[Kind]) -> None:
        self._today, self._first, self._weeks, self._kinds = today, first, weeks, kinds
        self._people: dict[Canonical, int] = {}
        self._refs: list[str] = []
        self._attributes: dict[Canonical, int] = {}
        self._rows: dict[Seen, None] = {}
        self._bad: list[BadRow] = []
        self._outside = self._empty = 0
        self._known: dict[tuple[object, str], Canonical | Exception] = {}

    def row(self, line: int, cells: Mapping[str, str]) -> None:
        try:
            self._take(cells)
        except MissingIdentifierError:
            self._empty += 1
        except _WrongCellError as error:
            self._bad.append(BadRow(line, str(error)))

    def found(self) -> Observations:
        return Observations(
            tuple(self._people),
            tuple(self._refs),
            tuple(self._attributes),
            tuple(self._rows),
            tuple(self._bad),
            self._outside,
            self._empty,
        )

    def _take(self, cells: Mapping[str, str]) -> None:
        kind = self._kind(cells["attribute_kind"])
        person = self._person(cells.get("subject_kind", ""), cells["subject"])
        attribute = self._attribute(kind, cells["attribute"])
        week = self._week(cells["date"])
        band = self._band(kind, cells.get("amount", ""))
        ref = clean(cells.get("customer_ref", ""))[:_LONGEST_REF]
        if kind not in self._kinds or week is None:
            self._outside += 1
            return
        at = self._people.setdefault(person, len(self._people))
        if at == len(self._refs):
            self._refs.append("")
        self._refs[at] = self._refs[at] or ref
        to = self._attributes.setdefault(attribute, len(self._attributes))
        self._rows[Seen(at, to, kind, week, band)] = None

    def _kind(self, text: str) -> Kind:
        word = clean(text).lower().replace("-", "_").replace(" ", "_")
        if word not in KIND_NAMES:
            known = ", ".join(KIND_NAMES)
            raise _WrongCellError("attribute_kind", masked(text), "is no kind", f"one of {known}")
        return KIND_NAMES[word]

    def _person(self, kind: str, text: str) -> Canonical:
        kind = clean(kind).lower() or _USUAL_SUBJECT
        try:
            return self._once((kind, text), lambda: subject_of(kind, unmarked(text), self._today))
        except MissingIdentifierError:
            raise _WrongCellError("subject", masked(text), "is missing", "complete it") from None
        except IdentifierError as error:
            raise _wrong("subject", error) from None
        except OperatorError as error:
            raise _WrongCellError("subject_kind", kind, error.what, error.remedy) from None

    def _attribute(self, kind: Kind, text: str) -> Canonical:
        try:
            return self._once((kind, text), lambda: attribute_of(kind, unmarked(text), self._today))
        except MissingIdentifierError:
            raise
        except IdentifierError as error:
            raise _wrong("attribute", error) from None

    def _once(self, key: tuple[object, str], read: Callable[[], Canonical]) -> Canonical:
        """What stands in many rows is read once."""
        found = self._known.get(key)
        if found is None:
            try:
                found = read()
            except OperatorError as error:
                found = error
            self._known[key] = found
        if isinstance(found, Exception):
            raise found
        return found

    def _week(self, text: str) -> int | None:
        """The week of the case; None: not in it."""
        try:
            day = date.fromisoformat(clean(text)[:10])
        except ValueError:
            raise _WrongCellError(
                "date", masked(text), "is not a day", "write it as 2026-01-31"
            ) from None
        if day > self._today:
            raise _WrongCellError(
                "date", masked(text), "is a day to come", "mend it in the system it comes from"
            )
        week = (day - self._first).days // 7
        return week if 0 <= week < self._weeks else None

    def _band(self, kind: Kind, text: str) -> int:
        plain = clean(text)
        if kind is not Kind.PAYEE or not plain:
            return 0
        try:
            amount = float(plain)
        except ValueError:
            amount = float("nan")
        if not 0 <= amount < 1e15:
            raise _WrongCellError(
                "amount", masked(text), "is no amount", "digits and a point, such as 12500.00"
            )
        return int(amount_band([amount])[0])


def _wrong(column: str, error: IdentifierError) -> _WrongCellError:
    about = f"{error.problem} ({error.reason})"
    return _WrongCellError(column, error.masked, about, error.remedy)


def _places(headers: Sequence[str], source: str) -> dict[str, int]:
    """Column → its place. OperatorError for one that is missing, twice there, or unknown."""
    known = {folded(name): name for name in (*NEEDED, *PERHAPS)}
    places: dict[str, int] = {}
    unknown: list[str] = []
    for at, header in enumerate(headers):
        if prohibited := is_prohibited(header, PROHIBITED):
            raise OperatorError(
                f"{source}: column {header!r} is prohibited in the consortium ({prohibited})",
                remedy="take the column out of the file; it must not be read at all",
            )
        name = known.get(folded(header))
        if name is None or name in places:
            unknown.append(repr(header))
        else:
            places[name] = at
    missing = [name for name in NEEDED if name not in places]
    if missing or unknown:
        wrong = [f"no column {name!r}" for name in missing]
        wrong += [f"nobody knows what to do with {', '.join(unknown)}"] if unknown else []
        raise OperatorError(
            f"{source}: {'; '.join(wrong)}",
            remedy=f"a row is one observation: {', '.join(NEEDED)}, and perhaps "
            f"{', '.join(PERHAPS)}; name the columns so and take others out",
        )
    return places


def _text(cell: Any) -> str:
    """The text of a cell of any type. A float that cannot hold its digits shows its exponent."""
    if isinstance(cell, str):
        return cell
    if cell is None or cell is pd.NA or cell != cell:
        return ""
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell)) if -_EXACT < cell < _EXACT else f"{cell:.14E}"
    return clean(str(cell))
