"""What lenders send to the coordinator is taken when it fits; else a PeerError changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from shared.errors import InternalError, PeerError
from shared.secure_sum.coordinator_round import Collecting, Opening
from shared.secure_sum.coordinator_side import SetUpUnderWay
from shared.secure_sum.statements import (
    Answer,
    MaskedInput,
    MemberKeys,
    Ready,
    SealedShares,
    signed,
)
from tests.shared.secure_sum.federation import Federation, identity, payload, vectors_of


@pytest.fixture
def federation() -> Federation:
    """Four lenders and two slots."""
    return Federation(4, slots=2)


def all_keys(federation: Federation) -> tuple[SetUpUnderWay, dict[str, MemberKeys]]:
    under_way = federation.under_way()
    return under_way, {c: s.keys(under_way.opened) for c, s in federation.sides.items()}


def test_keys_that_do_not_fit_are_refused(federation: Federation) -> None:
    """Of another member, another set-up, other slots, unsigned, without a lender's certificate."""
    under_way, keys = all_keys(federation)
    own = keys["L01"]
    for bad in (
        replace(own, member="L02"), replace(own, opened=bytes(32)), replace(own, masks=()),
        replace(own, commitments=own.commitments[:1]), replace(own, signature=bytes(64)),
        replace(own, transport=bytes(32)), replace(own, certificate=b""),
        replace(own, certificate=federation.coordinator.member.certificate),
        replace(own, certificate=keys["L02"].certificate),
    ):  # fmt: skip
        with pytest.raises(PeerError):
            under_way.take_keys(bad)
    under_way.take_keys(own)
    under_way.take_keys(own)
    again = replace(own, transport=keys["L02"].transport, signature=b"")
    again = signed(federation.suite, identity("L01").private, again)
    with pytest.raises(PeerError, match="other keys than before"):
        under_way.take_keys(again)
    assert under_way.close_keys().members == ("L01",)
    with pytest.raises(PeerError, match="after the roll"):
        under_way.take_keys(keys["L02"])


def test_steps_out_of_order_are_our_own_mistake(federation: Federation) -> None:
    """Nothing is shared, delivered or ready before the roll is closed."""
    under_way, _ = all_keys(federation)
    steps: tuple[Callable[[], object], ...] = (
        lambda: under_way.delivery("L01"), under_way.finished,
        lambda: under_way.take_ready(Ready(b"", "L01")),
        lambda: under_way.take_shares(SealedShares(b"", "L01", (), b"")),
    )  # fmt: skip
    for step in steps:
        with pytest.raises(InternalError, match="has not been closed"):
            step()


def shared(federation: Federation) -> tuple[SetUpUnderWay, dict[str, SealedShares]]:
    under_way, keys = all_keys(federation)
    for own in keys.values():
        under_way.take_keys(own)
    roll = under_way.close_keys()
    return under_way, {code: side.shares(roll) for code, side in federation.sides.items()}


def test_shares_that_do_not_fit_are_refused(federation: Federation) -> None:
    """Of an outsider, another set-up, other members, another size, not accepted, or changed."""
    under_way, sealed = shared(federation)
    own = sealed["L01"]
    short = tuple((code, box[:-1]) for code, box in own.boxes)
    for bad in (
        replace(own, member="L99"), replace(own, set_up=bytes(32)), replace(own, boxes=short),
        replace(own, boxes=own.boxes[1:]), replace(own, boxes=own.boxes[::-1]),
        replace(own, signature=bytes(64)), replace(own, signature=sealed["L02"].signature),
    ):  # fmt: skip
        with pytest.raises(PeerError):
            under_way.take_shares(bad)
    under_way.take_shares(own)
    under_way.take_shares(own)
    other = tuple((code, box[::-1]) for code, box in own.boxes)
    with pytest.raises(PeerError, match="other shares than before"):
        under_way.take_shares(replace(own, boxes=other))
    assert under_way.shared == ("L01",)
    with pytest.raises(PeerError, match="no shares from L02, L03, L04"):
        under_way.delivery("L01")


def test_a_set_up_is_finished_when_a_threshold_is_ready(federation: Federation) -> None:
    """Words of others, about others or unsigned do not count."""
    under_way, sealed = shared(federation)
    for own in sealed.values():
        under_way.take_shares(own)
    words = {c: s.ready(under_way.delivery(c)) for c, s in federation.sides.items()}
    for bad in (
        replace(words["L01"], set_up=bytes(32)), replace(words["L01"], member="L99"),
        replace(words["L01"], member="L02"), replace(words["L01"], signature=b""),
    ):  # fmt: skip
        with pytest.raises(PeerError):
            under_way.take_ready(bad)
    for code in ("L01", "L03", "L01"):
        under_way.take_ready(words[code])
    with pytest.raises(PeerError, match="2 members are ready, 3 are needed"):
        under_way.finished()
    under_way.take_ready(words["L04"])
    set_up = under_way.finished()
    assert set_up.members == under_way.ready == ("L01", "L03", "L04")
    assert (set_up.slots, set_up.threshold, set_up.place("L04")) == (2, 3, 3)
    with pytest.raises(PeerError, match="not a member"):
        set_up.place("L99")


def test_masked_inputs_that_do_not_fit_are_refused(federation: Federation) -> None:
    """Another round, another member, another length or type, changed values: the sum stays."""
    set_up, vectors = federation.set_up(), vectors_of(federation.codes, 5)
    opened = federation.open(set_up, 0, payload(0, 5))
    collecting = Collecting(federation.suite, federation.coordinator, set_up, opened)
    own = federation.sides["L01"].mask(opened, opened.payload, vectors["L01"], purpose="a test")
    bad: tuple[MaskedInput, ...] = (
        replace(own, round=bytes(32)), replace(own, member="L99"), replace(own, member="L02"),
        replace(own, values=own.values[1:]), replace(own, values=own.values.astype(np.int64)),
        replace(own, values=own.values + np.uint32(1)), replace(own, signature=bytes(64)),
    )  # fmt: skip
    for one in bad:
        with pytest.raises(PeerError):
            collecting.take_masked(one)
    assert collecting.alive == ()
    collecting.take_masked(own)
    with pytest.raises(PeerError, match="1 lenders sent their masked input, 3 are needed"):
        collecting.close()


def opening(federation: Federation) -> tuple[Opening, dict[str, Answer]]:
    """Three of the four have masked; the answers are not taken yet."""
    set_up = federation.set_up()
    vectors = vectors_of(["L01", "L02", "L03"], 5)
    closed = federation.collected(set_up, federation.open(set_up, 0, payload(0, 5)), vectors)
    answers = {c: federation.sides[c].answer(closed.survivors) for c in vectors}
    return Opening(federation.suite, set_up, closed), answers


def test_answers_that_do_not_fit_are_refused(federation: Federation) -> None:
    """Another round, a member that is not alive, another number or size of shares, unsigned."""
    taken, answers = opening(federation)
    own = answers["L01"]
    for bad in (
        replace(own, round=bytes(32)), replace(own, member="L04"), replace(own, member="L02"),
        replace(own, shares=own.shares[1:]), replace(own, shares=(b"", *own.shares[1:])),
        replace(own, signature=bytes(64)),
    ):  # fmt: skip
        with pytest.raises(PeerError):
            taken.take_answer(bad)
    assert taken.answered == ()
    for answer in answers.values():
        assert not taken.enough
        taken.take_answer(answer)
    assert taken.enough
    taken.take_answer(replace(own, shares=(bytes(33),) * 4))  # the first one counts
    assert taken.total().shape == (5,)
    assert taken.agreed == tuple((code, answers[code].signature) for code in ("L01", "L02", "L03"))


@pytest.mark.parametrize("wrong", [bytes(33), b"\xff" * 33, (2**256).to_bytes(33, "big")])
@pytest.mark.parametrize("place", [0, 3])
def test_without_a_spare_answer_a_wrong_share_is_an_error_that_names_its_owner(
    federation: Federation, wrong: bytes, place: int
) -> None:
    """A seed's or a mask key's; the secret never gets into a sum."""
    taken, answers = opening(federation)
    shares = list(answers["L02"].shares)
    shares[place] = wrong
    answers["L02"] = replace(answers["L02"], shares=tuple(shares))
    for answer in answers.values():
        taken.take_answer(answer)
    with pytest.raises(PeerError, match=f"the shares of L0{place + 1} do not open"):
        taken.total()


@pytest.mark.parametrize("liars", [["L01"], ["L03"], ["L05"], ["L01", "L02"], ["L01", "L05"]])
def test_one_wrong_answer_of_more_than_enough_is_taken_out(liars: list[str]) -> None:
    """Two are an error, unless the second one was not needed."""
    federation = Federation(6, slots=1)
    set_up, vectors = federation.set_up(), vectors_of(federation.codes[:6], 5)
    closed = federation.collected(set_up, federation.open(set_up, 0, payload(0, 5)), vectors)
    taken = Opening(federation.suite, set_up, closed)
    for code in federation.codes:
        answer = federation.sides[code].answer(closed.survivors)
        if code in liars:
            answer = replace(answer, shares=(answer.shares[1], *answer.shares[1:]))
        taken.take_answer(answer)
    assert set_up.threshold == 5
    if len(liars) == 1:
        np.testing.assert_array_equal(taken.total(), sum(vectors.values()))
    else:
        with pytest.raises(PeerError, match="L01"):
            taken.total()


def test_a_lender_that_shared_its_secrets_wrongly_is_named(federation: Federation) -> None:
    """Whoever answers: what it shared is not what it committed to."""
    side = federation.sides["L02"]
    under_way = federation.under_way()
    keys = {code: one.keys(under_way.opened) for code, one in federation.sides.items()}
    false = tuple(bytes(32) for _ in keys["L02"].commitments)
    bad = replace(keys["L02"], commitments=false, signature=b"")
    keys["L02"] = signed(federation.suite, identity("L02").private, bad)
    set_up = side._set_up()
    assert set_up is not None
    side._keep(replace(set_up, own=keys["L02"]), [side._secrets(slot) for slot in range(2)])
    for own in keys.values():
        under_way.take_keys(own)
    roll = under_way.close_keys()
    for one in federation.sides.values():
        under_way.take_shares(one.shares(roll))
    for code, one in federation.sides.items():
        under_way.take_ready(one.ready(under_way.delivery(code)))
    finished = under_way.finished()
    vectors = vectors_of(federation.codes, 5)
    closed = federation.collected(finished, federation.open(finished, 0, payload(0, 5)), vectors)
    with pytest.raises(PeerError, match="the shares of L02 do not open what was committed to"):
        federation.opened(finished, closed).total()
