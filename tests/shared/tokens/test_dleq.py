"""Proofs that hold are accepted; everything else is one error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threshold import GROUP, seeded

from shared.errors import InternalError
from shared.tokens import dleq
from shared.tokens.evaluation import SUITE, generator
from shared.tokens.group import ORDER, Points, points_of, scalars_of
from shared.tokens.oprf import OPRF, Suite

SECRET = 123456789
BASE = generator(GROUP)
PUBLIC = GROUP.multiply_base(scalars_of([SECRET]))
ASKED = GROUP.multiply_base(scalars_of([3, 5, 7]))
ANSWERED = GROUP.multiply(ASKED, scalars_of([SECRET]))


def proof_of(
    secret: int = SECRET, public: Points = PUBLIC, answered: Points = ANSWERED, seed: int = 1
) -> bytes:
    return dleq.prove(GROUP, SUITE, secret, BASE, public, ASKED, answered, seeded(seed))


def verify(proof: bytes, public: Points = PUBLIC, answered: Points = ANSWERED) -> None:
    dleq.verify(GROUP, SUITE, BASE, public, ASKED, answered, proof)


@settings(max_examples=15)
@given(st.integers(1, ORDER - 1), st.lists(st.integers(1, ORDER - 1), min_size=1, max_size=4))
def test_true_statements(secret: int, numbers: list[int]) -> None:
    """A proof of a true statement is accepted, for one pair and for many."""
    asked, key = GROUP.multiply_base(scalars_of(numbers)), scalars_of([secret])
    public, answered = GROUP.multiply_base(key), GROUP.multiply(asked, key)
    proof = dleq.prove(GROUP, SUITE, secret, BASE, public, asked, answered, seeded(2))
    assert len(proof) == dleq.PROOF_BYTES
    dleq.verify(GROUP, SUITE, BASE, public, asked, answered, proof)


def test_two_proofs_of_one_statement_differ() -> None:
    """The nonce is fresh: a repeated one would give the secret away."""
    assert proof_of(seed=1) != proof_of(seed=2)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_one_wrong_answer(row: int) -> None:
    """One wrong answer of three is refused, though its proof is made for it."""
    wrong = ANSWERED.copy()
    wrong[row] = BASE[0]
    with pytest.raises(dleq.WrongProofError):
        verify(proof_of(answered=wrong), answered=wrong)


def test_swapped_and_cancelling_answers() -> None:
    """Answers in another order, and changes that cancel in a plain sum, are refused."""
    changes = np.concatenate([BASE, GROUP.subtract(points_of([bytes(32)]), BASE)])
    shifted = ANSWERED.copy()
    shifted[:2] = GROUP.add(ANSWERED[:2], changes)
    for wrong in (np.ascontiguousarray(ANSWERED[[1, 0, 2]]), shifted):
        assert GROUP.total(wrong).tobytes() == GROUP.total(ANSWERED).tobytes()
        with pytest.raises(dleq.WrongProofError):
            verify(proof_of(answered=wrong), answered=wrong)


def test_another_key() -> None:
    """A proof with another key does not hold against the committed one."""
    answered = GROUP.multiply(ASKED, scalars_of([5]))
    proof = proof_of(5, GROUP.multiply_base(scalars_of([5])), answered)
    with pytest.raises(dleq.WrongProofError):
        verify(proof, answered=answered)


def test_altered_proofs() -> None:
    """Another length, any flipped byte, numbers not below the order and zeros are refused."""
    good = proof_of()
    verify(good)
    flipped = [bytes(byte ^ (place == at) for place, byte in enumerate(good)) for at in range(64)]
    large = (ORDER + int.from_bytes(good[32:], "little")).to_bytes(32, "little")
    for bad in (good[:-1], *flipped, good[:32] + large, large + good[32:], bytes(64)):
        with pytest.raises(dleq.WrongProofError):
            verify(bad)


def test_answers_that_are_no_elements() -> None:
    """The identity and bytes that are no element count as a wrong proof."""
    for row in (bytes(32), b"\xff" * 32):
        bad = ANSWERED.copy()
        bad[1] = np.frombuffer(row, np.uint8)
        with pytest.raises(dleq.WrongProofError):
            verify(proof_of(), answered=bad)


def test_the_mode_separates() -> None:
    """A proof of one mode is none in another."""
    proof = dleq.prove(GROUP, Suite(OPRF), SECRET, BASE, PUBLIC, ASKED, ANSWERED, seeded(1))
    with pytest.raises(dleq.WrongProofError):
        verify(proof)


def test_nothing_to_prove() -> None:
    """No pairs, and columns of different lengths, are our own mistake."""
    for asked, answered in ((ASKED[:0], ANSWERED[:0]), (ASKED[:2], ANSWERED)):
        with pytest.raises(InternalError):
            dleq.prove(GROUP, SUITE, SECRET, BASE, PUBLIC, asked, answered, seeded(1))
