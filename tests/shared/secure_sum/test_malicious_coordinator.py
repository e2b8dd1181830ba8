"""A malicious coordinator closes rounds: every lender stops before a share is out, and signs why.

Each defence has its control: with that one check off, the same attack gets what it is after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from shared.errors import PeerError
from shared.secure_sum import lender_checks
from shared.secure_sum.floors import Floors
from shared.secure_sum.history import History
from shared.secure_sum.lender_side import LenderSide, UnprovenError
from shared.secure_sum.masks import pair_keys, self_key
from shared.secure_sum.statements import RoundOpen, Survivors, name_of, signed
from tests.shared.secure_sum.federation import MemoryJournal, MemoryStore, identity
from tests.shared.secure_sum.malicious import Attacked, assert_refused, nothing

VICTIM = "L02"
Patch = pytest.MonkeyPatch


@pytest.fixture
def attacked() -> Attacked:
    return Attacked(5)


def masked(attacked: Attacked) -> tuple[RoundOpen, bytes]:
    opened = attacked.open()
    return opened, attacked.mask(opened)


# Overlapping sets of alive and dead


def told_twice(attacked: Attacked) -> tuple[RoundOpen, bytes]:
    """The victim is dead at first: everybody else gives a share of its mask key."""
    opened, name = masked(attacked)
    without = attacked.all_but(VICTIM)
    attacked.tell(name, dict.fromkeys(without, without))
    return opened, name


def test_a_lender_dead_in_one_question_and_alive_in_the_next_is_answered_once(
    attacked: Attacked,
) -> None:
    """The alive and the dead overlap over two questions: the second one is refused by all."""
    _, name = told_twice(attacked)
    second = attacked.survivors(name, attacked.codes)
    others = attacked.all_but(VICTIM)
    assert_refused(
        attacked.federation, lambda side: side.answer(second), second, "answered", others
    )
    with pytest.raises(PeerError, match="too few"):
        attacked.seed(VICTIM)


def test_without_the_one_answer_both_secrets_open_and_the_vector_is_read(
    attacked: Attacked, monkeypatch: Patch
) -> None:
    """Control: a journal that forgets answers, a vault that does not wipe."""

    def forgetful(self: History, record: object) -> None:
        if record.kind != "answer":  # type: ignore[attr-defined]
            taken(self, record)  # type: ignore[arg-type]

    taken = History.take
    monkeypatch.setattr(History, "take", forgetful)
    monkeypatch.setattr(MemoryStore, "wipe", nothing)
    opened, name = told_twice(attacked)
    attacked.tell(name, dict.fromkeys(attacked.all_but(VICTIM), attacked.codes))
    np.testing.assert_array_equal(attacked.read(opened, VICTIM), attacked.vectors[VICTIM])


def alone(attacked: Attacked) -> dict[str, tuple[str, ...]]:
    """Everybody is told that only the victim and itself are alive."""
    return {code: tuple(sorted({VICTIM, code})) for code in attacked.codes}


def doubled(attacked: Attacked) -> dict[str, tuple[str, ...]]:
    """The same, with codes written twice so that there seem to be enough."""
    return {code: tuple(sorted([VICTIM, VICTIM, code, code])) for code in attacked.codes}


SURVIVORS: dict[str, tuple[str, Callable[[Attacked, str], tuple[str, ...]]]] = {
    "an outsider among them": ("survivors", lambda a, c: (*a.codes, "L99")),
    "an outsider in a lender's place": ("survivors", lambda a, c: (*a.all_but("L05"), "L99")[:5]),
    "not the lender that is asked": ("survivors", lambda a, c: a.all_but(c)),
    "a code twice": ("survivors", lambda a, c: doubled(a)[c]),
    "out of order": ("survivors", lambda a, c: tuple(reversed(a.codes))),
    "fewer than the threshold": ("cohort", lambda a, c: tuple(sorted({c, "L01", "L03"}))),
    "one other": ("cohort", lambda a, c: alone(a)[c]),
    "itself alone": ("cohort", lambda a, c: (c,)),
    "nobody": ("survivors", lambda a, c: ()),
}


@pytest.mark.parametrize("case", SURVIVORS)
def test_survivors_that_no_round_can_have_are_refused(attacked: Attacked, case: str) -> None:
    """Whatever is wrong with the set, no share of it leaves; the true survivors are answered."""
    _, name = masked(attacked)
    reason, alive = SURVIVORS[case]
    for code in attacked.codes:
        told = attacked.survivors(name, alive(attacked, code))
        assert_refused(
            attacked.federation, lambda side, told=told: side.answer(told), told, reason, [code]
        )
    attacked.tell(name, dict.fromkeys(attacked.codes, attacked.codes))


@pytest.mark.parametrize("stories", [alone, doubled])
def test_without_the_check_of_survivors_one_lender_is_opened_alone(
    attacked: Attacked, monkeypatch: Patch, stories: Callable[[Attacked], dict]
) -> None:
    """Control: every other lender's mask key opens, so the victim's masks are known."""
    if stories is alone:
        monkeypatch.setattr(Floors, "check_sum", nothing)
    else:
        monkeypatch.setattr(lender_checks, "in_order", lambda codes: True)
    opened, name = masked(attacked)
    attacked.tell(name, stories(attacked))
    total = attacked.given[VICTIM].values.copy()
    closed = {code: attacked.key(code) for code in attacked.all_but(VICTIM)}
    place, keys = attacked.set_up.place(VICTIM), attacked.set_up.roll.keys
    own = [(place, keys[place].masks[0])]
    for code, mask in closed.items():
        pairs = pair_keys(attacked.suite, mask, attacked.set_up.place(code), own, name)
        attacked.suite.add_streams(total, *pairs)
    attacked.suite.add_streams(total, [], [self_key(attacked.suite, attacked.seed(VICTIM), name)])
    np.testing.assert_array_equal(total.view(np.int32), attacked.vectors[VICTIM])
    assert opened.slot == 0


def test_survivors_with_no_or_another_signature_are_refused(attacked: Attacked) -> None:
    """Nobody but the coordinator can close a round, not even a lender."""
    _, name = masked(attacked)
    proper = attacked.survivors(name, attacked.codes)
    lenders_own = signed(attacked.suite, identity("L01").private, replace(proper, signature=b""))
    for told in (
        replace(proper, signature=b""),
        replace(proper, signature=bytes(64)),
        replace(proper, alive=attacked.all_but(VICTIM)),
        lenders_own,
    ):
        assert_refused(
            attacked.federation, lambda side, told=told: side.answer(told), told, "signature"
        )


def test_survivors_without_a_signature_are_answered_when_it_is_not_checked(
    attacked: Attacked, monkeypatch: Patch
) -> None:
    """Control: then anybody may open the sum, of whomever."""
    _, name = masked(attacked)
    monkeypatch.setattr(lender_checks, "signature", nothing)
    told = Survivors(name, attacked.all_but(VICTIM))
    for code in told.alive:
        attacked.keep(attacked.federation.sides[code].answer(told), told.alive)
    assert attacked.key(VICTIM)


def test_survivors_of_a_round_never_masked_are_refused(attacked: Attacked) -> None:
    """An unknown round, one that was only announced, and one of another federation's set-up."""
    announced = name_of(attacked.suite, attacked.open())
    for name in (bytes(32), announced, name_of(attacked.suite, Attacked(5).open(1))):
        told = attacked.survivors(name, attacked.codes)
        assert_refused(
            attacked.federation, lambda side, told=told: side.answer(told), told, "round"
        )


def test_survivors_of_a_replaced_set_up_are_refused(attacked: Attacked) -> None:
    """Its secrets are gone with it."""
    _, name = masked(attacked)
    attacked.federation.set_up()
    told = attacked.survivors(name, attacked.codes)
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "delivery")


# The proof that the round before was answered alike


def two_stories(attacked: Attacked, name: bytes) -> None:
    """Two lenders are told that the victim is dead, the others that all are alive."""
    without = attacked.all_but(VICTIM)
    attacked.tell(name, dict.fromkeys(("L04", "L05"), without))
    attacked.tell(name, dict.fromkeys(("L01", VICTIM, "L03"), tuple(attacked.codes)))


def test_lenders_that_were_told_different_stories_go_no_further(attacked: Attacked) -> None:
    """No set of survivors has a threshold of signatures, so the next round stops everywhere."""
    _, name = masked(attacked)
    two_stories(attacked, name)
    proofs = signatures(attacked, name)
    opened = attacked.open(1)
    for code in attacked.codes:
        with pytest.raises(UnprovenError) as raised:
            attacked.federation.sides[code].mask(
                opened, opened.payload, attacked.vectors[code], purpose="a test", agreed=proofs
            )
        assert raised.value.name == name
        assert attacked.federation.journals[code].records[-1].kind == "answer"


def signatures(attacked: Attacked, name: bytes) -> tuple[tuple[str, bytes], ...]:
    """Every signature the lenders gave with their answers to a round."""
    found = []
    for code in attacked.codes:
        given = attacked.federation.journals[code].history.answered[name.hex()]
        told = attacked.survivors(name, given.lenders)
        found.append((code, attacked.federation.sides[code].answer(told).signature))
    return tuple(found)


def test_signatures_of_others_do_not_stand_in_for_a_threshold(attacked: Attacked) -> None:
    """Repeated, forged, by outsiders and by lenders under another code: none of them counts."""
    _, name = masked(attacked)
    attacked.tell(name, dict.fromkeys(attacked.codes, tuple(attacked.codes)))
    good = signatures(attacked, name)
    opened = attacked.open(1)
    poor = [
        (), good[:3], good[:3] * 2, (*good[:3], ("L04", bytes(64))), (*good[:3], ("L04", b"")),
        (*good[:3], ("L99", good[3][1])), (*good[:3], ("L04", good[0][1])),
    ]  # fmt: skip
    side = attacked.federation.sides["L01"]
    for proofs in poor:
        with pytest.raises(UnprovenError):
            side.mask(
                opened, opened.payload, attacked.vectors["L01"], purpose="a test", agreed=proofs
            )
    side.mask(opened, opened.payload, attacked.vectors["L01"], purpose="a test", agreed=good[1:])


def skipped_round(attacked: Attacked) -> tuple[bytes, bytes]:
    """A round masked by all and never closed, then one with two stories."""
    skipped = attacked.mask(attacked.open(0))
    split = attacked.mask(attacked.open(1))
    two_stories(attacked, split)
    return skipped, split


def test_a_round_skipped_before_cannot_hide_the_one_with_two_stories(attacked: Attacked) -> None:
    """Answered last, it would be the only one to prove; so an earlier round is not opened."""
    skipped, _ = skipped_round(attacked)
    told = attacked.survivors(skipped, attacked.codes)
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "later")


def test_without_that_two_stories_stay_hidden(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: lenders that do not know which slot was masked last, and wipe none below it."""
    monkeypatch.setattr(LenderSide, "_wipe_below", nothing)
    skipped, _ = skipped_round(attacked)
    for journal in attacked.federation.journals.values():
        journal.history.slots = dict.fromkeys(journal.history.slots, 0)
    attacked.tell(skipped, dict.fromkeys(attacked.codes, attacked.codes))
    proofs = dict.fromkeys(attacked.codes, signatures(attacked, skipped))
    attacked.federation.agreed = proofs
    attacked.mask(attacked.open(2))


def test_an_old_answer_given_again_does_not_hide_the_one_with_two_stories(
    attacked: Attacked,
) -> None:
    """The bytes are the same, and so is what was answered last, before and after a restart."""
    first = attacked.mask(attacked.open(0))
    attacked.tell(first, dict.fromkeys(attacked.codes, attacked.codes))
    proofs = signatures(attacked, first)
    attacked.federation.agreed = dict.fromkeys(attacked.codes, proofs)
    split = attacked.mask(attacked.open(1))
    two_stories(attacked, split)
    assert signatures(attacked, first) == proofs
    opened, federation = attacked.open(2), attacked.federation
    for side in (federation.sides["L01"], federation.side("L01")):
        with pytest.raises(UnprovenError) as raised:
            side.mask(
                opened, opened.payload, attacked.vectors["L01"], purpose="a test", agreed=proofs
            )
        assert raised.value.name == split
    folded = MemoryJournal()
    for record in federation.journals["L01"].records:
        folded.append(record)
    assert folded.history == federation.journals["L01"].history


def test_an_answer_under_another_agreement_needs_no_proof_here() -> None:
    """Each run of its own terms proves its own rounds."""
    attacked = Attacked(4)
    name = attacked.mask(attacked.open(0))
    attacked.tell(name, dict.fromkeys(attacked.codes, attacked.codes))
    federation = attacked.federation
    side = federation.sides["L01"]
    with pytest.raises(UnprovenError):
        side.check_agreed(())
    side._terms = replace(side._terms, agreement=bytes(32))
    side.check_agreed(())
