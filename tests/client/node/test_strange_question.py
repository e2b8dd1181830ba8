"""A question that would explode, or cannot be read, is answered as failed and ends nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Message
from flwr.supercore.inflatable.inflatable_object import get_object_id
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents

from client.node.question import question_of, task_of
from shared.wire import parts
from shared.wire.bounds import MOST_PARTS
from shared.wire.failures import STRANGE_QUESTION
from shared.wire.messages import Ask, Refused, pack_question, parse_reply
from tests.client.node.asked_node import DIGEST, AskedNode
from tests.client.node.test_long_answer import executor_in

HONEST = pack_question(Ask("ab" * 32, "census", 0, "cd" * 32, (np.arange(3),)))


def replied(folder: Path, node: AskedNode, *, allowed: bool, others: Sequence[str] = ()) -> Message:
    """What the executor of a lender's folder answers without a worker; `others`: digests that are
    on its list whether the question's is or not.
    """
    (folder / "client.toml").write_text('[lender]\nmember = "L01"\n')
    listed = [*others, *([DIGEST] if allowed else [])]
    (folder / "bundles.json").write_text(json.dumps(listed))
    return executor_in(folder, None)._replied(node, task_of(node), question_of(node))


def growing(times: int) -> AskedNode:
    """The question is an array that names its one chunk of 1000 bytes so often."""
    node = AskedNode(HONEST)
    chunk = b"ArrayChunk  1000\0" + bytes(1000)
    about = {"dtype": "int8", "shape": [1], "stype": "numpy.ndarray"}
    body = json.dumps(about | {"arraychunk_ids": [0] * times}).encode()
    array = f"Array {get_object_id(chunk)} {len(body)}".encode() + b"\0" + body
    node.parts = {get_object_id(one): one for one in (chunk, array)}
    node.number = get_object_id(array)
    return node


def unreadable() -> AskedNode:
    node = AskedNode(HONEST)
    (array,) = [name for name, one in node.parts.items() if one.startswith(b"Array ")]
    node.parts[array] = node.parts[array].replace(b"{", b"(", 1)
    return node


def endless() -> AskedNode:
    node = AskedNode(HONEST)
    node.parts |= {str(number): b"ArrayChunk  0\0" for number in range(MOST_PARTS)}
    return node


@pytest.mark.parametrize("made", [lambda: growing(100), unreadable, endless])
def test_a_strange_question_of_an_allowed_bundle_is_answered_as_failed(
    made: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In our own words, and the SuperNode forgets it; without the bound 1000 bytes become 100 000:
    the control.
    """
    monkeypatch.setattr(parts, "MOST_REPLY", 20_000)
    node: AskedNode = made()  # type: ignore[operator]
    reply = replied(tmp_path, node, allowed=True)
    assert reply.error.reason == STRANGE_QUESTION
    assert "refused: a question that no stage asks (its message" in caplog.text
    assert node.confirmed == [node.number]
    array = growing(100)
    whole = inflate_object_from_contents(array.number, dict(array.parts))
    assert len(whole.data) == 100_000  # type: ignore[attr-defined]


def test_nothing_is_read_of_a_question_whose_bundle_is_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one word whether the question could be read or not; allowed, it would be put together:
    the control.
    """
    read: list[str] = []
    monkeypatch.setattr(
        "client.node.executor.message_of",
        lambda asked, parts: read.append(asked.number) or asked.bare,
    )
    for node in (AskedNode(HONEST), unreadable(), growing(100)):
        reply = replied(tmp_path, node, allowed=False)
        assert parse_reply(reply.content) == Refused("L01", "operator")
        assert node.confirmed == [node.number]
    assert read == []
    monkeypatch.setattr("client.node.executor.Executor._answer", lambda *_: None)
    node = AskedNode(HONEST)
    replied(tmp_path, node, allowed=True)
    assert read == [node.number]


@pytest.mark.parametrize("at", [0, 8, 63])
def test_a_digest_that_differs_in_one_digit_allows_nothing(at: int, tmp_path: Path) -> None:
    """Wherever that digit is, the last one too: the whole SHA-256 counts. With the right one beside
    it on the list the same question is read: the control.
    """
    near = DIGEST[:at] + ("1" if DIGEST[at] == "0" else "0") + DIGEST[at + 1 :]
    reply = replied(tmp_path, unreadable(), allowed=False, others=[near])
    assert parse_reply(reply.content) == Refused("L01", "operator")
    read = replied(tmp_path, unreadable(), allowed=True, others=[near])
    assert read.error.reason == STRANGE_QUESTION
