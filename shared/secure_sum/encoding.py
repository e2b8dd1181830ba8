"""One canonical text for every statement: what is signed, sent and kept.

Invariants:
- Two statements with the same text are equal, and a statement has exactly one text (JSON, keys in
  order, no spaces, bytes as base64, keys of 32 bytes in a row as one base64), so a signature over
  the text is one over the statement.
- Reading accepts exactly what writing makes; anything else is a PeerError.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from shared.errors import InternalError, PeerError

T = TypeVar("T")
_KEY = 32


def text_of(statement: object) -> bytes:
    """The canonical text of a frozen dataclass of int, float, str, bytes, tuples and such."""
    document = {"": type(statement).__name__} | _plain_fields(statement)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_text(kind: type[T], text: bytes) -> T:
    """The statement of class `kind` with this text; raises PeerError."""
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.pop("", None) != kind.__name__:
            raise ValueError("another kind of statement")
        statement: T = _typed(kind, document)
        if text_of(statement) != text:
            raise ValueError("another form")
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        raise PeerError(f"not the text of one {kind.__name__}") from error
    return statement


def _plain_fields(statement: object) -> dict[str, Any]:
    if not is_dataclass(statement):
        raise InternalError(f"{type(statement).__name__} is not a statement")
    return {field.name: _plain(getattr(statement, field.name)) for field in fields(statement)}


def _plain(value: object) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple):
        if value and all(isinstance(item, bytes) and len(item) == _KEY for item in value):
            return _plain(b"".join(value))
        return [_plain(item) for item in value]
    return _plain_fields(value) if is_dataclass(value) else value


def _typed(kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        return _typed_tuple(get_args(kind), value)
    if kind is bytes:
        return base64.b64decode(value, validate=True)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        if not isinstance(value, dict) or set(value) != set(hints):
            raise ValueError("other fields")
        return kind(**{name: _typed(hint, value[name]) for name, hint in hints.items()})
    if type(value) is not kind:
        raise TypeError("another type")
    if kind is str:
        value.encode()  # half a surrogate pair has no UTF-8: ValueError
    return value


def _typed_tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if kinds == (bytes, ...) and isinstance(value, str):
        row = base64.b64decode(value, validate=True)
        return tuple(row[start : start + _KEY] for start in range(0, len(row), _KEY))
    if not isinstance(value, list):
        raise TypeError("not a list")
    each = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
    return tuple(_typed(kind, item) for kind, item in zip(each, value, strict=True))


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)
