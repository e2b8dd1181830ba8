"""Hostile fields and texts are the peer's error; each is refused for its one flaw."""

import json

import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import PeerError
from shared.secure_sum.encoding import text_of
from shared.secure_sum.statements import Answer, Survivors
from shared.wire.messages import (
    Ask,
    Behind,
    Refused,
    pack_question,
    pack_reply,
    parse_question,
    parse_reply,
)
from tests.shared.wire.messages_made import (
    ANSWER,
    BEHIND,
    GOOD,
    MASKED,
    REFUSED,
    ROUND,
    SURVIVORS,
    ask_with,
    plain,
    reply_of,
    statement_with,
)

FIELDS = ("kind", "run", "stage", "first", "digest", "lengths", "opened", "agreed_by", "agreed")


@pytest.mark.parametrize(
    "changes",
    [
        *({key: None} for key in FIELDS),
        {"more": 1},
        {"kind": "Ask"},
        {"opened": "text"},
        {"opened": b"{}"},
        {"opened": text_of(ROUND)[:-1]},
        {"opened": text_of(ROUND) + b" "},
        {"opened": text_of(Survivors(bytes(32), ("L01",)))},
        {"opened": bytes((1 << 20) + 1)},
        {"agreed_by": ["L01"]},
        {"agreed_by": ["L01"], "agreed": ["signature"]},
        {"agreed_by": [b"L01"], "agreed": [b"signature"]},
        {"agreed_by": "L01", "agreed": [b"signature"]},
        {"agreed_by": ["L01"], "agreed": [bytes(201)]},
        {"agreed_by": ["L" * 201], "agreed": [b"signature"]},
        {"agreed_by": ["L"] * 4097, "agreed": [b"s"] * 4097},
        {"run": 7},
        {"run": b"run"},
        {"run": "r" * 201},
        {"stage": ["census"]},
        {"digest": 1.5},
        {"first": -1},
        {"first": True},
        {"first": 0.0},
        {"first": "0"},
        {"lengths": 4},
        {"lengths": [4.0]},
        {"lengths": ["4"]},
        {"lengths": [True] * 4},
        {"lengths": [5, -1]},
        {"lengths": [2, 1]},
        {"lengths": [2, 3]},
        {"lengths": []},
        {"lengths": [0] * 20_001},
        {"lengths": [2**62, 2**62, 2**62, 2**62, 4]},
    ],
    ids=lambda changes: json.dumps(changes, default=str)[:40],
)
def test_a_question_with_a_wrong_field_is_refused(changes: dict[str, object]) -> None:
    """Missing, of another type, out of range, or at odds with the numbers that came."""
    assert plain(parse_question(ask_with())) is not None
    with pytest.raises(PeerError):
        parse_question(ask_with(**changes))


@pytest.mark.parametrize(
    "content",
    [
        RecordDict(),
        RecordDict({"reply": MetricRecord({"kind": 1})}),
        RecordDict({"reply": ArrayRecord({"values": Array(GOOD)})}),
        reply_of({}),
        reply_of({"kind": "sum"}),
        reply_of({"kind": "sum", "member": "L01"}),
        reply_of({"kind": "sum", "member": "L01", "stage": "census"}, None),
        reply_of({"kind": "sum", "member": 1, "stage": "census"}),
        reply_of({"kind": "sum", "member": "L" * 201, "stage": "census"}),
        reply_of({"kind": "total", "member": "L01", "stage": "census"}),
        reply_of({"kind": b"sum", "member": "L01", "stage": "census"}),
        reply_of({"kind": "sum", "member": "L01", "stage": "census", "more": 1}),
        reply_of({"kind": "behind", "member": "L01", "have": 1, "unproven": b""}),
        *(
            reply_of(BEHIND | bent, None)
            for bent in (
                {"have": -1},
                {"have": False},
                {"unproven": bytes(31)},
                {"unproven": bytes(33)},
                {"unproven": ""},
                {"more": 1},
                {"member": 1},
            )
        ),
        reply_of({"kind": "behind", "member": "L01", "have": 1}, None),
        *(
            reply_of(REFUSED | bent, None)
            for bent in (
                {"code": "row 7: income 12,300"},
                {"code": ["peer"]},
                {"refusal": b"{}"},
                {"refusal": "no"},
                {"refusal": text_of(ROUND)},
                {"refusal": bytes(1 << 17)},
                {"more": b"row 7"},
                {"member": "L" * 201},
            )
        ),
        reply_of({"kind": "refused", "member": "L01", "code": "peer"}, None),
        reply_of({"kind": "masked", "round": bytes(32), "member": "L01", "signature": b""}, None),
        reply_of({"kind": "masked", "round": bytes(32), "member": "L01", "signature": b""}),
        reply_of({"kind": "Answer", "body": b""}, None),
        reply_of({"kind": "Answer", "body": text_of(ANSWER)}),
        reply_of({"kind": "Ready", "body": text_of(ANSWER)}, None),
        reply_of({"kind": "Answer", "body": text_of(ANSWER), "stage": "trees/0"}, None),
        reply_of({"kind": "Answer", "body": bytes((1 << 20) + 1)}, None),
        reply_of({"kind": "Survivors", "body": text_of(SURVIVORS)}, None),
    ],
    ids=range(38),
)
def test_a_reply_with_a_wrong_field_is_refused(content: RecordDict) -> None:
    """Missing records and fields, other types, unknown kinds, and codes that are texts."""
    with pytest.raises(PeerError):
        parse_reply(content)


def test_an_unknown_kind_is_quoted_briefly() -> None:
    """A peer cannot fill our log through the message of an error."""
    with pytest.raises(PeerError) as refused:
        parse_reply(reply_of({"kind": "x" * 150, "member": "L01"}))
    assert len(str(refused.value)) < 80


def test_the_fine_twins_of_those_replies_are_read() -> None:
    """So that each is refused for its one flaw."""
    assert parse_reply(reply_of(BEHIND, None)) == Behind("L01", 3)
    assert parse_reply(reply_of(REFUSED, None)) == Refused("L01", "peer")
    assert parse_reply(reply_of({"kind": "Answer", "body": text_of(ANSWER)}, None)) == ANSWER


@pytest.mark.parametrize(
    "changes",
    [
        *({key: None} for key in ("kind", "body", "stage")),
        {"more": 1},
        {"kind": "Roll"},
        {"kind": "Answer", "body": text_of(ANSWER)},
        {"kind": "RoundOpen", "body": text_of(ROUND)},
        {"kind": "ask"},
        {"stage": "s" * 201},
        {"stage": 5},
        {"body": text_of(SURVIVORS).decode()},
        {"body": text_of(SURVIVORS)[:-1]},
        {"body": text_of(SURVIVORS).replace(b":", b": ", 1)},
        {"body": b"[" * 100_000},
        {"body": bytes((1 << 20) + 1)},
    ],
    ids=range(15),
)
def test_a_statement_in_another_form_is_refused(changes: dict[str, object]) -> None:
    """Of another kind than it says, from the wrong side, in another text, or too large."""
    assert parse_question(statement_with()) == SURVIVORS
    with pytest.raises(PeerError):
        parse_question(statement_with(**changes))


def test_a_record_beside_those_of_a_message_is_refused() -> None:
    """Nothing rides along unread."""
    for content, parse in (
        (pack_question(SURVIVORS), parse_question),
        (pack_question(Ask("r", "s", 0, "d", ())), parse_question),
        (pack_reply(ANSWER), parse_reply),
        (pack_reply(MASKED), parse_reply),
    ):
        parse(content)
        content["more"] = ConfigRecord({"rows": 7})
        with pytest.raises(PeerError, match="parts"):
            parse(content)


@settings(max_examples=150)
@given(st.sampled_from([SURVIVORS, ANSWER]), st.integers(0, 10**6), st.binary(max_size=3))
def test_a_bent_text_of_a_statement_is_another_statement_or_refused(
    statement: Survivors | Answer, place: int, bytes_: bytes
) -> None:
    """Whatever is read has exactly the text that came."""
    body = text_of(statement)
    at = place % len(body)
    bent = body[:at] + bytes_ + body[at + 1 :]
    question = isinstance(statement, Survivors)
    record = ConfigRecord({"kind": type(statement).__name__, "body": bent})
    try:
        if question:
            record["stage"] = ""
            parsed: object = parse_question(RecordDict({"ask": record}))
        else:
            parsed = parse_reply(RecordDict({"reply": record}))
    except PeerError:
        return
    assert text_of(parsed) == bent
