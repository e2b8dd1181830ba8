"""A lender in secure sums: it survives a restart at any point, lets nothing out unrecorded, and
answers only what it has checked.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.lender import Lender
from client.outbox_table import read_outbox
from client.sealed import Sealed
from client.settings import read_settings
from client.vault import Vault
from shared.errors import OperatorError, PeerError
from shared.model.saved import digest_of
from shared.secure_sum.statements import (
    Answer,
    MaskedInput,
    Survivors,
    check_signature,
    signed,
)
from shared.secure_sum.suite import STANDARD
from shared.wire.messages import (
    Ask,
    Behind,
    Question,
    Refused,
    Reply,
    Sum,
    ask_transcript,
    pack_reply,
)
from tests.client.sealed_consortium import (
    BOOK,
    COORDINATOR,
    TERMS,
    SealedConsortium,
    signed_ask,
    unproven,
)


def reason_of(reply: Reply) -> str:
    """Of a signed refusal."""
    assert isinstance(reply, Refused), reply
    assert reply.refusal is not None, "a refusal without a signature"
    return reply.refusal.reason


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


@pytest.fixture
def consortium(tmp_path: Path) -> Iterator[SealedConsortium]:
    ours = SealedConsortium(tmp_path)
    yield ours
    for lender in ours.lenders.values():
        lender.close()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> SealedConsortium:
    """The naive twin: the same lenders' plain sums, to the end of the run."""
    terms = replace(TERMS, sums="plain")
    ours = SealedConsortium(tmp_path_factory.mktemp("plain"), terms)
    while not ours.run.finished:
        replies = [ours.asked(code, ours.ask(None)) for code in ours.lenders]
        assert all(isinstance(reply, Sum) for reply in replies)
        ours.release(np.sum([reply.vector for reply in replies], axis=0))
    return ours


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


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("lost", ["removed", "damaged"])
def test_without_its_vault_a_lender_says_that_it_has_no_keys(
    consortium: SealedConsortium, lost: str, restarted: bool
) -> None:
    """To a roll, a round and survivors alike, with one reason of its own."""
    vault = consortium.folders["L01"] / "own" / "vault" / "set-up.bin"

    def lose() -> None:
        if lost == "removed":
            vault.unlink()
        else:
            vault.write_bytes(vault.read_bytes()[:-1])
        if restarted:
            consortium.restart("L01")

    set_up = consortium.make_set_up()
    closed = consortium.collected()
    kept = vault.read_bytes()
    lose()
    assert reason_of(consortium.asked("L01", closed.survivors)) == "no-keys"
    vault.touch(mode=0o600)
    vault.write_bytes(kept)
    consortium.restart("L01")
    consortium.total(closed)  # positive control: with its keys it answers
    lose()
    assert reason_of(consortium.asked("L01", consortium.ask(consortium.opened()))) == "no-keys"
    consortium.restart("L01")
    assert reason_of(consortium.asked("L01", set_up.roll)) == "no-keys"
    last = read_outbox(consortium.folders["L01"]).entries[-1].record
    assert last.purpose.startswith("refused: this lender has no keys any more")


def test_without_its_vault_a_lender_cannot_check_the_closing_question(
    consortium: SealedConsortium,
) -> None:
    """Whose signatures the proof holds was in the vault: no result is written."""
    consortium.make_set_up()
    while consortium.run.question().length:
        consortium.stage()
    shutil.rmtree(consortium.folders["L01"] / "own" / "vault")
    consortium.restart("L01")
    assert reason_of(consortium.asked("L01", consortium.ask(None))) == "no-keys"
    assert not (consortium.folders["L01"] / "own" / "result.json").exists()
    assert isinstance(consortium.asked("L02", consortium.ask(None)), Sum)


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


def test_nothing_a_lender_keeps_can_be_read_by_others(consortium: SealedConsortium) -> None:
    """Whatever the umask: folders are 0700, files 0600, also where a folder was open before."""
    own = consortium.folders["L01"] / "own"
    own.chmod(0o755)
    consortium.restart("L01")
    before = os.umask(0)
    try:
        consortium.make_set_up()
        consortium.to_the_end()
    finally:
        os.umask(before)
    kept = [own, *own.rglob("*")]
    assert len(kept) > 6
    modes = {str(p.relative_to(own)): p.stat().st_mode & 0o777 for p in kept}
    assert modes == {str(p.relative_to(own)): 0o700 if p.is_dir() else 0o600 for p in kept}


def test_a_plain_agreement_knows_no_secure_sum(plain: SealedConsortium) -> None:
    """Its statements are the peer's error, and nothing is recorded."""
    before = read_outbox(plain.folders["L01"]).entries
    with pytest.raises(PeerError, match="plain"):
        plain.asked("L01", plain.under_way().opened)
    assert read_outbox(plain.folders["L01"]).entries == before


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
    consortium.release(_total_of(consortium))
    assert unproven(consortium.asked("L01", consortium.ask(consortium.opened(), agreed)))
    told = consortium.asked("L02", consortium.ask(consortium.opened(), agreed))
    assert isinstance(told, MaskedInput)  # positive control: those three agree


def _total_of(consortium: SealedConsortium) -> np.ndarray:
    """What the stage's total really is."""
    return np.sum(
        [lender._run.answer(lender._rows) for lender in consortium.lenders.values()], axis=0
    )


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


# --- the disk ---


def fail(number: int) -> Callable[..., int]:
    def failing(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return failing


@pytest.mark.parametrize("name", ["write", "fdatasync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("point", range(5))
def test_what_the_disk_does_not_take_does_not_leave(
    consortium: SealedConsortium,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
    point: int,
) -> None:
    """At any of the five exchanges: an OperatorError, no reply, the journal as before; once the
    disk is mended the very same question is answered, also after a restart.
    """
    asked, home = consortium.asked, consortium.folders["L01"]
    journal = home / "own" / "outbox.jsonl"

    def tried(code: str, question: Question) -> Reply:
        nonlocal point
        point -= code == "L01"
        if point == -1 and code == "L01":
            before = journal.read_bytes()
            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail(number))
                with pytest.raises(OperatorError, match=os.strerror(number)):
                    asked(code, question)
            assert journal.read_bytes() == before
            if number == errno.EIO:
                consortium.restart(code)
        return asked(code, question)

    monkeypatch.setattr(consortium, "asked", tried)
    consortium.make_set_up()
    expected = _total_of(consortium)
    assert consortium.stage().tobytes() == expected.tobytes()
    assert point < 0


class KilledError(BaseException):
    """As SIGKILL: nothing of ours catches it."""


def test_killed_between_the_record_and_the_wiping(
    consortium: SealedConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process wipes the slot on opening, and gives the answer that is in the journal."""
    consortium.make_set_up()
    closed = consortium.collected()
    vault = Vault(consortium.folders["L01"] / "own" / "vault")

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Vault, "wipe", killed)
        with pytest.raises(KilledError):
            consortium.asked("L01", closed.survivors)
    assert vault.slot(0) is not None  # positive control: the secrets are still there
    released = read_outbox(consortium.folders["L01"]).entries[-1].record.released
    consortium.restart("L01")
    first = consortium.asked("L01", closed.survivors)
    assert vault.slot(0) is None
    again = consortium.asked("L01", closed.survivors)
    assert isinstance(first, Answer)
    assert first == again
    assert released == read_outbox(consortium.folders["L01"]).entries[-1].record.released
    consortium.total(closed)
    consortium.to_the_end()


@pytest.mark.parametrize("exchange", range(3))
def test_killed_between_the_vault_and_the_record(
    consortium: SealedConsortium, monkeypatch: pytest.MonkeyPatch, exchange: int
) -> None:
    """At each exchange of a set-up: nothing left, and the same question is answered after."""
    real, seen = Vault.keep, []

    def killed(self: Vault, state: bytes, slots: list[bytes]) -> None:
        real(self, state, slots)
        seen.append(self)
        if len(seen) == exchange + 1:
            raise KilledError

    asked = consortium.asked

    def tried(code: str, question: Question) -> Reply:
        with monkeypatch.context() as patch:
            patch.setattr(Vault, "keep", killed if code == "L01" else real)
            try:
                return asked(code, question)
            except KilledError:
                consortium.restart(code)
        return asked(code, question)

    monkeypatch.setattr(consortium, "asked", tried)
    consortium.make_set_up()
    assert len(seen) >= exchange + 1
    expected = _total_of(consortium)
    assert consortium.stage().tobytes() == expected.tobytes()


def test_the_disk_has_the_record_before_anything_else_happens(
    consortium: SealedConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masked numbers: line, fdatasync, then the reply. An answer: line, fdatasync, zeros over the
    secrets, fdatasync, then the reply.
    """
    consortium.make_set_up()
    real = {name: getattr(os, name) for name in ("write", "pwrite", "fdatasync")}
    done: list[tuple[str, str]] = []

    def watched(name: str) -> Callable[..., int]:
        def call(handle: int, *rest: object) -> int:
            done.append((name, Path(os.readlink(f"/proc/self/fd/{handle}")).name))
            return real[name](handle, *rest)

        return call

    for name in real:
        monkeypatch.setattr(os, name, watched(name))
    signs = STANDARD.__class__.sign

    def sign(self: object, *rest: object) -> bytes:
        done.append(("sign", ""))
        return signs(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(STANDARD.__class__, "sign", sign)
    opened = consortium.opened()
    ask = consortium.ask(opened)
    done.clear()
    masked = consortium.asked("L01", ask)
    journal, vault = "outbox.jsonl", "set-up.bin"
    assert isinstance(masked, MaskedInput)
    assert done == [("write", journal), ("fdatasync", journal), ("sign", "")]
    consortium.slot -= 1
    closed = consortium.collected()
    done.clear()
    assert isinstance(consortium.asked("L01", closed.survivors), Answer)
    assert done == [
        ("write", journal), ("fdatasync", journal),
        ("pwrite", vault), ("fdatasync", vault), ("sign", ""),
    ]  # fmt: skip


def test_no_secret_of_an_answered_slot_is_left_on_disk(consortium: SealedConsortium) -> None:
    """Mask key, seed and shares of others, found in the lender's files before the answer, are in
    none after it but the shares it released; the next slot's are still there.
    """
    consortium.make_set_up()
    folder = consortium.folders["L01"]
    vault = Vault(folder / "own" / "vault")

    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    record, later = vault.slot(0), vault.slot(1)
    assert record is not None
    assert later is not None
    pieces = [record[:32], record[32:64], *(record[i : i + 33] for i in range(64, len(record), 33))]
    assert all(piece in on_disk() for piece in pieces)
    consortium.stage()
    assert not any(piece in on_disk() for piece in pieces)
    assert later in on_disk()


def test_no_row_and_no_secret_is_in_journal_or_log(
    consortium: SealedConsortium, caplog: pytest.LogCaptureFixture
) -> None:
    """Over a whole run, with a refusal and a repeated question in it."""
    with caplog.at_level(logging.DEBUG):
        consortium.make_set_up()
        kept = [
            vault.slot(number)
            for vault in (Vault(home / "own" / "vault") for home in consortium.folders.values())
            for number in range(consortium.slots)
        ]
        consortium.asked("L01", consortium.ask(consortium.opened(stage="bins")))
        consortium.to_the_end()
    texts = caplog.text.encode()
    for home in consortium.folders.values():
        texts += (home / "own" / "outbox.jsonl").read_bytes()
    assert TERMS.digest().encode() in texts  # positive control
    for key in BOOK.row_key:
        assert str(key).encode() not in texts
    for secret in kept:
        assert secret is not None
        for piece in (secret[:32], secret[32:64]):
            assert piece not in texts
            assert piece.hex().encode() not in texts


# --- several processes of one lender ---


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


@pytest.mark.parametrize("lost", ["older", "removed"])
def test_an_older_or_a_missing_outbox_stops_the_lender(
    consortium: SealedConsortium, lost: str
) -> None:
    """Slots whose use is no longer known are not used, and the vault stays as it was; without it,
    as the remedy says, the lender has forgotten and takes part with new keys.
    """
    journal = consortium.folders["L01"] / "own" / "outbox.jsonl"
    before = journal.read_bytes()
    consortium.make_set_up()
    opened = consortium.opened()
    assert isinstance(consortium.asked("L01", consortium.ask(opened)), MaskedInput)
    vault = consortium.folders["L01"] / "own" / "vault"
    kept = (vault / "set-up.bin").read_bytes()
    if lost == "older":
        journal.write_bytes(before)
    else:
        consortium.lenders["L01"].close()
        journal.unlink()
    with pytest.raises(OperatorError, match="missing, or older than the vault") as caught:
        consortium.restart("L01")
    assert str(journal) in str(caught.value)
    assert str(vault) in caught.value.remedy
    assert (vault / "set-up.bin").read_bytes() == kept
    shutil.rmtree(vault)
    consortium.restart("L01")
    reply = consortium.asked("L01", consortium.ask(consortium.opened(0, stage="census")))
    assert isinstance(reply, Refused)
    consortium.make_set_up()
    consortium.to_the_end()


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
