"""The messages between coordinator and lender, and their form in Flower's records.

    coordinator ── Ask ──────► lender     which stage, and the totals released since `first`; with
                                          secure sums a RoundOpen, and proof of the round before
                ◄─ Sum ───────            its whole numbers (plain sums, and stages of length 0)
                ◄─ MaskedInput            the same under masks (secure sums)
                ◄─ Behind ────            "I hold only `have` totals: send the rest", or "show me
                                          first that the round `unproven` was answered alike"
    coordinator ── SetUpOpen, Roll, Delivery, Survivors ──► lender
                ◄─ MemberKeys, SealedShares, Ready, Answer
    to any      ◄─ Refused ───            the name of one of our errors, never its text

What the statements of a secure sum say: `shared/secure_sum/statements.py`.

Invariants:
- Parsing accepts exactly what packing makes; anything else is a PeerError and changes nothing.
- A lender's exception text never travels: it may quote rows.
- A question's main record is "ask" with a field "stage", a reply's is "reply".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.identity.certificate import MOST_BYTES
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.statements import (
    MOST_MEMBERS,
    Answer,
    Delivery,
    MaskedInput,
    MemberKeys,
    Ready,
    Refusal,
    Roll,
    RoundOpen,
    SealedShares,
    SetUpOpen,
    Survivors,
)
from shared.wire.arrays import pack_numbers, pack_words, parse_numbers, parse_words
from shared.wire.bounds import MOST_STATEMENT
from shared.wire.fields import (
    check_names,
    config_of,
    pairs,
    raw,
    sizes,
    statement,
    text,
    whole,
)

QUERY = "query.answer"
UNKNOWN = "unknown"
"""What a lender calls itself when its settings do not even tell its code."""
_MOST_TOTALS = 20_000
_NAME_BYTES = 32
_LONGEST_SIGNATURE = 200
_CODES = frozenset({"operator", "peer", "internal", "unexpected"})


@dataclass(frozen=True, eq=False)
class Ask:
    """`released`: totals number first, first+1, …; `digest`: the run's after all of them. With
    secure sums `opened` is the round the answer is for, `agreed` holds codes and signatures of
    answers to the round before, and `coordinator` (its certificate) signs the question.
    """

    run: str
    stage: str
    first: int
    digest: str
    released: tuple[NDArray[np.int64], ...]
    opened: RoundOpen | None = None
    agreed: tuple[tuple[str, bytes], ...] = ()
    coordinator: bytes = b""
    signature: bytes = b""


@dataclass(frozen=True, eq=False)
class Sum:
    """A lender's answer. `member` is its code in the consortium."""

    member: str
    stage: str
    vector: NDArray[np.int64]


@dataclass(frozen=True)
class Behind:
    """The lender holds only the first `have` totals of this run; or, where `unproven` names a round
    (32 bytes), it must first be shown the answers to that round.
    """

    member: str
    have: int
    unproven: bytes = b""


@dataclass(frozen=True)
class Refused:
    """The lender could not or would not answer. `code`: operator, peer, internal, unexpected;
    `refusal`: signed evidence, where it was asked against its floors or the protocol.
    """

    member: str
    code: str
    refusal: Refusal | None = None


Question = Ask | SetUpOpen | Roll | Delivery | Survivors
Reply = Sum | Behind | Refused | MemberKeys | SealedShares | Ready | MaskedInput | Answer

_LARGE, _SMALL = MOST_STATEMENT, 1 << 20
# A text of JSON takes up to thirty times its size when it is read, so each kind has its own bound.
_QUESTIONS: dict[str, tuple[type[SetUpOpen | Roll | Delivery | Survivors], int]] = {
    "SetUpOpen": (SetUpOpen, 1 << 16),
    "Roll": (Roll, _LARGE),
    "Delivery": (Delivery, _LARGE),
    "Survivors": (Survivors, _SMALL),
}
_REPLIES: dict[str, tuple[type[MemberKeys | SealedShares | Ready | Answer], int]] = {
    "MemberKeys": (MemberKeys, _SMALL),
    "SealedShares": (SealedShares, _LARGE),
    "Ready": (Ready, _SMALL),
    "Answer": (Answer, _SMALL),
}
_ASK = frozenset(
    {"kind", "run", "stage", "first", "digest", "lengths", "opened", "agreed_by", "agreed"}
    | {"coordinator", "signature"}
)


def ask_transcript(ask: Ask) -> bytes:
    """What the coordinator signs of a question. The digest stands for all totals; which of them a
    lender is sent, and what it is shown, is between the two.
    """
    opened = b"" if ask.opened is None else text_of(ask.opened)
    return "|".join(("lianfang/ask/v1", ask.run, ask.stage, ask.digest, "")).encode() + opened


def pack_question(question: Question, label: str = "") -> RecordDict:
    """As Flower's records. `label`, up to 200 characters, says at what point of the run a statement
    is sent, for logs and simulated faults only; an Ask has its stage.
    """
    if isinstance(question, Ask):
        return _pack_ask(question)
    return RecordDict(
        {"ask": _config(kind=type(question).__name__, body=text_of(question), stage=label)}
    )


def parse_question(content: RecordDict) -> Question:
    """Inverse of `pack_question`, but for the label; raises PeerError."""
    config = config_of(content, "ask")
    kind = text(config, "kind")
    if kind == "ask":
        return _parse_ask(content, config)
    if kind not in _QUESTIONS:
        raise PeerError(f"a question of unknown kind {kind[:20]!r}")
    check_names(set(content), {"ask"})
    check_names(set(config), {"kind", "body", "stage"})
    text(config, "stage")
    expected, most = _QUESTIONS[kind]
    return read_text(expected, raw(config, "body", most))


def pack_reply(reply: Reply) -> RecordDict:
    """As Flower's records."""
    match reply:
        case Sum(member, stage, vector):
            config = _config(kind="sum", member=member, stage=stage)
            return RecordDict({"reply": config, "sum": pack_numbers(vector)})
        case MaskedInput(name, member, values, signature):
            config = _config(kind="masked", round=name, member=member, signature=signature)
            return RecordDict({"reply": config, "masked": pack_words(values)})
        case Behind(member, have, unproven):
            config = _config(kind="behind", member=member, have=have, unproven=unproven)
        case Refused(member, code, refusal):
            evidence = b"" if refusal is None else text_of(refusal)
            config = _config(kind="refused", member=member, code=code, refusal=evidence)
        case _:
            config = _config(kind=type(reply).__name__, body=text_of(reply))
    return RecordDict({"reply": config})


def parse_reply(content: RecordDict) -> Reply:
    """Inverse of `pack_reply`; raises PeerError."""
    config = config_of(content, "reply")
    kind = text(config, "kind")
    check_names(set(content), {"reply"} | ({kind} & {"sum", "masked"}))
    match kind:
        case "sum":
            check_names(set(config), {"kind", "member", "stage"})
            member, stage = text(config, "member"), text(config, "stage")
            return Sum(member, stage, parse_numbers(content, "sum"))
        case "masked":
            return _parse_masked(content, config)
        case "behind":
            return _parse_behind(config)
        case "refused":
            return _parse_refused(config)
    if kind not in _REPLIES:
        raise PeerError(f"a reply of unknown kind {kind[:20]!r}")
    check_names(set(config), {"kind", "body"})
    expected, most = _REPLIES[kind]
    return read_text(expected, raw(config, "body", most))


def _config(**fields: Any) -> ConfigRecord:
    return ConfigRecord(fields)


def _pack_ask(ask: Ask) -> RecordDict:
    """One flat array, however many totals."""
    config = _config(
        kind="ask",
        run=ask.run,
        stage=ask.stage,
        first=ask.first,
        digest=ask.digest,
        lengths=[len(total) for total in ask.released],
        opened=b"" if ask.opened is None else text_of(ask.opened),
        agreed_by=[code for code, _ in ask.agreed],
        agreed=[signature for _, signature in ask.agreed],
        coordinator=ask.coordinator,
        signature=ask.signature,
    )
    totals = np.concatenate([np.empty(0, dtype=np.int64), *ask.released])
    return RecordDict({"ask": config, "totals": pack_numbers(totals)})


def _parse_ask(content: RecordDict, config: ConfigRecord) -> Ask:
    check_names(set(content), {"ask", "totals"})
    check_names(set(config), _ASK)
    lengths = sizes(config, "lengths", _MOST_TOTALS)
    flat = parse_numbers(content, "totals")
    if sum(lengths) != len(flat):
        raise PeerError("the question's totals do not have the lengths it states")
    ends = np.cumsum([0, *lengths])
    return Ask(
        text(config, "run"),
        text(config, "stage"),
        whole(config, "first"),
        text(config, "digest"),
        tuple(flat[a:b] for a, b in pairwise(ends)),
        statement(config, "opened", RoundOpen, _SMALL),
        pairs(config, ("agreed_by", "agreed"), MOST_MEMBERS),
        raw(config, "coordinator", MOST_BYTES),
        raw(config, "signature", _LONGEST_SIGNATURE),
    )


def _parse_masked(content: RecordDict, config: ConfigRecord) -> MaskedInput:
    check_names(set(config), {"kind", "round", "member", "signature"})
    name, signature = (
        raw(config, "round", _NAME_BYTES),
        raw(config, "signature", _LONGEST_SIGNATURE),
    )
    return MaskedInput(name, text(config, "member"), parse_words(content, "masked"), signature)


def _parse_behind(config: ConfigRecord) -> Behind:
    check_names(set(config), {"kind", "member", "have", "unproven"})
    unproven = raw(config, "unproven", _NAME_BYTES)
    if len(unproven) not in (0, _NAME_BYTES):
        raise PeerError("a message whose unproven round is not one's name")
    return Behind(text(config, "member"), whole(config, "have"), unproven)


def _parse_refused(config: ConfigRecord) -> Refused:
    check_names(set(config), {"kind", "member", "code", "refusal"})
    code = text(config, "code")
    if code not in _CODES:
        raise PeerError("a refusal of unknown kind")
    return Refused(text(config, "member"), code, statement(config, "refusal", Refusal, 1 << 16))
