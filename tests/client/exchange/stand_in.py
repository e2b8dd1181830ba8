"""A stand-in for the oblivious PRF, and rows as a contributor makes them."""

import hmac
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from hashlib import sha256, sha512

import numpy as np

from client.exchange.fetching import InParts, Outputs
from shared.blacklist.entry import SubjectRole
from shared.blacklist.reasons import Confidence, ListClass, ReasonClass
from shared.blacklist.record import Record, mark_of
from shared.blacklist.rows import Flag, Row
from shared.tokens.evaluation import MOST_INPUTS
from shared.tokens.identifiers import Canonical, token_input
from shared.tokens.tags import seal, seal_key, tags_of

CONTEXT = "test"
TODAY = date(2026, 1, 1)


class StandIn:
    """HMAC-SHA-512 in place of the threshold PRF: same shape, same determinism, one key."""

    def __init__(self, epoch: int = 1) -> None:
        self.epoch, self.key, self.asked = epoch, f"key {epoch}".encode(), 0

    def __call__(self, inputs: Sequence[bytes]) -> np.ndarray:
        assert len(set(inputs)) == len(inputs)
        self.asked += len(inputs)
        outputs = b"".join(hmac.digest(self.key, one, sha512) for one in inputs)
        return np.frombuffer(outputs, np.uint8).reshape(-1, 64)


def random_from(seed: str) -> Callable[[int], bytes]:
    """Bytes that repeat from run to run."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return (sha256(f"{seed} {count}".encode()).digest() * (size // 32 + 1))[:size]

    return draw


def row_of(
    prf: StandIn,
    kind: str,
    value: str,
    *,
    contributor: str = "A",
    list_class: ListClass = ListClass.FRAUD_CONFIRMED,
    event_end: date = date(2025, 12, 1),
    severity: int = 2,
    flags: Flag | int = 0,
    context: str = CONTEXT,
) -> Row:
    """The row that a contributor files about a canonical identifier."""
    output = prf([token_input(context, Canonical(kind, value))])
    tag = tags_of(output, prf.epoch)[0].tobytes()
    mark = mark_of(contributor.encode(), tag)
    record = Record(
        list_class=list_class,
        reason_class=ReasonClass.FIRST_PARTY,
        severity=severity,
        confidence=Confidence.CONFIRMED,
        event_end=event_end,
        role=SubjectRole.SUBJECT,
        mark=mark,
    )
    sealed = seal(seal_key(output[0]), record.text(), tag, random_from(f"{contributor}{value}"))
    return Row(tag, sealed, prf.epoch, Flag(flags))


def in_batches(tokenise: Callable[[Sequence[bytes]], Outputs], most: int = MOST_INPUTS) -> InParts:
    """In parts of `most`, by something that answers as many as it is asked."""

    def parts(inputs: Sequence[bytes]) -> Iterator[tuple[Sequence[bytes], Outputs]]:
        for start in range(0, len(inputs), most):
            part = inputs[start : start + most]
            yield part, tokenise(part)

    return parts
