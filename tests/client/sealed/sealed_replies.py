"""What a lender's reply says, and what a stage's total really is."""

from __future__ import annotations

import numpy as np

from shared.wire.messages import Refused, Reply
from tests.client.sealed_consortium import SealedConsortium


def reason_of(reply: Reply) -> str:
    """Of a signed refusal."""
    assert isinstance(reply, Refused), reply
    assert reply.refusal is not None, "a refusal without a signature"
    return reply.refusal.reason


def total_of(consortium: SealedConsortium) -> np.ndarray:
    """What the stage's total really is."""
    return np.sum(
        [lender._run.answer(lender._rows) for lender in consortium.lenders.values()], axis=0
    )
