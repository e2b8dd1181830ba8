"""How messages travel stays what it was: another name, type or order is noticed here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shared.secure_sum.statements import MaskedInput
from shared.wire import arrays, messages
from shared.wire.messages import parse_question, parse_reply
from tests.shared.wire.wire_vector import FILE, QUESTIONS, REPLIES, vector

VECTOR = json.loads(FILE.read_text())


def test_every_message_travels_as_it_did() -> None:
    """Every record, field and byte of one message of each kind; what is signed of a question."""
    assert json.loads(json.dumps(vector())) == VECTOR


def test_the_file_has_every_kind_there_is() -> None:
    """A new kind of message needs a place in it."""
    asked = {"ask" if kind is messages.Ask else kind.__name__ for kind in map(type, QUESTIONS)}
    assert asked == {"ask"} | messages._QUESTIONS.keys()
    assert {type(one).__name__ for one in REPLIES} == (
        {"Sum", "MaskedInput", "Behind", "Refused"} | messages._REPLIES.keys()
    )


def test_what_was_packed_is_read_again() -> None:
    """The vector is of messages that the other side understands."""
    for one in QUESTIONS:
        assert type(parse_question(messages.pack_question(one))) is type(one)
    for one in REPLIES:
        assert type(parse_reply(messages.pack_reply(one))) is type(one)


def test_a_renamed_field_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing and parsing changed alike still understand each other, so only the file can tell."""

    def renamed(**fields: object) -> object:
        new = {"rount" if name == "round" else name: value for name, value in fields.items()}
        return messages.ConfigRecord(new)

    monkeypatch.setattr(messages, "_config", renamed)
    assert vector() != VECTOR


def test_another_order_of_bytes_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words the other way round are other words."""
    packed = arrays.pack_words
    monkeypatch.setattr(
        messages, "pack_words", lambda values: packed(values.byteswap().astype(np.uint32))
    )
    assert any(isinstance(one, MaskedInput) for one in REPLIES)
    assert vector() != VECTOR
