"""A lender in secure sums: totals are those of plain sums, and whatever leaves is recorded."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from client.lender import Lender
from client.outbox_table import read_outbox
from client.sealed import Sealed
from client.settings import read_settings
from shared.errors import PeerError
from shared.model.saved import digest_of
from shared.secure_sum.statements import MaskedInput, signed
from shared.secure_sum.suite import STANDARD
from shared.wire.messages import Question, Refused, Reply, pack_reply
from tests.client.sealed_consortium import COORDINATOR, TERMS, SealedConsortium, unproven


@pytest.mark.parametrize("restarts", [False, True], ids=["one process", "a new one each time"])
def test_totals_are_those_of_plain_sums(
    consortium: SealedConsortium, plain: SealedConsortium, restarts: bool
) -> None:
    """To the bit, in every stage; also when no lender's process lives from message to message."""
    consortium.restarts = restarts
    consortium.make_set_up()
    while not consortium.run.finished:
        number = len(consortium.released)
        assert consortium.stage().tobytes() == plain.released[number].tobytes()
    assert digest_of(consortium.run.model()) == digest_of(plain.run.model())
    for folder in consortium.folders.values():
        assert (folder / "own" / "result.json").exists()


def test_everything_that_left_is_in_the_outbox(consortium: SealedConsortium) -> None:
    """Three lines for a set-up, two for a round, none for the stage that sends nothing."""
    consortium.make_set_up()
    consortium.to_the_end()
    stages = len(consortium.released) - 1
    for folder in consortium.folders.values():
        records = [entry.record for entry in read_outbox(folder).entries]
        kinds = [record.kind for record in records]
        assert kinds == ["keys", "shares", "ready"] + ["masked", "answer"] * stages
        masked = [record for record in records if record.kind == "masked"]
        assert [r.size for r in masked] == [4 * len(total) for total in consortium.released[:-1]]
        assert all(record.purpose and record.agreement == TERMS.digest() for record in records)


def test_plain_sums_are_recorded_too(plain: SealedConsortium) -> None:
    """One line a stage, called what it is."""
    records = [entry.record for entry in read_outbox(plain.folders["L01"]).entries]
    assert {record.kind for record in records} == {"sum"}
    assert [record.size for record in records] == [4 * len(t) for t in plain.released[:-1]]


def test_asked_again_the_bytes_are_the_same_also_after_a_restart(
    consortium: SealedConsortium,
) -> None:
    """Masked numbers and answers; each time they leave has its line."""
    consortium.make_set_up()
    closed = consortium.collected()
    ask = consortium.ask(closed.opened)
    for question in (ask, closed.survivors):
        replies = [consortium.asked("L02", question) for _ in range(2)]
        consortium.restart("L02")
        replies.append(consortium.asked("L02", question))
        first, *rest = [pack_reply(reply) for reply in replies]
        assert all(str(again) == str(first) for again in rest)
        kinds = [e.record.kind for e in read_outbox(consortium.folders["L02"]).entries]
        assert kinds.count("masked" if question is ask else "answer") == 3 + (question is ask)


def test_numbers_are_worked_out_once_however_often_they_are_asked_for(
    consortium: SealedConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not at all for a round the lender refuses, or while it waits for a proof."""
    consortium.make_set_up()
    worked: list[str] = []
    real = Lender._answer

    def counted(self: Lender) -> object:
        worked.append(self.member)
        return real(self)

    monkeypatch.setattr(Lender, "_answer", counted)
    opened = consortium.opened(clip=1e9)
    assert isinstance(consortium.asked("L01", consortium.ask(opened)), Refused)
    assert worked == []
    closed = consortium.collected()
    for _ in range(3):
        assert isinstance(consortium.asked("L01", consortium.ask(closed.opened)), MaskedInput)
    assert worked == ["L01", "L02", "L03", "L04"]
    consortium.total(closed)
    consortium.opened()
    assert unproven(consortium.asked("L01", consortium.ask(consortium.opened(), ())))
    assert unproven(consortium.asked("L01", consortium.ask(consortium.opened(), ())))
    assert len(worked) == 4


def test_a_plain_agreement_knows_no_secure_sum(plain: SealedConsortium) -> None:
    """Its statements are the peer's error, and nothing is recorded."""
    before = read_outbox(plain.folders["L01"]).entries
    with pytest.raises(PeerError, match="plain"):
        plain.asked("L01", plain.under_way().opened)
    assert read_outbox(plain.folders["L01"]).entries == before


def test_two_processes_of_a_lender_are_one_lender(
    consortium: SealedConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that reach them in turn make the same run; a slot is answered once, by either."""
    twins = [consortium.lenders["L01"], Lender(read_settings(consortium.folders["L01"]))]
    asked, turn = consortium.asked, 0

    def in_turn(code: str, question: Question) -> Reply:
        nonlocal turn
        turn += 1
        consortium.lenders["L01"] = twins[turn % 2]
        return asked(code, question)

    monkeypatch.setattr(consortium, "asked", in_turn)
    consortium.make_set_up()
    consortium.stage()
    closed = consortium.collected()
    answers = [consortium.asked("L01", closed.survivors) for _ in range(2)]
    assert answers[0] == answers[1]
    fewer = replace(closed.survivors, alive=("L01", "L02", "L03"))
    fewer = signed(STANDARD, COORDINATOR.private, fewer)
    for _ in twins:
        reply = consortium.asked("L01", fewer)
        assert isinstance(reply, Refused)
        assert reply.refusal is not None
        assert reply.refusal.reason == "answered"
    consortium.total(closed)
    consortium.to_the_end()
    twins[0].close(), twins[1].close()


def test_a_secure_lender_needs_an_identity(tmp_path: Path) -> None:
    """The settings say so; nothing else gets that far."""
    ours = SealedConsortium(tmp_path)
    settings = replace(read_settings(ours.folders["L01"]), identity=None)
    with pytest.raises(Exception, match="without an identity"):
        Sealed(settings, ours.lenders["L01"]._outbox, lambda: None)  # type: ignore[arg-type,return-value]


def test_weak_floors_are_told_when_a_lender_starts(
    consortium: SealedConsortium, caplog: pytest.LogCaptureFixture
) -> None:
    """In a demo they are allowed, and not overlooked."""
    settings = consortium.folders["L01"] / "client.toml"
    with caplog.at_level(logging.WARNING):
        consortium.restart("L01")
    assert caplog.text == ""
    settings.write_text(settings.read_text() + "\n[floors]\nminimum_cohort = 2\n")
    with caplog.at_level(logging.WARNING):
        consortium.restart("L01")
    assert "L01: minimum_cohort is weaker" in caplog.text
