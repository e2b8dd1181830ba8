"""A lender's request at a key holder, from its points to the answer.

    size and form ─► key set, quorum ─► quota left? ─► every point ─► charge, on disk ─► multiply

Invariants:
- Nothing is multiplied before the charge is on disk, and nothing charged before every point is
  checked. Points of a member without quota are not looked at.
- Everything wrong with points is one error with one message (`InvalidPointError`).
- Purpose and counts are logged, and who asked; never a point, a reference or a request id.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from server.keyholder.quotas import Asked, Quotas
from server.keyholder.settings import PURPOSES
from server.keyholder.shares import Shares
from shared.errors import PeerError
from shared.identity.certificate import Identity
from shared.tokens.evaluation import SIZES, Evaluation, Request, WrongRequestError, evaluate
from shared.tokens.group import WIDTH, Group, InvalidPointError, Points, RandomBytes
from shared.tokens.keys import KeyShare
from shared.tokens.signed_evaluation import sign_evaluation

REQUEST_ID_BYTES = 16
LONGEST_REFERENCE = 64
_log = logging.getLogger("lianfang.keyholder")


@dataclass(frozen=True)
class Question:
    """What a lender sent, as it came. `points`: encodings one after the other."""

    id: bytes
    purpose: str
    reference: str
    keys: bytes
    quorum: tuple[int, ...]
    every: bool
    points: bytes


class StaleKeysError(PeerError):
    """The key set asked for is not in use here: it was renewed or retired, or never was."""


@dataclass(frozen=True)
class Evaluator:
    """Answers lenders."""

    identity: Identity
    group: Group
    shares: Shares
    quotas: Quotas
    random: RandomBytes

    def answer(self, member: str, question: Question) -> tuple[Evaluation, bytes]:
        """The evaluation and this holder's signature of it. Raises PeerError; what was wrong with
        points is not said.
        """
        _check_form(question)
        share = self.shares.active(question.keys)
        if share is None:
            raise StaleKeysError("this key set is not in use here", remedy="fetch the key sets")
        _check_quorum(share, question.quorum)
        points = _points(question.points)
        asked = _asked(member, question, share.keys.epoch)
        self.quotas.check(asked)
        try:
            self.group.check(points)
        except InvalidPointError:
            self.quotas.spoilt(asked)
            raise
        self.quotas.reserve(asked)
        request = Request(question.keys, question.quorum, points, question.every)
        answer = evaluate(self.group, share, request, self.random)
        _log.info("evaluated: member %s, %s, %d points", member, question.purpose, len(points))
        return answer, sign_evaluation(self.identity.private, request, answer)


def _check_form(question: Question) -> None:
    if len(question.points) not in {size * WIDTH for size in SIZES}:
        raise InvalidPointError
    if len(question.id) != REQUEST_ID_BYTES:
        raise PeerError(f"a request id has {REQUEST_ID_BYTES} bytes")
    if question.purpose not in PURPOSES:
        raise PeerError(f"a purpose is one of {', '.join(PURPOSES)}")
    if not 0 < len(question.reference) <= LONGEST_REFERENCE:
        raise PeerError(f"an application reference has 1 to {LONGEST_REFERENCE} characters")


def _check_quorum(share: KeyShare, quorum: tuple[int, ...]) -> None:
    """As `evaluate` does, but before anything is charged."""
    different, keys = set(quorum), share.keys
    allowed = share.index in different and different <= set(keys.holders)
    if not allowed or not len(different) == len(quorum) == keys.threshold:
        raise WrongRequestError("the quorum is not one of this key set with this holder in it")


def _points(packed: bytes) -> Points:
    return np.frombuffer(packed, np.uint8).reshape(-1, WIDTH)


def _asked(member: str, question: Question, epoch: int) -> Asked:
    """The same points are one request whatever quorum or proof is asked for, in one epoch."""
    digest = hashlib.sha256(epoch.to_bytes(4, "big") + question.points).digest()
    count = len(question.points) // WIDTH
    about = (question.purpose, question.reference, count, question.every)
    return Asked(member, question.id, digest, *about)


def quorum_of(numbers: Sequence[int]) -> tuple[int, ...]:
    """The quorum as it came, if it is short enough to be one; PeerError."""
    if not 0 < len(numbers) <= 99:
        raise PeerError("a quorum has 1 to 99 holders")
    return tuple(numbers)
