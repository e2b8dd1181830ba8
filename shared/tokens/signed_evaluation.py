"""A holder's signature under an answer: what makes a wrong one evidence that others can check.

Invariants:
- The signature covers what was asked and what was answered, so an answer cannot be shown as one to
  another question.
"""

from __future__ import annotations

import hashlib

from shared.secure_sum.suite import STANDARD
from shared.tokens.evaluation import Evaluation, Request

_DOMAIN = b"lianfang/evaluation/v1/"


def sign_evaluation(private: bytes, request: Request, answer: Evaluation) -> bytes:
    """64 bytes: the holder's Ed25519 signature of its answer to this request."""
    return STANDARD.sign(private, _transcript(request, answer))


def check_evaluation_signature(
    public: bytes, request: Request, answer: Evaluation, signature: bytes
) -> None:
    """PeerError unless this holder gave this answer to this request."""
    STANDARD.verify(public, signature, _transcript(request, answer))


def _transcript(request: Request, answer: Evaluation) -> bytes:
    quorum = b"".join(index.to_bytes(2, "big") for index in request.quorum)
    parts = (
        request.keys,
        len(request.quorum).to_bytes(2, "big") + quorum + bytes([request.every]),
        hashlib.sha256(request.points.tobytes()).digest(),
        hashlib.sha256(answer.points.tobytes()).digest(),
        answer.proof,
    )
    return _DOMAIN + b"".join(len(part).to_bytes(2, "big") + part for part in parts)
