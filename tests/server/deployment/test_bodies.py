"""What a node's calls bring is judged by a look at few bytes, and counted until it is answered."""

from __future__ import annotations

import pytest
from flwr.proto.fleet_pb2 import PushMessagesRequest, PushMessagesResponse
from flwr.proto.message_pb2 import Message, Metadata, ObjectTree, PushObjectRequest
from flwr.proto.node_pb2 import Node

from server.deployment import bodies
from server.deployment.bodies import Announced, announced, promised, uploaded
from server.deployment.refused_request import RefusedRequestError
from server.deployment.uploads import Uploads
from shared.wire.bounds import MOST_PARTS, MOST_REPLY

CHUNK = b"ArrayChunk  4\0abcd"
MB = 1 << 20


def push(parts: int, replies: int = 1) -> bytes:
    """A reply of so many parts to the question "q"."""
    tree = ObjectTree(object_id="0")
    tree.children.extend(ObjectTree(object_id=str(n)) for n in range(1, parts))
    about = Metadata(src_node_id=5, reply_to_message_id="q")
    request = PushMessagesRequest(node=Node(node_id=5))
    request.messages_list.extend([Message(metadata=about)] * replies)
    request.message_object_trees.extend([tree] * replies)
    return bytes(request.SerializeToString())


def test_one_reply_of_few_parts_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything else is refused, and never parsed; without the look the same bytes are messages of
    Flower's, a million of them: the control.
    """
    assert announced(push(MOST_PARTS)) == Announced(5, frozenset({5}), "q")
    million = b"\x12\x00" * 1_000_000
    parsed = PushMessagesRequest.FromString(million)
    assert len(parsed.messages_list) == 1_000_000
    monkeypatch.setattr("flwr.proto.fleet_pb2.PushMessagesRequest", lambda: None)
    nested = push(1)
    for _ in range(2):
        nested = nested.replace(b"\x1a\x03\x0a\x010", b"\x1a\x07\x0a\x010\x12\x02\x12\x00")
    for body in (
        *(push(MOST_PARTS + 1), push(1, 2), push(1, 0), million, b"\x12\x02" + million),
        *(b"", b"\xff\xff", push(1)[:-1], push(1) + b"\x1a\x04" + b"\x12\x00" * 2),
    ):
        with pytest.raises(RefusedRequestError):
            announced(body)


def test_a_tree_is_counted_at_every_depth() -> None:
    """A child of a child counts; so does one that is only begun."""
    deep = ObjectTree(object_id="x")
    for _ in range(MOST_PARTS):
        deep = ObjectTree(object_id="x", children=[deep])
    wide = ObjectTree(children=[ObjectTree(children=[ObjectTree()] * 20)] * 20)
    for tree in (deep, wide):
        request = PushMessagesRequest(messages_list=[Message()], message_object_trees=[tree])
        with pytest.raises(RefusedRequestError, match="parts"):
            announced(request.SerializeToString())


def test_an_upload_is_one_part_under_one_name() -> None:
    """Its head is short, and each field is there once: the SuperLink reads what was judged."""
    good = PushObjectRequest(object_id="ab", object_content=CHUNK, session_id="s")
    body = good.SerializeToString()
    assert uploaded(body) == ("ab", len(CHUNK))
    for wrong in (
        body + PushObjectRequest(object_id="cd").SerializeToString(),
        body + PushObjectRequest(object_content=bytes(100)).SerializeToString(),
        PushObjectRequest(object_id="ab").SerializeToString(),
        PushObjectRequest(object_id="ab", object_content=b"," * 100_000).SerializeToString(),
        b"\x18\x01\x20\x01",
        b"\xff",
    ):
        with pytest.raises(RefusedRequestError):
            uploaded(wrong)


def test_a_reply_is_bounded_as_a_whole() -> None:
    """Part by part, also when it is announced anew and under other parts; each part alone is small
    enough: the control. Another question begins at nothing.
    """
    answer = PushMessagesResponse(objects_to_push=[f"a{n}" for n in range(12)])
    uploads, each = Uploads(), 8 * MB
    uploads.asked_for("L01", "q", promised(answer.SerializeToString()))
    for number in range(MOST_REPLY // each):
        uploads.brought("L01", f"a{number}", each)
        uploads.brought("L01", f"a{number}", each)  # once more: an answer was lost
    with pytest.raises(RefusedRequestError, match="too large together"):
        uploads.brought("L01", "a9", each)
    uploads.asked_for("L01", "q", ["b0"])
    with pytest.raises(RefusedRequestError):
        uploads.brought("L01", "b0", each)
    uploads.asked_for("L01", "next", ["c0"])
    uploads.brought("L01", "c0", each)
    uploads.brought("L02", "a9", each)


def test_parts_that_nobody_asked_for_are_bounded_for_good() -> None:
    """After a start of the gate a reply that is under way passes; a second one does not."""
    uploads = Uploads()
    uploads.brought("L01", "x", MOST_REPLY)
    uploads.asked_for("L01", "", ["y"])
    with pytest.raises(RefusedRequestError):
        uploads.brought("L01", "y", 1)


def test_what_is_remembered_is_bounded() -> None:
    """Of questions, and of parts of each."""
    uploads = Uploads()
    for number in range(1000):
        uploads.asked_for("L01", f"q{number}", [str(number)])
    uploads.asked_for("L01", "long", map(str, range(10_000)))
    (questions,) = uploads._asked.values()
    assert len(questions) == 64
    assert max(map(len, questions.values())) == 4 * MOST_PARTS
    assert bodies.most_of("/lianfang/ready") < bodies.most_of(bodies.UPLOAD)
