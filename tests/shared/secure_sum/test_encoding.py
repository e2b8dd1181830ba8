"""Every statement has one text, every text at most one statement, and nothing else is read."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import InternalError, PeerError
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.statements import (
    Answer,
    Delivery,
    MemberKeys,
    Payload,
    Ready,
    Refusal,
    Roll,
    RoundOpen,
    SealedShares,
    SetUpOpen,
    Survivors,
)
from tests.shared.secure_sum.federation import payload

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
BYTES = st.binary(max_size=8)
PAYLOADS = st.builds(
    Payload, BYTES, TEXTS, TEXTS, st.integers(), st.integers(),
    st.floats(allow_nan=False, allow_infinity=False).filter(bool), st.integers(),
)  # fmt: skip
ROW = st.lists(BYTES | st.binary(min_size=31, max_size=33), max_size=3).map(tuple)
KEYS = st.builds(MemberKeys, BYTES, TEXTS, BYTES, BYTES, ROW, ROW, BYTES)
CODES = st.lists(TEXTS, max_size=3).map(tuple)
STATEMENTS = st.one_of(
    st.builds(SetUpOpen, st.integers(), BYTES, BYTES, st.integers(), TEXTS, BYTES, BYTES),
    KEYS,
    st.builds(Roll, BYTES, st.integers(), st.lists(KEYS, max_size=2).map(tuple), BYTES),
    st.builds(
        SealedShares, BYTES, TEXTS, st.lists(st.tuples(TEXTS, BYTES), max_size=2).map(tuple), BYTES
    ),
    st.builds(Delivery, BYTES, st.lists(st.tuples(TEXTS, BYTES, BYTES), max_size=2).map(tuple)),
    st.builds(Ready, BYTES, TEXTS, BYTES),
    st.builds(RoundOpen, BYTES, st.integers(), PAYLOADS, st.integers(), BYTES),
    st.builds(Survivors, BYTES, CODES, BYTES),
    st.builds(Answer, BYTES, TEXTS, ROW, BYTES),
    st.builds(Refusal, TEXTS, BYTES, TEXTS, TEXTS, TEXTS, BYTES),
)
OPENED = RoundOpen(bytes(4), 3, payload(0, 5), 8, b"\1\2")


@given(STATEMENTS)
def test_reading_gives_back_what_was_written(statement: object) -> None:
    """The text is ASCII, and JSON whose first key names the kind."""
    text = text_of(statement)
    assert read_text(type(statement), text) == statement
    assert text.isascii()
    assert text.startswith(b'{"":"%s"' % type(statement).__name__.encode())


@given(STATEMENTS, STATEMENTS)
def test_two_statements_with_one_text_are_the_same(one: object, other: object) -> None:
    """And of the same kind: no statement passes for another."""
    assert (text_of(one) == text_of(other)) == (type(one) is type(other) and one == other)


def leaves(statement: object) -> Iterator[tuple[str, object]]:
    for field in fields(statement):  # type: ignore[arg-type]
        yield field.name, getattr(statement, field.name)


@given(STATEMENTS, st.data())
def test_any_changed_field_changes_the_text(statement: Any, data: st.DataObject) -> None:
    """So a signature covers every field."""
    name, value = data.draw(st.sampled_from(list(leaves(statement))))
    changed = {
        bytes: lambda: value + b"\0", str: lambda: value + "0", int: lambda: value + 1,
        tuple: lambda: value + value if value else None,
        Payload: lambda: replace(value, stage=value.stage + "0"),
    }[type(value)]()  # fmt: skip
    if changed is not None:
        assert text_of(replace(statement, **{name: changed})) != text_of(statement)


@given(st.binary(max_size=60) | TEXTS.map(str.encode))
@example(b"")
@example(b"null")
@example(b"[]")
@example(b'{"":null}')
@example(b'{"":[]}')
@example(b"[" * 100_000)
@example(b'{"":"Survivors"}')
def test_other_bytes_are_no_statement(text: bytes) -> None:
    """Whatever they are, one kind of error."""
    with pytest.raises(PeerError, match="not the text of one Survivors"):
        read_text(Survivors, text)


@settings(max_examples=300)
@given(STATEMENTS, st.data())
def test_a_text_changed_in_one_byte_is_refused_or_another_statement(
    statement: Any, data: st.DataObject
) -> None:
    """Never a second text of the same one."""
    text = bytearray(text_of(statement))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= data.draw(st.integers(1, 255))
    try:
        read = read_text(type(statement), bytes(text))
    except PeerError:
        return
    assert read != statement
    assert text_of(read) == bytes(text)


def changed(**parts: object) -> bytes:
    document = json.loads(text_of(OPENED)) | parts
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


TEXT = text_of(OPENED)
OTHER_FORMS = {
    "a space": TEXT.replace(b",", b", ", 1),
    "a line after it": TEXT + b"\n",
    "a mark before it": b"\xef\xbb\xbf" + TEXT,
    "UTF-16": TEXT.decode().encode("utf-16"),
    "a key twice": TEXT[:-1] + b',"slot":3}',
    "keys out of order": b'{"slot":3,' + TEXT[1:].replace(b',"slot":3', b""),
    "a field more": changed(zone=1),
    "a field less": TEXT.replace(b'"bits":8,', b""),
    "a number as text": changed(slot="3"),
    "a number with a point": changed(slot=3.0),
    "true for a number": changed(slot=True),
    "null": changed(slot=None),
    "a number for text": TEXT.replace(b'"stage/0"', b"0"),
    "another form of a number": TEXT.replace(b'"slot":3', b'"slot":3e0'),
    "minus nothing": TEXT.replace(b'"slot":3', b'"slot":-0'),
    "a huge number": TEXT.replace(b'"slot":3', b'"slot":' + b"9" * 5000),
    "not a number": TEXT.replace(b'"clip":1.0', b'"clip":NaN'),
    "infinity": TEXT.replace(b'"clip":1.0', b'"clip":1e999'),
    "a whole number for a real one": TEXT.replace(b'"clip":1.0', b'"clip":1'),
    "text for a part": changed(payload="x"),
    "a list for bytes": changed(signature=[1]),
    "a number for bytes": changed(signature=1),
    "bytes in another alphabet": changed(set_up="AAAA_w=="),
    "bytes without padding": changed(set_up="AAAAAA"),
    "bytes with loose bits": changed(set_up="AAAAAB=="),
    "bytes with a line": changed(set_up="AAAA\nAA=="),
    "letters outside ASCII": TEXT.replace(b"stage/0", "stage/é".encode()),
    "an escape that is not needed": TEXT.replace(b"stage/0", b"stage\\/0"),
    "half a pair": TEXT.replace(b"stage/0", b"\\ud800"),
    "another kind": TEXT.replace(b"RoundOpen", b"Survivors"),
}


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_any_other_form_of_a_text_is_refused(form: str) -> None:
    """The canonical one is the only one."""
    assert read_text(RoundOpen, TEXT) == OPENED
    assert OTHER_FORMS[form] != TEXT
    with pytest.raises(PeerError):
        read_text(RoundOpen, OTHER_FORMS[form])


@pytest.mark.parametrize("boxes", [[["L01"]], [["L01", "AA==", "AA=="]], [[]], ["L01"], "L01", {}])
def test_pairs_are_pairs(boxes: object) -> None:
    """A tuple of two has two."""
    sealed = json.loads(text_of(SealedShares(b"", "L01", (("L02", b""),), b"")))
    text = json.dumps(sealed | {"boxes": boxes}, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(PeerError):
        read_text(SealedShares, text)


@pytest.mark.parametrize(
    "masks",
    [b"", b"\0", bytes(31), bytes(33), bytes(63), [bytes(32)], [bytes(32)] * 2],
    ids=lambda masks: str(len(masks)) + type(masks).__name__,
)
def test_keys_in_a_row_are_whole_keys_in_one_text(masks: bytes | list[bytes]) -> None:
    """None, a part of one, and a list where a row is written: no second form of the same keys."""
    document = json.loads(text_of(MemberKeys(b"", "L01", b"", b"", (), (bytes(32), b"\1" * 32))))
    assert len(base64.b64decode(document["commitments"])) == 64
    row = isinstance(masks, bytes)
    texts = [base64.b64encode(item).decode() for item in ([masks] if row else masks)]
    document["masks"] = texts[0] if row else texts
    with pytest.raises(PeerError):
        read_text(MemberKeys, json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def test_what_is_no_statement_is_not_written() -> None:
    """Our own mistake."""
    with pytest.raises(InternalError, match="int is not a statement"):
        text_of(3)
    with pytest.raises(ValueError, match="not JSON compliant"):
        text_of(payload(0, 1, clip=float("nan")))


def test_what_can_change_has_no_text() -> None:
    """So a statement whose text was asked for once can keep it."""
    with pytest.raises(InternalError, match="list is not a statement"):
        text_of(Survivors(b"", ["L01"]))  # type: ignore[arg-type]
    told = Survivors(b"", ("L01",))
    assert text_of(told) is text_of(told)
    assert text_of(replace(told, alive=("L02",))) != text_of(told)


def test_a_large_text_is_not_kept() -> None:
    """A roll's may take megabytes."""
    large = Survivors(bytes(5000), ())
    assert text_of(large) == text_of(large)
    assert text_of(large) is not text_of(large)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Mixed:
    day: date
    colour: Colour
    last: date | None
    sure: bool
    group: tuple[str, bool]


MIXED = st.builds(
    Mixed, st.dates(), st.sampled_from(Colour), st.none() | st.dates(), st.booleans(),
    st.tuples(TEXTS, st.booleans()),
)  # fmt: skip


@given(MIXED, MIXED)
def test_days_choices_and_what_may_be_missing_have_one_text(one: Mixed, other: Mixed) -> None:
    """They come back as they were, and different ones have different texts."""
    assert read_text(Mixed, text_of(one)) == one
    assert (text_of(one) == text_of(other)) == (one == other)


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('"2024-01-05"', '"20240105"'),  # another form of the same day
        ('"2024-01-05"', "null"),  # nothing where something must be
        ('"red"', '"green"'),
        ("true", "1"),
        ('["a",true]', '["a",true,true]'),
        ('["a",true]', "{}"),
    ],
)
def test_other_forms_of_days_and_choices_are_refused(written: str, instead: str) -> None:
    """A reader takes the one form the writer makes."""
    day = date(2024, 1, 5)
    text = text_of(Mixed(day, Colour.RED, None, True, ("a", True))).decode()
    assert written in text
    with pytest.raises(PeerError, match="not the text of one Mixed"):
        read_text(Mixed, text.replace(written, instead, 1).encode())
