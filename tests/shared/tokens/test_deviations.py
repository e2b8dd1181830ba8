"""Holders that lie are always noticed, and named when asked for every proof.

Every lie comes with the true proof about the last row, which is all that a request proves; the
controls show that the same lies succeed where the sum check, its different inputs or its
independent blinds are missing.
"""

from __future__ import annotations

import numpy as np
import pytest
from threshold import GROUP, Lie, blinded, finished, holders, inputs_of, lying

from shared.tokens import evaluation
from shared.tokens.evaluation import Blinded, Evaluation, WrongEvaluationError
from shared.tokens.group import Points, inverses, points_of, scalars_of

PARTIES = holders(3, 5)
QUORUM = (1, 3, 4)
LIAR = 3
INPUTS = inputs_of(7)
"""With the check row they fill a request of 8, so every row before the last is an input."""
EXPECTED = PARTIES.outputs(INPUTS)
ZERO = points_of([bytes(32)])
EXTRA = GROUP.multiply_base(scalars_of([424242]))


def negated(points: Points) -> Points:
    return GROUP.subtract(np.repeat(ZERO, len(points), axis=0), points)


def shifted(answered: Points, shifts: dict[int, Points]) -> Points:
    for row, shift in shifts.items():
        answered[row] = GROUP.add(answered[row : row + 1], shift)[0]
    return answered


def rows(answered: Points, order: list[int]) -> Points:
    return np.ascontiguousarray(answered[[*order, *range(len(order), len(answered))]])


def with_key(asked: Points, answered: Points, number: int) -> Points:
    """Another key for all rows but the proven one."""
    answered[:-1] = GROUP.multiply(asked[:-1], scalars_of([number]))
    return answered


def put(answered: Points, row: int, value: Points) -> Points:
    answered[row] = value[0]
    return answered


LIES: dict[str, Lie] = {
    "one item": lambda _, d: shifted(d, {2: EXTRA}),
    "one item, by the check row": lambda b, d: shifted(d, {2: b[-1:]}),
    "two items that cancel": lambda _, d: shifted(d, {1: EXTRA, 2: negated(EXTRA)}),
    "two items that cancel, by their own points": lambda b, d: shifted(
        d, {1: b[1:2], 2: negated(b[2:3])}
    ),
    "two items that cancel, by each other's points": lambda b, d: shifted(
        d, {1: b[2:3], 2: negated(b[1:2])}
    ),
    "all items, adding up to nothing": lambda _, d: shifted(
        d,
        {0: negated(GROUP.multiply_base(scalars_of([15])))}
        | {row: GROUP.multiply_base(scalars_of([row])) for row in (1, 2, 3, 4, 5)},
    ),
    "another key": lambda b, d: with_key(b, d, 99),
    "another key in all rows": lambda b, _: GROUP.multiply(b, scalars_of([99])),
    "one negated": lambda _, d: put(d, 4, negated(d[4:5])),
    "two answers swapped": lambda _, d: rows(d, [1, 0]),
    "all answers turned round": lambda _, d: rows(d, [6, 5, 4, 3, 2, 1, 0]),
    "one answer twice": lambda _, d: rows(d, [1, 1]),
    "the questions": lambda b, d: np.concatenate([b[:-1], d[-1:]]),
    "the last answer everywhere": lambda _, d: np.repeat(d[-1:], len(d), axis=0),
    "only the last row": lambda _, d: shifted(d, {7: EXTRA}),
    "the identity": lambda _, d: put(d, 0, ZERO),
    "no element": lambda _, d: put(d, 0, points_of([b"\xff" * 32])),
    "one row fewer": lambda _, d: d[1:],
    "one row more": lambda _, d: np.concatenate([d[:1], d]),
}
NAMED_AT_ONCE = {
    "another key in all rows",
    "only the last row",
    "no element",
    "one row fewer",
    "one row more",
}
UNSEEN_WITHOUT_THE_CHECK = set(LIES) - NAMED_AT_ONCE


def answers_with(lie: Lie, own: Blinded, every: bool = False) -> tuple:
    request = own.request(QUORUM, every)
    return request, PARTIES.answers(request) | {LIAR: lying(PARTIES, LIAR, request, lie)}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_noticed_and_the_liar_named(lie: str) -> None:
    """No output comes out; asked for every proof, the liar and nobody else is named."""
    own = blinded(PARTIES, INPUTS)
    request, answers = answers_with(LIES[lie], own)
    with pytest.raises(WrongEvaluationError) as caught:
        finished(PARTIES, own, request, answers, INPUTS)
    assert caught.value.holders == ((LIAR,) if lie in NAMED_AT_ONCE else ())
    request, answers = answers_with(LIES[lie], own, every=True)
    with pytest.raises(WrongEvaluationError) as caught:
        finished(PARTIES, own, request, answers, INPUTS)
    assert caught.value.holders == (LIAR,)


@pytest.mark.parametrize("lie", sorted(UNSEEN_WITHOUT_THE_CHECK))
def test_without_the_sum_check_the_lie_succeeds(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with the proof of the last row alone, wrong outputs would be accepted."""
    monkeypatch.setattr(evaluation, "_check_sum", lambda *_: None)
    own = blinded(PARTIES, INPUTS)
    request, answers = answers_with(LIES[lie], own)
    outputs = finished(PARTIES, own, request, answers, INPUTS)
    assert not (outputs == EXPECTED).all()


def test_doubles_would_hide_a_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: two equal inputs let a holder shift both by their own points, and the sum fits."""
    doubled = [*INPUTS[:5], INPUTS[0], INPUTS[6]]
    lie: Lie = lambda b, d: shifted(d, {0: b[0:1], 5: negated(b[5:6])})  # noqa: E731
    monkeypatch.setattr("builtins.set", tuple)  # the guard in `blind` counts a set
    own = blinded(PARTIES, doubled)
    monkeypatch.undo()
    request, answers = answers_with(lie, own)
    outputs = finished(PARTIES, own, request, answers, doubled)
    assert (outputs == PARTIES.outputs(doubled)).all(axis=1).tolist() == [
        False,
        True,
        True,
        True,
        True,
        False,
        True,
    ]


def test_one_blind_for_all_would_hide_swaps() -> None:
    """Control: with the same blind on every row, swapped answers fit the sum, as lies that cancel
    do; the honest lender draws one for each.
    """
    own = _with_one_blind()
    for lie in ("two answers swapped", "two items that cancel"):
        request, answers = answers_with(LIES[lie], own)
        outputs = finished(PARTIES, own, request, answers, INPUTS)
        assert not (outputs == EXPECTED).all()
    numbers = {row.tobytes() for row in blinded(PARTIES, INPUTS).unblind}
    assert len(numbers) == len(INPUTS) + 1


def _with_one_blind() -> Blinded:
    elements = evaluation.SUITE.hash_to_group(GROUP, INPUTS)
    elements = np.concatenate([elements, GROUP.total(elements)])
    blind = 31337
    unblind = np.repeat(scalars_of(inverses([blind])), len(elements), axis=0)
    points = GROUP.multiply(elements, scalars_of([blind]))
    return Blinded(PARTIES.keys.name, len(INPUTS), points, unblind)


@pytest.mark.parametrize("row", range(7))
def test_a_single_input_is_proven_itself(row: int) -> None:
    """One input has no sum: its row is the proven one; lies about fillers change nothing."""
    own = blinded(PARTIES, INPUTS[:1])
    request, answers = answers_with(lambda _, d: shifted(d, {row: EXTRA}), own)
    assert (finished(PARTIES, own, request, answers, INPUTS[:1]) == EXPECTED[:1]).all()
    request, answers = answers_with(lambda _, d: shifted(d, {7: EXTRA}), own)
    with pytest.raises(WrongEvaluationError, match="another quorum") as caught:
        finished(PARTIES, own, request, answers, INPUTS[:1])
    assert caught.value.holders == (LIAR,)


def test_another_key_for_one_lender_only() -> None:
    """A holder with a second, well-formed key for one lender cannot prove it."""
    other = holders(3, 5, seed=8)
    own = blinded(PARTIES, INPUTS)
    for every in (False, True):
        request = own.request(QUORUM, every)
        foreign = evaluation.Request(other.keys.name, request.quorum, request.points, every)
        answers = PARTIES.answers(request) | {LIAR: other.answers(foreign)[LIAR]}
        with pytest.raises(WrongEvaluationError) as caught:
            finished(PARTIES, own, request, answers, INPUTS)
        assert caught.value.holders == (LIAR,)


def test_all_holders_together_with_another_key() -> None:
    """Even the whole quorum, with another key of its own, does not fit the committed shares."""
    other = holders(3, 5, seed=8)
    own = blinded(PARTIES, INPUTS)
    request = own.request(QUORUM)
    foreign = evaluation.Request(other.keys.name, request.quorum, request.points)
    with pytest.raises(WrongEvaluationError) as caught:
        finished(PARTIES, own, request, other.answers(foreign), INPUTS)
    assert caught.value.holders == QUORUM


def test_replayed_answers() -> None:
    """Answers to an earlier request with the same inputs do not fit the new blinds."""
    earlier, own = blinded(PARTIES, INPUTS), blinded(PARTIES, INPUTS, seed=6)
    old = PARTIES.answers(earlier.request(QUORUM))
    request = own.request(QUORUM)
    answers = PARTIES.answers(request) | {LIAR: old[LIAR]}
    with pytest.raises(WrongEvaluationError):
        finished(PARTIES, own, request, answers, INPUTS)


def test_answers_of_another_quorum() -> None:
    """An answer weighted for another quorum is a wrong one."""
    own = blinded(PARTIES, INPUTS)
    request = own.request(QUORUM)
    other = PARTIES.answers(own.request((1, 2, 3)))
    with pytest.raises(WrongEvaluationError) as caught:
        finished(PARTIES, own, request, PARTIES.answers(request) | {LIAR: other[LIAR]}, INPUTS)
    assert caught.value.holders == (LIAR,)


def test_colluding_holders_whose_sum_is_the_identity() -> None:
    """Valid answers that add up to the identity are refused too; nobody is named yet."""
    own = blinded(PARTIES, INPUTS)
    request = own.request(QUORUM)
    honest = PARTIES.answers(request)
    others = GROUP.add(honest[1].points[:1], honest[4].points[:1])
    lie: Lie = lambda _, d: put(d, 0, negated(others))  # noqa: E731
    answers = honest | {LIAR: lying(PARTIES, LIAR, request, lie)}
    with pytest.raises(WrongEvaluationError, match="every=True") as caught:
        finished(PARTIES, own, request, answers, INPUTS)
    assert caught.value.holders == ()


def test_honest_holders() -> None:
    """Control: the same inputs and holders without a lie give the outputs of the one key."""
    own = blinded(PARTIES, INPUTS)
    request = own.request(QUORUM)
    outputs = finished(PARTIES, own, request, PARTIES.answers(request), INPUTS)
    assert (outputs == EXPECTED).all()


def test_a_liar_that_tells_the_truth_when_asked_for_proof() -> None:
    """The outputs come from the proven answers, and its two answers to the same points differ."""
    own = blinded(PARTIES, INPUTS)
    request, answers = answers_with(LIES["one item"], own)
    with pytest.raises(WrongEvaluationError):
        finished(PARTIES, own, request, answers, INPUTS)
    again = own.request(QUORUM, every=True)
    proven = PARTIES.answers(again)
    assert (finished(PARTIES, own, again, proven, INPUTS) == EXPECTED).all()
    differ = [j for j in QUORUM if (answers[j].points != proven[j].points).any()]
    assert differ == [LIAR]


def test_a_malformed_proof() -> None:
    """A proof of another length names its sender."""
    own = blinded(PARTIES, INPUTS)
    request = own.request(QUORUM)
    answers = PARTIES.answers(request)
    answers[LIAR] = Evaluation(answers[LIAR].points, b"")
    with pytest.raises(WrongEvaluationError) as caught:
        finished(PARTIES, own, request, answers, INPUTS)
    assert caught.value.holders == (LIAR,)
