"""Key holders that answered wrongly: named, their signed answers kept, not asked again.

Invariants:
- Nobody is accused without two things that contradict each other, both on disk: an answer and its
  proof, or two answers to the same points.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from client.exchange.doors import HolderFailedError
from client.exchange.evidence import Evidence
from shared.secure_sum.encoding import text_of
from shared.tokens.evaluation import Blinded, Evaluation, Request
from shared.tokens.signed_keys import SignedKeys

_log = logging.getLogger("lianfang.client")


@dataclass(frozen=True)
class Answered:
    """A holder's answer with its signature."""

    evaluation: Evaluation
    signature: bytes


@dataclass
class Batch:
    """One request on its way, and which holders it is not sent to (any more). `doubted`: a round of
    answers of which one is wrong, nobody knows whose.
    """

    signed: SignedKeys
    blinded: Blinded
    id: bytes
    turn: int
    every: bool = False
    failed: dict[str, HolderFailedError] = field(default_factory=dict)
    doubted: tuple[Request, Mapping[int, Answered]] | None = None


class WrongHolders:
    """Codes of holders that answered wrongly, as long as the process runs."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._guard = threading.Lock()
        self._codes: frozenset[str] = frozenset()

    @property
    def codes(self) -> frozenset[str]:
        """All of them."""
        with self._guard:
            return self._codes

    def compare(self, batch: Batch, request: Request, answers: Mapping[int, Answered]) -> None:
        """Whoever answered otherwise before every point had to be proven, answered wrongly then."""
        if batch.doubted is None or batch.doubted[0].quorum != request.quorum:
            return
        before, earlier = batch.doubted
        for index, answer in answers.items():
            same = np.array_equal(answer.evaluation.points, earlier[index].evaluation.points)
            if not same:
                self.convict(batch, index, [(before, earlier[index]), (request, answer)])

    def convict(self, batch: Batch, index: int, said: Sequence[tuple[Request, Answered]]) -> None:
        """Keep what the holder with this share said, and ask it no more. Raises OperatorError."""
        code = batch.signed.holders[index - 1]
        with self._guard:
            self._codes |= {code}
        content = {
            "kind": "wrong evaluation",
            "holder": code,
            "keys": text_of(batch.signed).decode(),
            "answers": [_written(request, answer) for request, answer in said],
        }
        path = self._evidence.keep(f"holder-{code}-{batch.id.hex()}", content)
        _log.warning(
            "key holder %s answered wrongly; it is not asked again, its signed answer is in %s",
            code,
            path,
        )


def _written(request: Request, answer: Answered) -> dict[str, object]:
    text = {
        "keys": request.keys,
        "asked": request.points.tobytes(),
        "answered": answer.evaluation.points.tobytes(),
        "proof": answer.evaluation.proof,
        "signature": answer.signature,
    }
    plain = {name: base64.b64encode(value).decode() for name, value in text.items()}
    return plain | {"quorum": list(request.quorum), "every": request.every}
