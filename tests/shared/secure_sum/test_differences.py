"""The difference rule: counts and losses of a run are over the same lenders, or not at all.

Two sums over different lenders can be subtracted from each other.
"""

from __future__ import annotations

import numpy as np
import pytest

from shared.secure_sum.floors import Floors
from shared.secure_sum.history import History
from shared.secure_sum.statements import Kind
from tests.shared.secure_sum.federation import payload
from tests.shared.secure_sum.malicious import Attacked, assert_refused


def answered(attacked: Attacked, slot: int, kind: Kind, alive: tuple[str, ...]) -> None:
    """A whole round in which these are alive, and the proof of it for the next."""
    name = attacked.mask(attacked.open(slot, payload(slot, 20, kind)), alive)
    told = attacked.survivors(name, alive)
    answers = [attacked.federation.sides[code].answer(told) for code in alive]
    proofs = tuple((answer.member, answer.signature) for answer in answers)
    attacked.federation.agreed |= dict.fromkeys(alive, proofs)


def asks_without_one(attacked: Attacked, slot: int, kind: Kind) -> object:
    """The survivors of the next round are all but the last lender."""
    name = attacked.mask(attacked.open(slot, payload(slot, 20, kind)), attacked.all_but("L07"))
    return attacked.survivors(name, attacked.all_but("L07"))


@pytest.mark.parametrize("first", ["counts", "losses"])
@pytest.mark.parametrize("second", ["counts", "losses"])
def test_counts_of_all_but_one_lender_are_refused_by_every_other(first: Kind, second: Kind) -> None:
    """Counts and losses are guarded together, and two leavers are refused as one is: pairs of
    lenders told different stories could make one out of two. The same lenders are opened.
    """
    attacked = Attacked(7)
    answered(attacked, 0, first, tuple(attacked.codes))
    told = asks_without_one(attacked, 1, second)
    others = attacked.all_but("L07")
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "difference", others)
    attacked.federation.sides = {c: attacked.federation.side(c) for c in attacked.codes}
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "difference", others)
    two = attacked.survivors(told.round, attacked.all_but("L06", "L07"))
    assert_refused(attacked.federation, lambda side: side.answer(two), two, "difference", two.alive)
    everybody = attacked.survivors(told.round, attacked.codes)
    for code in others:
        attacked.federation.sides[code].answer(everybody)


@pytest.mark.parametrize(
    ("first", "second"),
    [("gradients", "gradients"), ("weights", "weights"), ("counts", "gradients"),
     ("gradients", "counts")],
)  # fmt: skip
def test_gradients_and_weights_may_differ_by_one_lender(first: Kind, second: Kind) -> None:
    """Every such stage asks another function of the rows, and each is masked once."""
    attacked = Attacked(7)
    answered(attacked, 0, first, tuple(attacked.codes))
    told = asks_without_one(attacked, 1, second)
    for code in told.alive:
        attacked.federation.sides[code].answer(told)


def test_the_rule_holds_over_set_ups_and_over_rounds_between() -> None:
    """A journal does not forget: counts, gradients, new keys, counts of all but one."""
    attacked = Attacked(7)
    answered(attacked, 0, "counts", tuple(attacked.codes))
    answered(attacked, 1, "gradients", attacked.all_but("L01"))
    attacked.set_up = attacked.federation.set_up()
    told = asks_without_one(attacked, 2, "losses")
    others = attacked.all_but("L07")
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "difference", others)


def test_counts_of_more_or_of_other_lenders_than_before_are_refused() -> None:
    """One that comes in tells as much as one that leaves; it does not know the first sum, but all
    others do, so nothing opens.
    """
    attacked = Attacked(7)
    answered(attacked, 0, "counts", attacked.all_but("L07"))
    name = attacked.mask(attacked.open(1, payload(1, 20, "counts")))
    for alive in (tuple(attacked.codes), attacked.all_but("L06")):
        told = attacked.survivors(name, alive)
        knowing = [code for code in alive if code != "L07"]
        assert_refused(
            attacked.federation, lambda side, t=told: side.answer(t), told, "difference", knowing
        )
    attacked.federation.sides["L07"].answer(attacked.survivors(name, attacked.codes))


@pytest.mark.parametrize("second", ["counts", "gradients", "weights"])
def test_in_production_all_sums_are_over_the_same_lenders(second: Kind) -> None:
    """Gradients of rows with one score are counts in another form, and false totals can make any
    round such a one: so production guards them too.
    """
    attacked = Attacked(7, floors=Floors.of("production"))
    answered(attacked, 0, "gradients", tuple(attacked.codes))
    told = asks_without_one(attacked, 1, second)
    others = attacked.all_but("L07")
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "difference", others)


def test_without_the_rule_the_difference_is_one_lenders_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Control: two counts of the same rows, over all and over all but one."""
    monkeypatch.setattr(History, "survivors_of", lambda *_: [])
    attacked, totals = Attacked(7), []
    federation = attacked.federation
    for slot, codes in enumerate([tuple(attacked.codes), attacked.all_but("L07")]):
        opened = attacked.open(slot, payload(slot, 20, "counts"))
        own = {code: attacked.vectors[code] for code in codes}
        closed = federation.collected(attacked.set_up, opened, own)
        totals.append(federation.opened(attacked.set_up, closed).total())
    np.testing.assert_array_equal(totals[0] - totals[1], attacked.vectors["L07"])
