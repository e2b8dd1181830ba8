"""A lender in secure sums answers only what it has checked, and signs what it refuses."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from client.outbox_table import read_outbox
from client.settings import read_settings
from client.vault import Vault
from shared.errors import PeerError
from shared.secure_sum.statements import Answer, MaskedInput, check_signature, signed
from shared.secure_sum.suite import STANDARD
from shared.wire.messages import Ask, Behind, Refused, Reply, ask_transcript
from tests.client.sealed.sealed_replies import reason_of
from tests.client.sealed_consortium import COORDINATOR, SealedConsortium, signed_ask


def answered_false_question(
    consortium: SealedConsortium, wrong: str, *, restarted: bool
) -> tuple[Ask, Reply]:
    """A question whose totals, stage or terms are wrong, signed all the same, and the reply."""
    if restarted:
        consortium.restart("L01")
    ask = consortium.ask(consortium.opened())
    bent = (ask.released[0] + 1, *ask.released[1:])
    changes: dict[str, dict[str, object]] = {
        "a false total": {"released": bent},
        "a total too many": {"released": (*ask.released, ask.released[0])},
        "another stage": {"stage": "bins"},
        "another agreement": {"run": "00" * 32},
    }
    ask = signed_ask(replace(ask, **changes[wrong]))  # type: ignore[arg-type]
    reply = consortium.asked("L01", ask)
    if isinstance(reply, Behind):  # its own memory may be wrong: it asks for all of them
        assert (reply.have, reply.unproven) == (0, b"")
        reply = consortium.asked("L01", ask)
    return ask, reply


@pytest.mark.parametrize("changed", ["signature", "stage", "digest", "certificate"])
def test_a_question_that_the_coordinator_did_not_sign_changes_nothing(
    consortium: SealedConsortium, changed: str
) -> None:
    """Not even the lender's copy of the run, whose totals anybody could make up; and it leaves no
    trace in the outbox that somebody could fill the disk with.
    """
    consortium.make_set_up()
    consortium.stage()
    other = consortium.lenders["L02"]
    bad = {
        "signature": {"signature": bytes(64)},
        "stage": {"stage": "close"},
        "digest": {"digest": "00" * 32},
        "certificate": {"coordinator": read_settings(consortium.folders["L02"]).identity},
    }[changed]
    if changed == "certificate":
        assert bad["coordinator"] is not None
        bad = {"coordinator": bad["coordinator"].member.certificate}
    ask = consortium.ask(consortium.opened())
    before = [e.record for e in read_outbox(consortium.folders["L01"]).entries]
    absorbed = consortium.lenders["L01"]._run.absorbed
    with pytest.raises(PeerError):
        consortium.asked("L01", replace(ask, **bad))
    assert consortium.lenders["L01"]._run.absorbed == absorbed
    assert [e.record for e in read_outbox(consortium.folders["L01"]).entries] == before
    assert isinstance(consortium.asked("L01", ask), MaskedInput)
    assert other.member == "L02"


def test_a_question_for_numbers_without_a_round_is_refused(consortium: SealedConsortium) -> None:
    """An agreement of secure sums has no plain answer, whoever asks how."""
    consortium.make_set_up()
    assert reason_of(consortium.asked("L01", consortium.ask(None))) == "bare"
    assert isinstance(consortium.asked("L01", consortium.ask(consortium.opened())), MaskedInput)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("a false total", "totals"),
        ("a total too many", "totals"),
        ("another stage", "stage"),
        ("another agreement", "agreement"),
    ],
)
def test_a_signed_question_that_is_wrong_is_refused_with_evidence(
    consortium: SealedConsortium, wrong: str, reason: str, restarted: bool
) -> None:
    """Signed by the lender over what the coordinator signed, and in the outbox with its stage; the
    right question is answered afterwards.
    """
    consortium.make_set_up()
    consortium.stage()
    ask, reply = answered_false_question(consortium, wrong, restarted=restarted)
    assert reason_of(reply) == reason
    assert isinstance(reply, Refused)
    assert reply.refusal is not None
    assert reply.refusal.asked == STANDARD.digest(ask_transcript(ask))
    settings = read_settings(consortium.folders["L01"])
    assert settings.identity is not None
    check_signature(STANDARD, settings.identity.member.public, reply.refusal)
    last = read_outbox(consortium.folders["L01"]).entries[-1].record
    assert (last.kind, last.stage, last.round) == ("refusal", ask.stage, "")
    consortium.slot -= 1
    consortium.stage()
    consortium.to_the_end()


def test_a_refusal_in_the_outbox_says_where_it_was_and_uses_no_stage_up(
    consortium: SealedConsortium,
) -> None:
    """Stage, kind, run, set-up and slot of what was refused; the stage can still be masked."""
    consortium.make_set_up()
    refused = consortium.opened(clip=1e9)
    assert reason_of(consortium.asked("L01", consortium.ask(refused))) == "payload"
    last = read_outbox(consortium.folders["L01"]).entries[-1].record
    assert (last.stage, last.payload, last.slot) == ("census", "counts", 0)
    assert (last.set_up, last.run) == (refused.set_up.hex(), refused.payload.run.hex())
    closed = consortium.collected()
    few = signed(STANDARD, COORDINATOR.private, replace(closed.survivors, alive=("L01",)))
    assert reason_of(consortium.asked("L01", few)) == "cohort"
    last = read_outbox(consortium.folders["L01"]).entries[-1].record
    assert (last.stage, last.slot) == ("census", 1)
    consortium.total(closed)


def test_a_reason_to_refuse_is_logged_once(
    consortium: SealedConsortium, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is asked; the outbox has each."""
    consortium.make_set_up()
    ask = consortium.ask(consortium.opened(clip=1e9))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert reason_of(consortium.asked("L01", ask)) == "payload"
        assert reason_of(consortium.asked("L01", consortium.ask(None))) == "bare"
    assert [record.getMessage().count("refused") for record in caplog.records] == [1, 1]
    kinds = [e.record.kind for e in read_outbox(consortium.folders["L01"]).entries]
    assert kinds.count("refusal") == 4


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stage": "bins"}, "payload"),
        ({"length": 3}, "payload"),
        ({"kind": "gradients"}, "payload"),
        ({"clip": 2.0}, "payload"),
        ({"run": bytes(32)}, "payload"),
        ({"minimum_cell": 2}, "payload"),
    ],
)
def test_a_round_for_something_else_is_refused_with_evidence(
    consortium: SealedConsortium,
    changes: dict[str, object],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Signed, recorded and logged; and the round that is due is answered afterwards."""
    consortium.make_set_up()
    opened = consortium.opened(**changes)
    vault = Vault(consortium.folders["L01"] / "own" / "vault")
    before = vault.state(), vault.slot(consortium.slot)
    with caplog.at_level(logging.ERROR):
        reply = consortium.asked("L01", consortium.ask(opened))
    assert isinstance(reply, Refused)
    assert (reply.code, reply.refusal is not None and reply.refusal.reason) == ("peer", reason)
    assert reply.refusal is not None
    settings = read_settings(consortium.folders["L01"])
    assert settings.identity is not None
    check_signature(STANDARD, settings.identity.member.public, reply.refusal)
    last = read_outbox(consortium.folders["L01"]).entries[-1].record
    assert last.kind == "refusal"
    assert "RoundOpen refused" in caplog.text
    assert (vault.state(), vault.slot(consortium.slot)) == before
    fine = consortium.asked("L01", consortium.ask(consortium.opened(consortium.slot)))
    assert isinstance(fine, MaskedInput)  # in the same slot


def test_refusals_of_all_statements_are_signed(consortium: SealedConsortium) -> None:
    """A set-up, a roll, a delivery and survivors that do not fit."""
    under_way = consortium.under_way()
    wrong = replace(under_way.opened, agreement=bytes(32))
    replies = [consortium.asked("L01", signed(STANDARD, COORDINATOR.private, wrong))]
    set_up = consortium.make_set_up()
    roll = replace(set_up.roll, threshold=2)
    replies.append(consortium.asked("L01", signed(STANDARD, COORDINATOR.private, roll)))
    closed = consortium.collected()
    survivors = replace(closed.survivors, alive=("L01",))
    replies.append(consortium.asked("L01", signed(STANDARD, COORDINATOR.private, survivors)))
    assert all(isinstance(reply, Refused) and reply.refusal for reply in replies)
    reasons = [reply.refusal.reason for reply in replies]  # type: ignore[union-attr]
    assert reasons == ["agreement", "roll", "cohort"]
    assert isinstance(consortium.asked("L01", closed.survivors), Answer)
