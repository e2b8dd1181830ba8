"""One canonical text for every statement: what is signed, sent and kept.

Invariants:
- Two statements with the same text are equal, and a statement has exactly one text (JSON, keys in
  order, no spaces, bytes as base64, keys of 32 bytes in a row as one base64), so a signature over
  the text is one over the statement.
- Reading accepts exactly what writing makes; anything else is a PeerError.
- Only what cannot change has a text, so a statement may keep its own: a round asks for it often.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date
from enum import StrEnum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from shared.errors import InternalError, PeerError

T = TypeVar("T")
_KEY = 32
_KEPT = "_text"
_MOST_KEPT = 1 << 12  # bytes; larger ones are of set-ups, and are written once or twice
_SIMPLE = frozenset({str, int, float, bool, NoneType})
_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def text_of(statement: object) -> bytes:
    """The canonical text of a frozen dataclass of int, float, bool, str, bytes, date, StrEnum,
    tuples and such; a field may be `… | None`.
    """
    kept = getattr(statement, "__dict__", {})
    text: bytes | None = kept.get(_KEPT)
    if text is None:
        document = {"": type(statement).__name__} | _plain_fields(statement)
        text = _encoded(document).encode()
        if len(text) <= _MOST_KEPT:
            kept[_KEPT] = text
    return text


def read_text(kind: type[T], text: bytes) -> T:
    """The statement of class `kind` with this text; raises PeerError."""
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.pop("", None) != kind.__name__:
            raise ValueError("another kind of statement")
        wanted: Any = kind
        statement: T = _reader(wanted)(document)
        if text_of(statement) != text:
            raise ValueError("another form")
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        raise PeerError(f"not the text of one {kind.__name__}") from error
    return statement


def _plain_fields(statement: Any) -> dict[str, Any]:
    kind: Any = type(statement)
    return {name: _plain(getattr(statement, name)) for name in _names(kind)}


def _plain(value: Any) -> Any:
    kind: type[Any] = type(value)
    if kind is bytes:
        return _base64(value)
    if kind is tuple:
        if _is_row(value):
            return _base64(b"".join(value))
        return [_plain(item) for item in value]
    if kind in _SIMPLE:
        return value
    if kind is date:
        return value.isoformat()
    return value.value if isinstance(value, StrEnum) else _plain_fields(value)


def _is_row(items: tuple[Any, ...]) -> bool:
    return {*map(type, items)} == {bytes} and {*map(len, items)} == {_KEY}


def _base64(content: Any) -> str:
    return binascii.b2a_base64(content, newline=False).decode()


@cache
def _names(kind: Any) -> tuple[str, ...]:
    if not is_dataclass(kind):
        raise InternalError(f"{kind.__name__} is not a statement")
    return tuple(field.name for field in fields(kind))


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of this kind of its plain form, or raises ValueError or TypeError."""
    if get_origin(kind) is tuple:
        *kinds, last = get_args(kind)
        if last is not Ellipsis:
            return partial(_read_group, [_reader(one) for one in (*kinds, last)])
        return partial(_read_row if kinds == [bytes] else _read_list, _reader(kinds[0]))
    if kind is bytes:
        return partial(b64decode, validate=True)
    if get_origin(kind) is UnionType:  # `X | None`
        return partial(_read_perhaps, _reader(get_args(kind)[0]))
    if kind is date:
        return date.fromisoformat
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return partial(_read_fields, kind, {name: _reader(hint) for name, hint in hints.items()})
    return _read_text if kind is str else partial(_read_number, kind)


def _read_fields(kind: Any, readers: dict[str, Callable[[Any], Any]], value: Any) -> Any:
    if not isinstance(value, dict) or value.keys() != readers.keys():
        raise ValueError("other fields")
    return kind(**{name: read(value[name]) for name, read in readers.items()})


def _read_row(read: Callable[[Any], bytes], value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, str):
        return _read_list(read, value)
    row = read(value)
    return tuple(row[start : start + _KEY] for start in range(0, len(row), _KEY))


def _read_list(read: Callable[[Any], T], value: Any) -> tuple[T, ...]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return tuple(map(read, value))


def _read_group(readers: list[Callable[[Any], Any]], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return tuple(read(item) for read, item in zip(readers, value, strict=True))


def _read_perhaps(read: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else read(value)


def _read_number(kind: type[T], value: Any) -> T:
    if type(value) is not kind:
        raise TypeError("another type")
    return value


def _read_text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("another type")
    value.encode()  # half a surrogate pair has no UTF-8: ValueError
    return value
