"""A malicious coordinator opens rounds: lenders mask what is due, once, or refuse and sign why.

Each defence has its control: with that one check off, the same attack gets what it is after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from shared.errors import InternalError, OperatorError
from shared.secure_sum import lender_checks, masks
from shared.secure_sum.floors import Floors, RefusedError
from shared.secure_sum.history import History
from shared.secure_sum.lender_side import LenderSide
from shared.secure_sum.masks import self_key
from shared.secure_sum.statements import Payload, RoundOpen, name_of, signed
from tests.shared.secure_sum.federation import Federation, MemoryStore, identity, payload
from tests.shared.secure_sum.malicious import Attacked, assert_refused, nothing

VICTIM = "L02"
Patch = pytest.MonkeyPatch


@pytest.fixture
def attacked() -> Attacked:
    """Five lenders."""
    return Attacked(5)


# What a round may ask


def other(asked: Payload, **changed: object) -> Payload:
    return replace(asked, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"run": bytes(32)}, {"stage": "stage/7"}, {"kind": "weights"}, {"kind": "anything"},
        {"length": 21}, {"fraction_bits": 0}, {"clip": 0.5}, {"minimum_cell": 0},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_a_round_for_anything_but_what_is_due_is_refused(
    attacked: Attacked, changed: dict[str, object], monkeypatch: Patch
) -> None:
    """The lender's own copy of the run says what is due; control: unchecked, it would mask."""
    due = payload(0, 20)
    opened = attacked.open(0, other(due, **changed))
    vector = attacked.vectors

    def ask(side: LenderSide) -> object:
        return side.mask(opened, due, vector["L01"], purpose="a test")

    assert_refused(attacked.federation, ask, opened, "payload")
    monkeypatch.setattr(lender_checks, "round_open", nothing)
    monkeypatch.setattr(Floors, "check_payload", nothing)
    if "length" in changed:  # then our own side notices that its vector has another length
        with pytest.raises(InternalError, match="another length"):
            ask(attacked.federation.sides["L01"])
    else:
        ask(attacked.federation.sides["L01"])


def round_of(attacked: Attacked, signer: bytes | None = None, **changed: object) -> RoundOpen:
    opened = replace(attacked.open(), signature=b"", **changed)  # type: ignore[arg-type]
    return signed(attacked.suite, signer or attacked.federation.coordinator.private, opened)


def refuses_round(attacked: Attacked, opened: RoundOpen, reason: str) -> None:
    vectors = attacked.vectors

    def ask(side: LenderSide) -> object:
        return side.mask(opened, opened.payload, vectors["L01"], purpose="a test")

    assert_refused(attacked.federation, ask, opened, reason)


def test_a_round_with_no_or_another_signature_is_refused(attacked: Attacked) -> None:
    """Unsigned, signed by a lender, or changed after it was signed."""
    proper = attacked.open()
    for opened in (
        replace(proper, signature=b""),
        round_of(attacked, identity("L01").private),
        replace(proper, slot=1),
        replace(proper, payload=payload(1, 20)),
    ):
        refuses_round(attacked, opened, "signature")


@pytest.mark.parametrize("slot", [-1, 3, 10**6])
def test_a_slot_that_the_set_up_does_not_have_is_refused(attacked: Attacked, slot: int) -> None:
    """Below the first and beyond the last."""
    refuses_round(attacked, round_of(attacked, slot=slot), "slot")


def test_a_round_of_another_set_up_is_refused(attacked: Attacked) -> None:
    """Of one that never was, and of one that was replaced."""
    refuses_round(attacked, round_of(attacked, set_up=bytes(32)), "delivery")
    old = attacked.open()
    attacked.federation.set_up()
    refuses_round(attacked, old, "delivery")


def test_a_round_before_the_shares_are_there_is_refused() -> None:
    """A lender that holds no shares could not help to open it."""
    federation = Federation(3)
    under_way = federation.under_way()
    for code in federation.codes:
        under_way.take_keys(federation.sides[code].keys(under_way.opened))
    roll = under_way.close_keys()
    for code in federation.codes:
        under_way.take_shares(federation.sides[code].shares(roll))
    opened = RoundOpen(name_of(federation.suite, roll), 0, payload(0, 4), 8)
    opened = signed(federation.suite, federation.coordinator.private, opened)

    def ask(side: LenderSide) -> object:
        return side.mask(opened, opened.payload, np.arange(4), purpose="a test")

    assert_refused(federation, ask, opened, "round")


@pytest.mark.parametrize("bits", [-1, 0, 1, 30, 32, 64])
def test_bits_that_could_overflow_the_sum_are_refused(attacked: Attacked, bits: int) -> None:
    """Five lenders may use 29 bits each: 5 · 2**29 ≤ 2**32."""
    assert attacked.open().bits == 29
    refuses_round(attacked, round_of(attacked, bits=bits), "bits")


def test_without_the_check_of_bits_a_sum_comes_out_wrong(
    attacked: Attacked, monkeypatch: Patch
) -> None:
    """Control: five times 2**30 is more than 2**32."""
    monkeypatch.setattr(lender_checks, "lender_bits", lambda lenders: 32)
    attacked.vectors = dict.fromkeys(attacked.codes, np.full(20, 2**30))
    opened, federation = round_of(attacked, bits=32), attacked.federation
    closed = federation.collected(attacked.set_up, opened, attacked.vectors)
    total = federation.opened(attacked.set_up, closed).total()
    assert total[0] == 2**30 != 5 * 2**30


def test_own_numbers_beyond_the_bits_never_leave(attacked: Attacked) -> None:
    """2**28 needs 30 bits with its sign; the error is the operator's and holds no number."""
    side, opened = attacked.federation.sides["L01"], attacked.open()
    journal = attacked.federation.journals["L01"]
    left = list(journal.records)
    with pytest.raises(OperatorError, match="nothing was sent") as raised:
        side.mask(opened, opened.payload, np.full(20, 2**28), purpose="a test")
    assert str(2**28) not in str(raised.value)
    assert journal.records == left


# Floors


FLOORS = {
    "kind": ({"kinds": frozenset({"counts"})}, {"kind": "gradients"}),
    "clip": ({"maximum_clip": 4.0}, {"kind": "weights", "clip": 4.5}),
    "cell": ({"minimum_cell": 5}, {"kind": "counts", "minimum_cell": 4}),
    "cohort": ({"minimum_cohort": 6}, {}),
}


@pytest.mark.parametrize("reason", FLOORS)
def test_a_round_below_the_lenders_own_floors_is_refused(reason: str, attacked: Attacked) -> None:
    """Even when its own copy of the run asks for it; control: with usual floors it would mask."""
    floors, changed = FLOORS[reason]
    stricter = replace(Floors.of("demo"), **floors)  # type: ignore[arg-type]
    federation = attacked.federation
    usual, federation.floors = federation.floors, stricter
    federation.sides = {code: federation.side(code) for code in federation.codes}
    opened = attacked.open(0, other(payload(0, 20), **changed))
    refuses_round(attacked, opened, reason)
    federation.floors = usual
    federation.sides = {code: federation.side(code) for code in federation.codes}
    attacked.mask(opened)


# One RoundOpen a slot, one masking an update


def test_two_model_hashes_in_one_slot_get_one_masked_input(attacked: Attacked) -> None:
    """The second RoundOpen is refused, whether the lender's own copy of the run follows or not."""
    attacked.mask(attacked.open(0, payload(0, 20)))
    second = attacked.open(0, payload(1, 20))
    refuses_round(attacked, second, "slot")

    def still(side: LenderSide) -> object:
        return side.mask(second, payload(0, 20), attacked.vectors["L01"], purpose="a test")

    assert_refused(attacked.federation, still, second, "payload")


def test_lenders_shown_different_model_hashes_share_no_mask(attacked: Attacked) -> None:
    """The sum of their masked inputs is noise, and neither round can be closed over both."""
    shown = {code: attacked.open(0, payload(number // 3, 20)) for number, code in
             enumerate(attacked.codes)}  # fmt: skip
    names = {code: attacked.mask(opened, [code]) for code, opened in shown.items()}
    assert len(set(names.values())) == 2
    for code in attacked.codes:
        for name in set(names.values()) - {names[code]}:
            told = attacked.survivors(name, attacked.codes)
            assert_refused(
                attacked.federation, lambda side, told=told: side.answer(told), told, "round",
                [code],
            )  # fmt: skip
    for code, name in names.items():  # every self-mask opens, and still nothing cancels
        attacked.tell(name, {code: attacked.codes})
    left = sum_without_self_masks(attacked, names)
    assert np.abs(left).max() > 2**24 > np.abs(sum(attacked.vectors.values())).max()


def test_without_the_salt_lenders_shown_different_hashes_would_cancel(
    attacked: Attacked, monkeypatch: Patch
) -> None:
    """Control: pair keys that do not depend on the RoundOpen."""
    derived = masks.pair_keys
    monkeypatch.setattr(
        masks, "pair_keys", lambda suite, mask, place, others, name: derived(
            suite, mask, place, others, bytes(32))
    )  # fmt: skip
    names = {}
    for number, code in enumerate(attacked.codes):
        names[code] = attacked.mask(attacked.open(0, payload(number // 3, 20)), [code])
        attacked.tell(names[code], {code: attacked.codes})
    left = sum_without_self_masks(attacked, names)
    np.testing.assert_array_equal(left, sum(attacked.vectors.values()))


def sum_without_self_masks(attacked: Attacked, names: dict[str, bytes]) -> np.ndarray:
    total = np.zeros(20, np.uint32)
    for code, name in names.items():
        total += attacked.given[code].values
        attacked.suite.add_streams(total, [], [self_key(attacked.suite, attacked.seed(code), name)])
    return total.view(np.int32).astype(np.int64)


def test_a_replayed_round_is_refused_once_it_is_answered(attacked: Attacked) -> None:
    """Before that the same bytes come again, and another vector under the same masks never."""
    opened = attacked.open()
    name = attacked.mask(opened)
    first = dict(attacked.given)
    attacked.mask(opened)
    for code in attacked.codes:
        np.testing.assert_array_equal(first[code].values, attacked.given[code].values)
        assert first[code].signature == attacked.given[code].signature
    with pytest.raises(InternalError, match="came out otherwise"):
        attacked.federation.sides["L01"].mask(
            opened, opened.payload, attacked.vectors["L02"], purpose="a test"
        )
    attacked.tell(name, dict.fromkeys(attacked.codes, attacked.codes))
    refuses_round(attacked, opened, "slot")
    refuses_round(attacked, attacked.open(0, payload(1, 20)), "slot")


def test_without_slots_that_serve_once_the_vector_is_read(
    attacked: Attacked, monkeypatch: Patch
) -> None:
    """Control: a slot opened again; the victim is dead in one of its rounds, alive in the other."""
    monkeypatch.setattr(MemoryStore, "wipe", nothing)
    first = attacked.open()
    name = attacked.mask(first)
    attacked.tell(name, dict.fromkeys(attacked.all_but(VICTIM), attacked.all_but(VICTIM)))
    for code in attacked.codes:
        attacked.federation.journals[code].history = History()
    attacked.federation.sides = {c: attacked.federation.side(c) for c in attacked.codes}
    given = dict(attacked.given)
    again = attacked.mask(attacked.open(0, payload(1, 20)))
    attacked.tell(again, dict.fromkeys(attacked.all_but("L05"), attacked.all_but("L05")))
    attacked.given = given
    np.testing.assert_array_equal(attacked.read(first, VICTIM), attacked.vectors[VICTIM])
    assert name != again


def later_rounds(attacked: Attacked) -> dict[str, Callable[[], None]]:
    def restart() -> None:
        attacked.federation.sides = {c: attacked.federation.side(c) for c in attacked.codes}

    def set_up() -> None:
        attacked.set_up = attacked.federation.set_up()

    def both() -> None:
        set_up()
        restart()

    return {"next slot": lambda: None, "restart": restart, "new set-up": set_up, "both": both}


@pytest.mark.parametrize("after", ["next slot", "restart", "new set-up", "both"])
def test_the_same_update_is_never_masked_twice(attacked: Attacked, after: str) -> None:
    """In the next slot, after a restart, under new keys: an update has one round."""
    name = attacked.mask(attacked.open())
    attacked.tell(name, dict.fromkeys(attacked.codes, attacked.codes))
    later_rounds(attacked)[after]()
    refuses_round(attacked, attacked.open(1, payload(0, 20)), "again")


def test_without_that_the_difference_of_two_sums_is_one_lenders_update(
    attacked: Attacked, monkeypatch: Patch
) -> None:
    """Control: all, then all but the victim, of the very same updates."""
    federation, totals = attacked.federation, []
    for slot, codes in enumerate([tuple(attacked.codes), attacked.all_but(VICTIM)]):
        opened = attacked.open(slot, payload(0, 20))
        vectors = {code: attacked.vectors[code] for code in codes}
        closed = federation.collected(attacked.set_up, opened, vectors)
        totals.append(federation.opened(attacked.set_up, closed).total())
        for journal in federation.journals.values():
            journal.history.updates.clear()
    np.testing.assert_array_equal(totals[0] - totals[1], attacked.vectors[VICTIM])


def test_a_stage_is_masked_once_whatever_totals_are_said_to_come_before() -> None:
    """The same stage under another run digest: the rows and, with a small lie, the question are the
    same, so the difference of two such sums would be one lender's numbers.
    """
    attacked = Attacked(5)
    name = attacked.mask(attacked.open(0, payload(0, 20)))
    attacked.tell(name, dict.fromkeys(attacked.codes, attacked.codes))
    forked = replace(payload(0, 20), run=bytes(32))
    second = attacked.open(1, forked)
    proofs = [
        (c, attacked.federation.sides[c].answer(attacked.survivors(name, attacked.codes)).signature)
        for c in attacked.codes
    ]

    def ask(side: LenderSide) -> object:
        return side.mask(second, forked, attacked.vectors["L01"], purpose="a test", agreed=proofs)

    assert_refused(attacked.federation, ask, second, "again")


def test_without_that_the_difference_of_two_branches_is_one_lenders_numbers() -> None:
    """Control: lenders that remember digests only."""
    attacked = Attacked(5)
    federation, totals = attacked.federation, []
    for slot, codes in enumerate([tuple(attacked.codes), attacked.all_but("L05")]):
        for journal in federation.journals.values():
            journal.history.updates.clear()
        opened = attacked.open(slot, replace(payload(0, 20), run=bytes([slot]) * 32))
        own = {code: attacked.vectors[code] for code in codes}
        closed = federation.collected(attacked.set_up, opened, own)
        totals.append(federation.opened(attacked.set_up, closed).total())
    np.testing.assert_array_equal(totals[0] - totals[1], attacked.vectors["L05"])


def test_numbers_that_could_not_be_given_use_the_stage_up() -> None:
    """Whether they can be given tells something, so it can be asked once; and the same again."""
    attacked = Attacked(5)
    side, opened = attacked.federation.sides["L01"], attacked.open(0, payload(0, 20))
    side.failed(opened)
    other = attacked.open(1, replace(payload(0, 20), run=bytes(32)))
    with pytest.raises(RefusedError, match="masked before"):
        side.check_due(other, other.payload, ())
    side.mask(opened, opened.payload, attacked.vectors["L01"], purpose="a test")


def test_with_a_list_of_members_no_small_roll_can_be_carved_out() -> None:
    """A third of all members may collude, on whichever roll: too many are not left out."""
    floors = Floors.of("production")
    with pytest.raises(RefusedError, match="8 of the 12 listed"):
        floors.check_roll(5, 4, listed=12)
    floors.check_roll(5, 4)  # control: without the list four of five may be the colluders
    with pytest.raises(RefusedError, match="expected 7 to 8"):
        floors.check_roll(8, 6, listed=12)
    floors.check_roll(8, 7, listed=12)
    floors.check_roll(12, 9, listed=12)
