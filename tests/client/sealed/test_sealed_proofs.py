"""A lender in secure sums goes on only with the proof of who survived the round before."""

from __future__ import annotations

from client.outbox_table import read_outbox
from shared.secure_sum.statements import Answer, MaskedInput, Survivors, signed
from shared.secure_sum.suite import STANDARD
from shared.wire.messages import Behind
from tests.client.sealed.sealed_replies import reason_of, total_of
from tests.client.sealed_consortium import COORDINATOR, SealedConsortium, unproven


def test_a_proof_that_never_comes_is_refused_with_evidence(consortium: SealedConsortium) -> None:
    """An honest coordinator shows it when asked; who does not is told so a few times, then refused
    by signature. With the proof the lender goes on.
    """
    consortium.make_set_up()
    consortium.stage()
    ask = consortium.ask(consortium.opened(), ())
    replies = [consortium.asked("L01", ask) for _ in range(4)]
    assert all(unproven(reply) for reply in replies[:3])
    assert reason_of(replies[3]) == "agreed"
    assert isinstance(consortium.asked("L01", consortium.ask(ask.opened)), MaskedInput)


def test_the_next_stage_waits_for_proof_of_the_last(consortium: SealedConsortium) -> None:
    """Also the one that hands out the last total; with proof it goes on."""
    consortium.make_set_up()
    while not consortium.run.finished:
        opened = consortium.opened() if consortium.run.question().length else None
        if consortium.released:
            reply = consortium.asked("L01", consortium.ask(opened, ()))
            last = read_outbox(consortium.folders["L01"]).entries[-1].record
            assert unproven(reply).hex() == last.round
            assert isinstance(reply, Behind)
            assert reply.have == len(consortium.released)
            assert not (consortium.folders["L01"] / "own" / "result.json").exists()
        if opened is not None:
            consortium.slot -= 1
        consortium.stage()
    assert (consortium.folders["L01"] / "own" / "result.json").exists()


def test_proof_of_other_survivors_is_none(consortium: SealedConsortium) -> None:
    """A lender told four survivors gets nothing from signatures over three."""
    consortium.make_set_up()
    closed = consortium.collected()
    assert isinstance(consortium.asked("L01", closed.survivors), Answer)
    other = signed(
        STANDARD, COORDINATOR.private,
        Survivors(closed.survivors.round, ("L02", "L03", "L04")),
    )  # fmt: skip
    answers = [consortium.asked(code, other) for code in other.alive]
    agreed = tuple((a.member, a.signature) for a in answers if isinstance(a, Answer))
    assert len(agreed) == 3
    consortium.release(total_of(consortium))
    assert unproven(consortium.asked("L01", consortium.ask(consortium.opened(), agreed)))
    told = consortium.asked("L02", consortium.ask(consortium.opened(), agreed))
    assert isinstance(told, MaskedInput)  # positive control: those three agree


def test_an_absent_lender_is_caught_up(consortium: SealedConsortium) -> None:
    """Away for a stage of gradients: the sum is the others', and it is back in the next."""
    consortium.make_set_up()
    while consortium.run.question().kind != "gradients":
        consortium.stage()
    closed = consortium.collected(absent=["L04"])
    assert closed.survivors.alive == ("L01", "L02", "L03")
    with_three = consortium.total(closed)
    assert with_three.any()
    reply = consortium.asked("L04", consortium.ask(consortium.opened()))
    consortium.slot -= 1
    # It answered the stage before the others' last one, and wants that one's proof.
    assert len(unproven(reply)) == 32
