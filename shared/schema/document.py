"""Reading a schema out of a parsed TOML or JSON document.

The document has `[table]` (version, row_key, time, prohibited), `[label]` and `[[columns]]`; other
sections belong to others and are not looked at. Within these three an unknown key is an error: a
misspelt `hgih` must not silently switch a check off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from shared.errors import OperatorError
from shared.schema.column import Column
from shared.schema.label import LabelContract
from shared.schema.schema import Schema

_Record = TypeVar("_Record", Column, LabelContract)
_TEXTS = tuple[str, ...]
_TABLE_KEYS = ("version", "row_key", "time", "prohibited")


def parse_schema(document: Mapping[str, object]) -> Schema:
    """The schema in a parsed TOML document, or in `Schema.to_dict`; raises OperatorError naming the
    key that is wrong.
    """
    table = _section(document, "table")
    _refuse_unknown(table, _TABLE_KEYS, "[table]")
    columns = document.get("columns")
    if not isinstance(columns, Sequence) or isinstance(columns, str) or not columns:
        raise _wrong("[[columns]]", "is missing or empty", "declare every feature in [[columns]]")
    return Schema(
        version=_typed(table, "version", int, "[table]"),
        columns=tuple(_column(item, number) for number, item in enumerate(columns, start=1)),
        label=_record(LabelContract, _section(document, "label"), "[label]"),
        row_key=_typed(table, "row_key", str, "[table]"),
        time=_typed(table, "time", str, "[table]") if "time" in table else None,
        prohibited=_typed(table, "prohibited", _TEXTS, "[table]") if "prohibited" in table else (),
    )


def _column(item: object, number: int) -> Column:
    name = item.get("name") if isinstance(item, Mapping) else None
    where = f"[[columns]] {name if isinstance(name, str) else f'number {number}'}"
    if not isinstance(item, Mapping):
        raise _wrong(where, "is not a table", "write name, kind … under [[columns]]")
    return _record(Column, item, where)


def _record(kind: type[_Record], section: Mapping[str, object], where: str) -> _Record:
    """A dataclass from a section: types come from its annotations, so they are written once."""
    hints = get_type_hints(kind)
    declared = fields(kind)
    _refuse_unknown(section, [field.name for field in declared], where)
    values = {}
    for field in declared:
        if field.name in section:
            values[field.name] = _typed(section, field.name, hints[field.name], where)
        elif field.default is MISSING:
            raise _wrong(f"{where} {field.name}", "is missing", "add it")
    return kind(**values)


def _section(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = document.get(name)
    if not isinstance(section, Mapping):
        raise _wrong(f"[{name}]", "is missing", f"add a section [{name}]")
    return section


def _refuse_unknown(section: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for key in section:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise _wrong(f"{where} {key}", "is not a known key", remedy)


def _typed(section: Mapping[str, object], key: str, hint: Any, where: str) -> Any:
    """The value at `key`, of the type the annotation `hint` asks for."""
    if key not in section:
        raise _wrong(f"{where} {key}", "is missing", "add it")
    value = section[key]
    if get_origin(hint) is tuple:
        if _is_text_list(value):
            return tuple(value)  # type: ignore[arg-type]
        raise _wrong(f"{where} {key}", f"is {value!r}", f"write {_wanted(hint)}")
    allowed = get_args(hint) or (hint,)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(value, str) and (str in allowed or value in allowed):
        return value
    if number and float in allowed and math.isfinite(value):  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    if number and isinstance(value, int) and int in allowed:
        return value
    raise _wrong(f"{where} {key}", f"is {value!r}", f"write {_wanted(hint)}")


def _is_text_list(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _wanted(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return 'a list of quoted texts, like ["1", "2"]'
    allowed = get_args(hint) or (hint,)
    texts = [repr(item) for item in allowed if isinstance(item, str)]
    names = {str: "a quoted text", int: "a whole number", float: "a finite number"}
    return " or ".join([*texts, *(names[item] for item in allowed if item in names)])


def _wrong(where: str, what: str, remedy: str) -> OperatorError:
    return OperatorError(f"schema: {where} {what}", remedy=remedy)
