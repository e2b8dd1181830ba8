"""Threshold evaluation gives what one key would, in padded requests, or nothing at all."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from threshold import GROUP, blinded, finished, holders, inputs_of, seeded

from shared.errors import InternalError
from shared.tokens.evaluation import (
    MOST_INPUTS,
    SIZES,
    Request,
    WrongRequestError,
    blind,
    evaluate,
)
from shared.tokens.group import InvalidPointError
from shared.tokens.oprf import LONGEST

PARTIES = {"2 of 3": holders(2, 3), "3 of 5": holders(3, 5), "1 of 1": holders(1, 1)}
THREE = PARTIES["3 of 5"]


@pytest.mark.parametrize("every", [False, True], ids=["sum", "every"])
@pytest.mark.parametrize("name", PARTIES)
def test_every_quorum_is_the_one_key(name: str, every: bool) -> None:
    """Every quorum of t holders gives the outputs that the single key gives, however proven."""
    parties, inputs = PARTIES[name], inputs_of(3)
    own, expected = blinded(parties, inputs), parties.outputs(inputs)
    for quorum in combinations(parties.keys.holders, parties.keys.threshold):
        request = own.request(quorum, every)
        outputs = finished(parties, own, request, parties.answers(request), inputs)
        assert (outputs == expected).all()


@pytest.mark.parametrize(("count", "size"), [(1, 8), (2, 8), (7, 8), (8, 64), (63, 64), (64, 512)])
def test_sizes(count: int, size: int) -> None:
    """A request has the least size that fits the inputs and, from two on, the check row."""
    inputs = inputs_of(count)
    own = blinded(THREE, inputs)
    request = own.request((1, 2, 3))
    assert len(request.points) == size
    GROUP.check(request.points)
    outputs = finished(THREE, own, request, THREE.answers(request), inputs)
    assert (outputs == THREE.outputs(inputs)).all()


def test_all_rows_differ_and_nothing_repeats() -> None:
    """Blinding the same inputs again shares no row with the first time."""
    first, second = (blinded(THREE, inputs_of(5), seed).points for seed in (1, 2))
    rows = {row.tobytes() for row in np.concatenate([first, second])}
    assert len(rows) == 2 * SIZES[0]


def test_blinds_are_not_shown() -> None:
    """Neither inputs nor blinds are in the representation."""
    own = blinded(THREE, inputs_of(1))
    assert "unblind" not in repr(own)
    assert "cn_id" not in repr(own)


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [b"a", b"b", b"a"],
        [b"%d" % number for number in range(MOST_INPUTS + 1)],
        [bytes(LONGEST + 1)],
    ],
    ids=["none", "doubles", "too many", "too long"],
)
def test_inputs_that_cannot_be_blinded(inputs: list[bytes]) -> None:
    """No inputs, doubles (the sum check does not cover them), too many and too long are refused."""
    with pytest.raises(InternalError):
        blind(GROUP, THREE.keys, inputs, seeded(1))


def test_quorum_in_any_order() -> None:
    """The order in which a quorum is named does not matter."""
    own = blinded(THREE, inputs_of(2))
    assert own.request((5, 1, 3)).quorum == own.request([1, 3, 5]).quorum == (1, 3, 5)


@pytest.mark.parametrize(
    "change",
    [
        {"keys": bytes(32)},
        {"quorum": (1, 2)},
        {"quorum": (1, 2, 3, 4)},
        {"quorum": (2, 3, 4)},
        {"quorum": (1, 1, 2)},
        {"quorum": (1, 2, 6)},
        {"quorum": (0, 1, 2)},
    ],
    ids=str,
)
def test_requests_a_holder_refuses(change: dict) -> None:
    """Another key set, and any quorum but t different holders with this one, are refused."""
    request = replace(blinded(THREE, inputs_of(2)).request((1, 2, 3)), **change)
    with pytest.raises(WrongRequestError):
        evaluate(GROUP, THREE.shares[1], request, seeded(1))


def _with_row(points: np.ndarray, row: bytes) -> np.ndarray:
    changed = points.copy()
    changed[3] = np.frombuffer(row, np.uint8)
    return changed


BAD_POINTS = {
    "identity": lambda points: _with_row(points, bytes(32)),
    "not canonical": lambda points: _with_row(points, b"\xff" * 32),
    "no element": lambda points: _with_row(points, (3).to_bytes(32, "little")),
    "negative": lambda points: _with_row(points, (1).to_bytes(32, "little")),
    "too short": lambda points: np.ascontiguousarray(points[:, :31]),
    "flat": lambda points: points.reshape(-1),
    "none": lambda points: points[:0],
    "seven": lambda points: points[:7],
    "nine": lambda points: np.concatenate([points, points[:1]]),
    "8192": lambda points: np.tile(points, (1024, 1)),
    "numbers": lambda points: points.astype(np.int64),
}


@pytest.mark.parametrize("bad", BAD_POINTS)
def test_bad_points(bad: str) -> None:
    """Whatever is wrong with the points or their number, the holder says the same and no more."""
    request = blinded(THREE, inputs_of(2)).request((1, 2, 3))
    points = BAD_POINTS[bad](request.points)
    with pytest.raises(InvalidPointError) as caught:
        evaluate(GROUP, THREE.shares[1], replace(request, points=points), seeded(1))
    assert str(caught.value) == str(InvalidPointError())


def test_answers_to_something_else() -> None:
    """Answers of too few holders, to other points or for other inputs are our own mistake."""
    inputs = inputs_of(2)
    own, other = blinded(THREE, inputs), blinded(THREE, inputs, seed=5)
    request = own.request((1, 2, 3))
    answers = THREE.answers(request)
    fewer = {index: answers[index] for index in (1, 2)}
    stranger = Request(bytes(32), request.quorum, request.points)
    for blinds, asked, given, named in (
        (own, request, fewer, inputs),
        (own, request, answers, inputs[:1]),
        (other, request, answers, inputs),
        (own, stranger, answers, inputs),
    ):
        with pytest.raises(InternalError):
            finished(THREE, blinds, asked, given, named)
