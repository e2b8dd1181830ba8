"""The plain fields of a message's main record, each read as what it must be or refused."""

from __future__ import annotations

from collections.abc import Set
from typing import TypeVar

from flwr.app import ConfigRecord, RecordDict

from shared.errors import PeerError
from shared.secure_sum.encoding import read_text

S = TypeVar("S")
_LONGEST_TEXT = 200


def config_of(content: RecordDict, name: str) -> ConfigRecord:
    """The record called `name`; raises PeerError."""
    record = content.get(name)
    if not isinstance(record, ConfigRecord):
        raise PeerError(f"a message without its {name} record")
    return record


def check_names(found: Set[str], expected: Set[str]) -> None:
    """PeerError unless exactly the expected names of fields, or of records, have come."""
    if found != expected:
        raise PeerError(f"a message with other parts than {', '.join(sorted(expected))}")


def text(config: ConfigRecord, key: str) -> str:
    """A text of at most 200 characters."""
    value = config.get(key)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise PeerError(f"a message whose {key} is not a short text")
    return value


def whole(config: ConfigRecord, key: str) -> int:
    """A whole number, 0 or more."""
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise PeerError(f"a message whose {key} is not a count")
    return value


def raw(config: ConfigRecord, key: str, most: int) -> bytes:
    """At most `most` bytes."""
    value = config.get(key)
    if not isinstance(value, bytes) or len(value) > most:
        raise PeerError(f"a message whose {key} are not bytes, {most} at most")
    return value


def sizes(config: ConfigRecord, key: str, most: int) -> list[int]:
    """At most `most` whole numbers, 0 or more."""
    value = config.get(key)
    if not isinstance(value, list) or not all(type(n) is int and n >= 0 for n in value):
        raise PeerError(f"a message whose {key} are not a list of sizes")
    if len(value) > most:
        raise PeerError(f"a message with more {key} than {most}")
    return [int(n) for n in value]


def pairs(config: ConfigRecord, keys: tuple[str, str], most: int) -> tuple[tuple[str, bytes], ...]:
    """At most `most` texts and as many pieces of bytes, each of at most 200, together."""
    codes, signatures = config.get(keys[0]), config.get(keys[1])
    if not isinstance(codes, list) or not isinstance(signatures, list):
        raise PeerError(f"a message whose {keys[0]} and {keys[1]} are not lists")
    if len(codes) != len(signatures) or len(codes) > most:
        raise PeerError(f"a message with another number of {keys[0]} than of {keys[1]}")
    found = []
    for code, signature in zip(codes, signatures, strict=True):
        if not isinstance(code, str) or not isinstance(signature, bytes):
            raise PeerError(f"a message whose {keys[0]} are not codes with signatures")
        if max(len(code), len(signature)) > _LONGEST_TEXT:
            raise PeerError(f"a message whose {keys[0]} or {keys[1]} are too long")
        found.append((code, signature))
    return tuple(found)


def statement(config: ConfigRecord, key: str, kind: type[S], most: int) -> S | None:
    """A statement of the class `kind` in at most `most` bytes; None where there are none."""
    body = raw(config, key, most)
    return read_text(kind, body) if body else None
