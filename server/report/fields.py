"""Reading one JSON object with its path kept, so that an error can name the key.

Absent, None and not-a-finite-number all read as None (a measure that could not be taken); a value
of the wrong kind is an OperatorError. Nothing here knows what a report is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real

from shared.errors import OperatorError


class Fields:
    """The keys of one JSON object; an absent object reads as an object without keys."""

    def __init__(self, value: object, path: str) -> None:
        if value is not None and not isinstance(value, Mapping):
            raise _wrong(path, "an object", value)
        self._values: Mapping[str, object] = value or {}
        self._path = path

    def has(self, key: str) -> bool:
        """True when the key is there and not None."""
        return self._values.get(key) is not None

    def names(self) -> tuple[str, ...]:
        """All keys in the order they were written."""
        return tuple(self._values)

    def number(self, key: str) -> float | None:
        """A finite number, else None."""
        return _number(self._values.get(key), self._at(key))

    def whole(self, key: str) -> int | None:
        """A number rounded to the nearest integer, else None."""
        value = self.number(key)
        return None if value is None else round(value)

    def text(self, key: str) -> str:
        """A string; absent reads as the empty string, a number as its digits."""
        value = self._values.get(key)
        if value is None:
            return ""
        if isinstance(value, str | Real):
            return str(value)
        raise _wrong(self._at(key), "a text", value)

    def flag(self, key: str) -> bool:
        """True or false; absent is an error, for a flag changes what the reader may believe."""
        value = self._values.get(key)
        if not isinstance(value, bool):
            raise _wrong(self._at(key), "true or false", value)
        return value

    def child(self, key: str) -> Fields:
        """The object under the key."""
        return Fields(self._values.get(key), self._at(key))

    def children(self, key: str) -> tuple[Fields, ...]:
        """The objects in the list under the key."""
        return tuple(Fields(v, f"{self._at(key)}[{i}]") for i, v in enumerate(self._list(key)))

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of strings under the key; a missing one is the empty string."""
        return tuple("" if value is None else str(value) for value in self._list(key))

    def numbers(self, key: str) -> tuple[float | None, ...]:
        """The list of numbers under the key, None where one is missing."""
        return tuple(_number(v, f"{self._at(key)}[{i}]") for i, v in enumerate(self._list(key)))

    def points(self, key: str) -> tuple[tuple[float, float], ...]:
        """The list of [x, y] under the key, without the points where either is missing."""
        pairs = (_pair(value, self._at(key)) for value in self._list(key))
        return tuple((x, y) for x, y in pairs if x is not None and y is not None)

    def _list(self, key: str) -> Sequence[object]:
        value = self._values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise _wrong(self._at(key), "a list", value)
        return value

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _number(value: object, path: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise _wrong(path, "a number", value)
    number = float(value)
    return number if math.isfinite(number) else None


def _pair(value: object, path: str) -> tuple[float | None, float | None]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _wrong(path, "a list of [x, y]", value)
    return _number(value[0], path), _number(value[1], path)


def _wrong(path: str, expected: str, value: object) -> OperatorError:
    came = "nothing" if value is None else type(value).__name__
    return OperatorError(
        f"report key {path or '(top)'!r}: expected {expected}, got {came}",
        remedy="write the report with the same version that made the run",
    )
