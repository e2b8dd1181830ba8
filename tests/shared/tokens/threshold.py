"""Key holders in memory, and ways for them to lie."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from shared.tokens import dleq
from shared.tokens.evaluation import (
    SUITE,
    Blinded,
    Evaluation,
    Request,
    blind,
    evaluate,
    finish,
    generator,
)
from shared.tokens.group import Points, points_of, random_numbers, scalars_of
from shared.tokens.keys import KeySet, KeyShare
from shared.tokens.oprf import finalize
from shared.tokens.sharing import commitments, lagrange, public_share, share
from shared.tokens.sodium import Sodium

GROUP = Sodium()

Lie = Callable[[Points, Points], Points]
"""(points asked, honest answers) -> what the holder answers."""


def seeded(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


@dataclass(frozen=True)
class Holders:
    """A key nobody would have outside a test, its set and all shares."""

    secret: int
    keys: KeySet
    shares: Mapping[int, KeyShare]

    def answers(self, request: Request) -> dict[int, Evaluation]:
        return {
            index: evaluate(GROUP, self.shares[index], request, seeded(index))
            for index in request.quorum
        }

    def outputs(self, inputs: list[bytes]) -> np.ndarray:
        """The naive twin: one key, no blinds, no threshold."""
        elements = GROUP.multiply(SUITE.hash_to_group(GROUP, inputs), scalars_of([self.secret]))
        return finalize(inputs, elements)


def holders(threshold: int, count: int, seed: int = 1) -> Holders:
    coefficients = random_numbers(threshold, seeded(seed))
    committed = commitments(GROUP, coefficients)
    everyone = range(1, count + 1)
    publics = tuple(public_share(GROUP, committed, index).tobytes() for index in everyone)
    keys = KeySet("test", 1, 0, threshold, committed[0].tobytes(), publics)
    shares = {index: KeyShare(keys, index, share(coefficients, index)) for index in everyone}
    return Holders(coefficients[0], keys, shares)


def inputs_of(count: int) -> list[bytes]:
    return [b"test|v1|cn_id|%d" % number for number in range(count)]


def blinded(parties: Holders, inputs: list[bytes], seed: int = 2) -> Blinded:
    return blind(GROUP, parties.keys, inputs, seeded(seed))


def lying(parties: Holders, index: int, request: Request, lie: Lie) -> Evaluation:
    """A holder that changes its answers and proves what it can: the last row where that is honest,
    or with a proof made for its true key over the false answers.
    """
    mine = parties.shares[index]
    coefficient = lagrange(index, request.quorum)
    secret = coefficient * mine.secret
    honest = GROUP.multiply(request.points, scalars_of([secret]))
    answered = lie(request.points, honest.copy())
    rows = slice(None) if request.every else slice(-1, None)
    public = GROUP.multiply(points_of([parties.keys.shares[index - 1]]), scalars_of([coefficient]))
    # where the number of rows is a lie, the proof is about the honest ones
    claimed = answered if len(answered) == len(honest) else honest
    proof = dleq.prove(
        GROUP,
        SUITE,
        secret,
        generator(GROUP),
        public,
        request.points[rows],
        claimed[rows],
        seeded(9),
    )
    return Evaluation(answered, proof)


def finished(
    parties: Holders,
    own: Blinded,
    request: Request,
    answers: Mapping[int, Evaluation],
    inputs: list[bytes],
) -> np.ndarray:
    return finish(GROUP, parties.keys, own, request, answers, inputs)
