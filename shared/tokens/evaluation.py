"""Threshold evaluation: a lender's blinded inputs, the holders' answers, checked outputs.

    lender                                                     holder j of the quorum, t of them
      B = fillers, r_1 H_1 … r_m H_m, r' (H_1 + … + H_m)
      ── Request: key set, quorum, B ──────────────────────────►
                                                   D_j = λ_j k_j B, proof for the last row
      ◄────────────────────────────────── Evaluation: D_j, proof ──
      every proof holds; Y = Σ_j D_j; N_i = Y_i / r_i
      accepted only if N_1 + … + N_m = Y' / r'
      y_i = Finalize(input_i, N_i)

Invariants:
- Inputs of a request are different and their blinds independent: the sum check rests on both.
- A request has 8, 64, 512 or 4096 points, so a holder learns only roughly how many were looked up.
- Outputs leave `finish` only after the check; asked with `every`, each answer is proven instead.
- A single input has no check row: the proof is about its own row, which is the last.

Source: Jarecki, Kiayias, Krawczyk, Xu, EuroS&P 2016 and ACNS 2017 (threshold 2HashDH); RFC 9497.
The sum check is our own: docs/decisions/0012-sum-check.md has the argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError
from shared.tokens import dleq
from shared.tokens.group import (
    WIDE,
    Group,
    InvalidPointError,
    Points,
    RandomBytes,
    Scalars,
    inverses,
    points_of,
    random_numbers,
    scalars_of,
)
from shared.tokens.keys import KeySet, KeyShare
from shared.tokens.oprf import LONGEST, Suite, finalize
from shared.tokens.sharing import lagrange

SIZES = (8, 64, 512, 4096)
"""Points of a request."""
MOST_INPUTS = SIZES[-1] - 1
SUITE = Suite()


class WrongRequestError(PeerError):
    """A request that names another key set, or no quorum with this holder in it."""


class WrongEvaluationError(PeerError):
    """Answers that are not the key's; no output was computed from them.

    `holders`: who is known to have answered wrongly; empty: not known yet, ask `every`.
    """

    def __init__(self, holders: tuple[int, ...] = ()) -> None:
        named = ", ".join(map(str, holders)) or "not known which"
        super().__init__(
            f"answers of key holders do not fit their committed shares (holder: {named})",
            remedy="ask another quorum" if holders else "ask the same points again with every=True",
        )
        self.holders = holders


@dataclass(frozen=True, eq=False)
class Request:
    """What each holder of a quorum gets. `keys`: KeySet.name; `points`: (n, 32), n of SIZES;
    `every`: prove all rows, not only the last.
    """

    keys: bytes
    quorum: tuple[int, ...]
    points: Points
    every: bool = False


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One holder's answer. `points`: (n, 32), row by row; `proof`: 64 bytes."""

    points: Points
    proof: bytes


@dataclass(frozen=True, eq=False)
class Blinded:
    """Blinded inputs, and what takes the blinds off again.

    `points`: fillers, `count` inputs, and where there are two inputs or more the check row last.
    `unblind`: (count, 32) or (count + 1, 32), the blinds' inverses, secret, for one request only.
    """

    keys: bytes
    count: int
    points: Points
    unblind: Scalars = field(repr=False)

    def request(self, quorum: Sequence[int], every: bool = False) -> Request:
        """The request to each holder of `quorum`; sent again it shows nothing new."""
        return Request(self.keys, tuple(sorted(quorum)), self.points, every)


def blind(group: Group, keys: KeySet, inputs: Sequence[bytes], random: RandomBytes) -> Blinded:
    """Blind 1 to 4095 different inputs of up to 65535 bytes. InternalError on any other."""
    count = len(inputs)
    if not 0 < count <= MOST_INPUTS or len(set(inputs)) != count:
        raise InternalError("a request is of 1 to 4095 different inputs")
    if max(map(len, inputs)) > LONGEST:
        raise InternalError("an input is longer than RFC 9497 allows")
    elements = SUITE.hash_to_group(group, inputs)
    if count > 1:
        elements = np.concatenate([elements, group.total(elements)])
    blinds = random_numbers(len(elements), random)
    points = group.multiply(elements, scalars_of(blinds))
    filled = np.concatenate([_fillers(group, len(points), random), points])
    return Blinded(keys.name, count, filled, scalars_of(inverses(blinds)))


def _fillers(group: Group, needed: int, random: RandomBytes) -> Points:
    """Uniform elements, which no holder can tell from blinded ones, up to the next size."""
    count = min(size for size in SIZES if size >= needed) - needed
    drawn = np.frombuffer(random(WIDE * count), np.uint8).reshape(count, WIDE)
    return group.from_uniform(drawn)


def evaluate(group: Group, share: KeyShare, request: Request, random: RandomBytes) -> Evaluation:
    """A holder's answer: its share, times its Lagrange coefficient, times every point.

    WrongRequestError; InvalidPointError on any bad point or count, before anything is answered.
    """
    _check_request(share, request)
    coefficient = lagrange(share.index, request.quorum)
    public = _weighted(group, share.keys, share.index, coefficient)
    secret = coefficient * share.secret
    answered = group.multiply(request.points, scalars_of([secret]))
    rows = _proven(request)
    proof = dleq.prove(
        group,
        SUITE,
        secret,
        generator(group),
        public,
        request.points[rows],
        answered[rows],
        random,
    )
    return Evaluation(answered, proof)


def _check_request(share: KeyShare, request: Request) -> None:
    keys, quorum = share.keys, request.quorum
    if request.keys != keys.name:
        raise WrongRequestError("the request is for another key set", remedy="fetch the key set")
    if (
        share.index not in quorum
        or len(quorum) != keys.threshold
        or len(set(quorum)) != len(quorum)
        or not set(quorum) <= set(keys.holders)
    ):
        raise WrongRequestError(
            "the quorum is not as many different holders as the threshold, this one among them"
        )
    if request.points.ndim != 2 or len(request.points) not in SIZES:
        raise InvalidPointError


def finish(
    group: Group,
    keys: KeySet,
    blinded: Blinded,
    request: Request,
    answers: Mapping[int, Evaluation],
    inputs: Sequence[bytes],
) -> NDArray[np.uint8]:
    """(m, 64): the key's output of each input, in the order given to `blind`.

    `answers`: by holder, of the whole quorum of `request`. WrongEvaluationError when they are not
    what the key set's shares give.
    """
    same = np.array_equal(request.points, blinded.points) and request.keys == keys.name
    if not same or set(answers) != set(request.quorum) or len(inputs) != blinded.count:
        raise InternalError("an answer of each holder to these points, and the same inputs")
    checks = {j: _proof_holds(group, keys, request, j, answers[j]) for j in request.quorum}
    wrong = tuple(holder for holder, holds in checks.items() if not holds)
    if wrong:
        raise WrongEvaluationError(wrong)
    elements = _unblinded(group, blinded, request, answers)
    if len(elements) > blinded.count:
        if not request.every:
            _check_sum(group, elements)
        elements = elements[:-1]
    return finalize(inputs, elements)


def _proof_holds(
    group: Group, keys: KeySet, request: Request, holder: int, answer: Evaluation
) -> bool:
    rows = _proven(request)
    if answer.points.shape != request.points.shape:
        return False
    public = _weighted(group, keys, holder, lagrange(holder, request.quorum))
    asked, answered = request.points[rows], answer.points[rows]
    try:
        dleq.verify(group, SUITE, generator(group), public, asked, answered, answer.proof)
    except dleq.WrongProofError:
        return False
    return True


def _unblinded(
    group: Group, blinded: Blinded, request: Request, answers: Mapping[int, Evaluation]
) -> Points:
    """(m or m + 1, 32): the answers of the quorum added up, without blinds."""
    rows = slice(-len(blinded.unblind), None)
    answered = [answers[j].points[rows] for j in request.quorum]
    try:
        return group.multiply(group.add_all(answered), blinded.unblind)
    except InvalidPointError as error:
        raise WrongEvaluationError(_invalid(group, request, answers)) from error


def _invalid(group: Group, request: Request, answers: Mapping[int, Evaluation]) -> tuple[int, ...]:
    """Holders whose points are not elements; none where single answers are, but not their sum."""
    wrong = []
    for holder in request.quorum:
        try:
            group.check(answers[holder].points)
        except InvalidPointError:
            wrong.append(holder)
    return tuple(wrong)


def _check_sum(group: Group, elements: Points) -> None:
    """The check row is proven to be the key times the sum of the inputs' elements, so it must be
    the sum of the other rows. A holder that changes any of them, by whatever it can compute, has to
    make changes cancel whose weights (the blinds' inverses) it does not know.
    """
    if group.total(elements[:-1]).tobytes() != elements[-1].tobytes():
        raise WrongEvaluationError


def _proven(request: Request) -> slice:
    """Rows that the proof is about."""
    return slice(None) if request.every else slice(-1, None)


def _weighted(group: Group, keys: KeySet, holder: int, coefficient: int) -> Points:
    return group.multiply(points_of([keys.shares[holder - 1]]), scalars_of([coefficient]))


def generator(group: Group) -> Points:
    """(1, 32)."""
    return group.multiply_base(scalars_of([1]))
