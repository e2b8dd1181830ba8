"""A message's parts are judged before they are parsed: in number, bytes, lists and growth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from flwr.app import ConfigRecord, RecordDict
from flwr.supercore.inflatable.inflatable_object import InflatableObject, get_all_nested_objects
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

from shared.wire.bounds import MOST_PARTS, MOST_SMALL, MOST_STATEMENT
from shared.wire.failures import DESCRIPTION, TOO_LARGE, TOO_MANY_PARTS, UNREADABLE
from shared.wire.messages import Ask, pack_question
from shared.wire.parts import Parts, StrangePartsError, check_count, head_of


def part(kind: str, body: bytes, *children: str) -> bytes:
    """As Flower writes it."""
    return f"{kind} {','.join(children)} {len(body)}".encode() + b"\0" + body


def taken(*contents: bytes) -> str:
    """Why these parts are refused; nothing when they are not."""
    found = Parts()
    try:
        for number, content in enumerate(contents):
            found.take(str(number), content)
        found.check_grown()
    except StrangePartsError as error:
        return str(error)
    return ""


def config(*texts: str) -> bytes:
    return ConfigRecord({"k": list(texts)}).deflate()


def numbers(count: int) -> bytes:
    """The body of a record with a list of so many numbers of one byte."""
    body = bytes(count)
    for tag in (b"\x0a", b"\xb2\x01", b"\x12", b"\x0a"):  # vals, sint_list, value, items
        body = tag + length(len(body)) + body
    return body


def length(size: int) -> bytes:
    """As protobuf writes it."""
    low = bytes([size & 127 | (128 if size > 127 else 0)])
    return low + length(size >> 7) if size > 127 else low


def test_a_question_of_the_longest_kind_is_taken() -> None:
    """The control of all that follows: 16 MB of totals in thousands of lengths, many signatures."""
    totals = tuple(np.full(1000, 1 << 40) for _ in range(2000))
    agreed = tuple((f"L{n:04}", b"s" * 64) for n in range(4096))
    asked = pack_question(Ask("ab" * 32, "census", 0, "cd" * 32, totals, None, agreed))
    parts = {name: one.deflate() for name, one in get_all_nested_objects(asked).items()}
    again = Parts()
    for name, content in parts.items():
        again.take(name, content)
    again.check_grown()
    found: InflatableObject = inflate_object_from_contents(asked.object_id, again.contents)
    assert isinstance(found, RecordDict)


def test_what_only_describes_is_small() -> None:
    """Each kind but pieces of vectors and records with a statement."""
    for kind, why in (("Array", DESCRIPTION), ("RecordDict", TOO_LARGE), ("Message", TOO_LARGE)):
        assert taken(part(kind, b" " * MOST_SMALL)) == why
    assert taken(part("ArrayChunk", b" " * MOST_SMALL)) == ""
    assert taken(ConfigRecord({"body": b" " * MOST_STATEMENT}).deflate()) == ""
    assert taken(*2 * [ConfigRecord({"body": b" " * MOST_STATEMENT}).deflate()]) == TOO_LARGE


def test_a_records_lists_have_few_entries() -> None:
    """A list of short texts is refused where as many bytes in one text are not."""
    many = ["ab"] * 60_000
    assert taken(config(*many)) == UNREADABLE
    assert taken(config(*many[:20_000])) == ""
    assert taken(config("ab" * 60_000)) == ""
    assert taken(part("ConfigRecord", numbers(1 << 21))) == UNREADABLE
    assert taken(part("ConfigRecord", numbers(1 << 17))) == ""
    assert taken(part("ConfigRecord", b"\x0a\x00" * 60_000)) == UNREADABLE
    assert taken(part("ConfigRecord", b"\x0a\x00" * 20_000)) == ""


def test_an_array_does_not_grow_past_the_bound() -> None:
    """It may name a chunk twice, and not a thousand times."""

    def array(times: int) -> bytes:
        return part("Array", json.dumps({"arraychunk_ids": [0] * times}).encode(), "0")

    chunk = part("ArrayChunk", bytes(1 << 20))
    assert taken(chunk, array(2)) == ""
    assert taken(chunk, array(1000)) == TOO_LARGE
    for body in (b"{not json", b"[]", b'{"arraychunk_ids": [7]}', b"[" * 9000):
        assert taken(chunk, part("Array", body, "0")) == UNREADABLE


def test_parts_are_few_and_of_known_kinds() -> None:
    """A head is short, too: it is taken apart at each comma."""
    check_count(MOST_PARTS)
    with pytest.raises(StrangePartsError, match=TOO_MANY_PARTS):
        check_count(MOST_PARTS + 1)
    assert taken(*MOST_PARTS * [part("ArrayChunk", b"")]) == ""
    assert taken(*(MOST_PARTS + 1) * [part("ArrayChunk", b"")]) == TOO_MANY_PARTS
    for strange in (part("MetricRecord", b""), b"", b"\0", b"ArrayChunk" + b"," * MOST_SMALL):
        assert taken(strange) == UNREADABLE
    assert head_of(part("Array", b"x", "a", "b")) == ("Array", ["a", "b"], 12)
