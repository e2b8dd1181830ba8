"""What the bodies of a node's calls may hold, judged before anything is made of them.

Invariants:
- A body is no longer than its call needs; a reply is announced as one message and one tree of at
  most `MOST_PARTS` parts. Whatever has more is refused after a look at few bytes.
- Each field of an upload is there once: what was judged here is what the SuperLink reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from server.deployment.refused_request import RefusedRequestError
from shared.identity.enrolment_messages import MOST_REQUEST
from shared.wire.bounds import MOST_PARTS, MOST_REPLY, MOST_SMALL
from shared.wire.parts import StrangePartsError, head_of
from shared.wire.scan import BYTES, Field, UnscannableError, fields

FLEET = "/v1/fleet/"
PUSH, UPLOAD = FLEET + "push-messages", FLEET + "push-object"
PULL, CONFIRM = FLEET + "pull-messages", FLEET + "confirm-message-received"
RENEW = "/lianfang/renew"
_MOST_OF = {UPLOAD: MOST_REPLY + MOST_SMALL, RENEW: MOST_REQUEST}
_TOP = 8
_MESSAGES, _TREES, _CHILDREN = 2, 3, 2
_OBJECT, _CONTENT = 3, 4
"""Numbers of fields of flwr.proto: `PushMessagesRequest`, `ObjectTree`, `PushObjectRequest`."""
_PROMISED = 3
"""`PushMessagesResponse.objects_to_push`."""


@dataclass(frozen=True)
class Announced:
    """A reply that is announced. `names`: the nodes in whose name it speaks; `question`: what it
    answers.
    """

    node: int
    names: frozenset[int]
    question: str


def most_of(path: str) -> int:
    """Bytes of a body that goes there."""
    return _MOST_OF.get(path, MOST_SMALL)


def announced(body: bytes) -> Announced:
    """What a body of `PUSH` says; RefusedRequestError where it is not one reply."""
    from flwr.proto.fleet_pb2 import PushMessagesRequest

    request = PushMessagesRequest()
    try:
        top = list(fields(body, 0, len(body), _TOP))
        trees = [one for one in top if one.number == _TREES]
        if len(trees) != 1 or sum(one.number == _MESSAGES for one in top) != 1:
            raise RefusedRequestError(400, "form", "a call brings one reply")
        if _nodes(body, trees[0], MOST_PARTS) > MOST_PARTS:
            raise RefusedRequestError(413, "parts", f"a reply of more than {MOST_PARTS} parts")
        request.ParseFromString(body)
    except (UnscannableError, DecodeError) as error:
        raise RefusedRequestError(400, "form", "this is not Flower's message") from error
    about = request.messages_list[0].metadata
    return Announced(
        request.node.node_id, frozenset({about.src_node_id}), about.reply_to_message_id
    )


def uploaded(body: bytes) -> tuple[str, int]:
    """A part's digest and size, of a body of `UPLOAD`; RefusedRequestError where it is none."""
    try:
        top = list(fields(body, 0, len(body), _TOP))
    except UnscannableError as error:
        raise RefusedRequestError(400, "form", "this is not Flower's upload") from error
    found = {one.number: one for one in top}
    if len(found) != len(top) or {found[n].kind for n in (_OBJECT, _CONTENT) if n in found} - {
        BYTES
    }:
        raise RefusedRequestError(400, "form", "an upload with a field twice")
    if _OBJECT not in found or _CONTENT not in found:
        raise RefusedRequestError(400, "form", "an upload without its name or its content")
    name, content = found[_OBJECT], found[_CONTENT]
    try:
        head_of(body, content.begin)
    except StrangePartsError as error:
        raise RefusedRequestError(400, "form", "an upload of no part") from error
    return body[name.begin : name.end].decode("ascii", "replace"), content.end - content.begin


def promised(answer: bytes) -> Iterator[str]:
    """Digests of the parts that the SuperLink, in its answer to `PUSH`, asks for."""
    for one in fields(answer, 0, len(answer), MOST_PARTS + _TOP):
        if one.number == _PROMISED and one.kind == BYTES:
            yield answer[one.begin : one.end].decode("ascii", "replace")


def _nodes(body: bytes, tree: Field, most: int) -> int:
    """Of a tree; more than `most` when there are more, or it is no tree."""
    waiting, found = [tree], 0
    while waiting and found <= most:
        node = waiting.pop()
        found += 1
        for one in fields(body, node.begin, node.end, most + _TOP):
            if one.number == _CHILDREN:
                if one.kind != BYTES:
                    raise UnscannableError("a tree that is none")
                waiting.append(one)
    return found + len(waiting)
