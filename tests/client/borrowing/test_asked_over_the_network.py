"""The stronger mode between institutions: the real apps, terms, secure sum, journals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Context, RecordDict

from client.allowed import allow
from client.app import app as client_app
from client.borrowing.kept_events import KeptEvents
from client.desk import FOLDER_KEY, answer, close_all
from server.app import app as server_app
from server.coordinator.asked import kept_answer
from server.coordinator.exchange import VoidStageError
from server.coordinator.kept_rounds import KeptRounds
from server.coordinator.status import read_status
from server.demo.identities import people
from server.deployment import batch_alone
from server.deployment.terms_page import TermsPage
from server.keys import read_identity
from server.simulation.grid import InProcessGrid, run_in_process
from shared.borrowing.asked import ASKED_CELLS, ASKED_NAMES
from shared.borrowing.batch import BATCH, _signed, rows_name
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.secure_sum.statements import Answer, Survivors, name_of, signed
from shared.secure_sum.suite import STANDARD
from shared.wire.messages import Reply, pack_question, parse_reply
from tests.asked_consortium import ASKED, CODES, HASTY, AskedConsortium, applied
from tests.consortium_folders import now
from tests.identities import identity_under

FOLK = [one.resident_id for one in people(8, 5)]
LENDERS_M1 = ASKED_NAMES.index("app_orgnum_m1_all")


@pytest.fixture
def made(tmp_path: Path) -> AskedConsortium:
    """Person 0 applied at all five, twice at L01; 1 at L03 alone; 2 at L01 alone; 3 at nobody."""
    found = AskedConsortium(tmp_path)
    for code in CODES:
        found.keeps(code, applied(FOLK[0], f"{code}-A"), applied(FOLK[4], f"{code}-B"))
    found.keeps("L01", applied(FOLK[0], "L01-C", ago=3), applied(FOLK[2], "L01-D"))
    found.keeps("L03", applied(FOLK[1], "L03-C"))
    return found


def own(made: AskedConsortium, code: str, asker: str = "L01") -> np.ndarray:
    """What a lender would answer to an asker's batch, worked out beside the run."""
    batch = made.batch(made.home / asker / "batch.json")
    kept = KeptEvents(made.home / code / "own" / "borrowing" / "kept")
    return kept.counts(1, batch.tokens, batch.day)


def asked_files(made: AskedConsortium, code: str, kind: str) -> list[Path]:
    return list((made.home / code / "own" / "borrowing" / "asked").glob(f"*.{kind}"))


def test_from_a_book_to_bands_of_the_others_through_the_real_apps(made: AskedConsortium) -> None:
    """The total is the plain sum; the asker's own is off; nobody else is told anything of it."""
    batch = made.asks("L01", *FOLK[:4])
    run = made.started(batch, "asked-1")
    grid = InProcessGrid(client_app, [made.home / code for code in CODES], workers=2)
    try:
        run_in_process(server_app, grid, {"run-directory": str(run), "patience": 20.0})
    finally:
        grid.close()
        close_all()
    answer = kept_answer(run)
    assert answer.lenders == CODES
    plain = np.sum([own(made, code) for code in CODES], axis=0)
    assert np.array_equal(answer.numbers, plain)
    status = read_status(run)
    assert status is not None
    assert (status.state, status.model, status.done) == ("finished", "", 2)
    assert TermsPage(made.folder).digests() == []

    found = made.asking("L01", lambda desk: desk.open(run / "answer.json"))
    assert (found.lines, found.lenders) == ((2, 3, 4, 5), 5)
    lenders = found.bands[:, LENDERS_M1].tolist()
    assert lenders == [3, 1, -1, -1]  # three to four others; one; the own enquiry alone; nobody
    assert len(made.batch(batch).tokens) == BATCH
    purposes = [line["purpose"] for line in made.outbox("L03")]
    assert "counts of 64 tokens that a lender asks of" in purposes
    with pytest.raises(OperatorError, match="not asked from this folder"):
        made.asking("L02", lambda desk: desk.open(run / "answer.json"))
    assert not asked_files(made, "L02", "numbers")


def test_two_totals_over_lenders_that_differ_by_one_are_not_opened(made: AskedConsortium) -> None:
    """L03 is kept away from a second batch of the same token: the first answer's lenders are
    insisted on at the coordinator, and, where that lies (`anew`), at each lender, by a signed
    refusal, from a new day's batch too.
    """
    made.carried(made.started(made.asks("L01", FOLK[1]), "first"))
    second = made.started(made.asks("L02", FOLK[1]), "second")
    others = [code for code in CODES if code != "L03"]
    with pytest.raises(VoidStageError, match="L03"):
        made.carried(second, only=others)
    third = made.started(made.asks("L02", FOLK[1], FOLK[2]), "third", anew=True)
    with pytest.raises(VoidStageError, match="rows") as void:
        made.carried(third, only=others)
    assert "terms allow" in void.value.remedy or "terms show" in void.value.remedy
    refusals = [line for line in made.outbox("L01") if line["kind"] == "refusal"]
    assert "earlier run over the same rows was over other lenders" in refusals[-1]["purpose"]
    assert not (third / "answer.json").exists()


def test_a_person_at_each_lender_may_allow_other_lenders(made: AskedConsortium) -> None:
    """Control of the rule: allowed, the very same total opens, and the difference to the first is
    L03's own numbers.
    """
    first = made.carried(made.started(made.asks("L01", FOLK[1]), "first"))
    mine = made.batch(made.home / "L01" / "batch.json")
    others = [code for code in CODES if code != "L03"]
    second = made.started(made.asks("L02", FOLK[1]), "second", anew=True)
    with pytest.raises(VoidStageError, match="rows"):
        made.carried(second, only=others)
    for code in others:
        allow(made.home / code, others, now)
    after = made.carried(second, only=others, resume=True)
    theirs = made.batch(made.home / "L02" / "batch.json")
    (token,) = {*mine.tokens} & {*theirs.tokens}
    assert first.total is not None
    assert after.total is not None
    parts = [
        total.reshape(-1, ASKED_CELLS)[batch.tokens.index(token)]
        for total, batch in ((first.total, mine), (after.total, theirs))
    ]
    place = LENDERS_M1
    assert parts[0][place] - parts[1][place] == 1  # L03 alone knows this person: laid bare


def given_again(made: AskedConsortium, person: str) -> None:
    """A new key epoch: every lender keeps its events anew, L03 one of the person."""
    made.epoch += 1
    for code in CODES:
        made.keeps(code, applied(person if code == "L03" else FOLK[0], f"{code}-again"))


@pytest.mark.parametrize("by_epoch", [False, True])
def test_another_key_epoch_is_no_way_to_other_lenders(
    made: AskedConsortium, by_epoch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person has one history, whatever key its token is made with: the coordinator insists, and,
    where that lies, each lender. The control: were the rule of one epoch, L03's number shows.
    """
    first = made.carried(made.started(made.asks("L01", FOLK[1]), "first"))
    given_again(made, FOLK[1])
    batch, others = made.asks("L02", FOLK[1]), [code for code in CODES if code != "L03"]
    if not by_epoch:
        with pytest.raises(VoidStageError, match="L03"):
            made.carried(made.started(batch, "second"), only=others)
        assert "refusal" not in {line["kind"] for line in made.outbox("L01")}
        with pytest.raises(VoidStageError, match="rows"):
            made.carried(made.started(batch, "third", anew=True), only=others)
        return
    name = "client.borrowing.asked_lender.rows_name"
    monkeypatch.setattr(name, lambda context: rows_name(f"{context}{made.epoch}"))
    after = made.carried(made.started(batch, "second", anew=True), only=others)
    assert first.total is not None
    assert after.total is not None
    counts = [one.reshape(-1, ASKED_CELLS)[:, LENDERS_M1] for one in (first.total, after.total)]
    assert [one.sum() for one in counts] == [1, 0]


def test_of_two_key_epochs_the_newest_is_answered(made: AskedConsortium) -> None:
    """A batch of the old one is refused once events are kept under the new, as when nothing is
    kept; one that was opened before is brought to its end. The control: the new one's is answered.
    """
    old = made.asks("L01", FOLK[1])
    run = made.started(old, "first")
    with pytest.raises(VoidStageError):
        made.carried(run, faults=["away L05 close never", "away L04 close never"])
    given_again(made, FOLK[1])
    made.carried(run, resume=True)
    assert kept_answer(run).lenders == CODES
    with pytest.raises(VoidStageError, match="key epoch 2, the newest"):
        made.carried(made.started(old, "again"))
    assert made.carried(made.started(made.asks("L02", FOLK[1]), "new")).finished


def test_a_batch_is_answered_with_its_first_numbers_and_after_its_end_not_at_all(
    made: AskedConsortium,
) -> None:
    """The run stops between masks; events come; another run of the same batch gives the same
    total. When its end was heard, no other run of it is answered.
    """
    batch = made.asks("L01", FOLK[1])
    before = {code: own(made, code) for code in CODES}
    with pytest.raises(VoidStageError):
        made.carried(made.started(batch, "one"), faults=["drop L05 asked", "drop L04 asked"])
    masked = [code for code in CODES if asked_files(made, code, "numbers")]
    assert len(masked) >= 3
    for code in CODES:
        made.keeps(code, applied(FOLK[1], f"{code}-late", ago=2))
    now_told = {code: own(made, code) for code in CODES}
    done = made.carried(made.started(batch, "two"))
    wanted = [(before if code in masked else now_told)[code] for code in CODES]
    assert np.array_equal(done.total, np.sum(wanted, axis=0))
    assert not np.array_equal(done.total, np.sum([*now_told.values()], axis=0))  # control
    with pytest.raises(VoidStageError, match="asked"):
        made.carried(made.started(batch, "three"))


def test_no_batch_is_answered_before_the_end_of_the_last_one_was_heard(
    made: AskedConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coordinator opens a total and keeps its proof from a lender: that one takes part in no
    other batch, until the run is brought to its end. Control: after that it does.
    """
    first = made.started(made.asks("L01", FOLK[1]), "first")
    with pytest.raises(VoidStageError, match="close"):
        made.carried(first, faults=["away L02 close never"])
    assert not (first / "answer.json").exists()
    with pytest.raises(OperatorError, match="end of batch first was not heard"):
        made.started(made.asks("L03", FOLK[2]), "second")
    monkeypatch.setattr(batch_alone, "check_alone", lambda *_: None)
    with pytest.raises(VoidStageError):
        made.carried(made.started(made.asks("L03", FOLK[2]), "second"))
    (refusal,) = [line for line in made.outbox("L02") if line["kind"] == "refusal"]
    assert "its end was not heard here" in refusal["purpose"]
    made.carried(first, resume=True)
    assert kept_answer(first).lenders == CODES
    assert made.carried(made.started(made.asks("L03", FOLK[2]), "third")).finished


def lied_to(made: AskedConsortium, run: Path, code: str) -> Reply:
    """Told by the coordinator, with its signature, that all five are in the sum that is open."""
    opened = KeptRounds(run / "rounds").opened()
    assert opened is not None
    identity, _ = read_identity(run, now())
    story = Survivors(name_of(STANDARD, opened), CODES)
    signed_story = signed(STANDARD, identity.private, story)
    config = {FOLDER_KEY: str(made.home / code)}
    context = Context(run_id=1, node_id=2, node_config=config, state=RecordDict(), run_config={})
    try:
        return parse_reply(answer(pack_question(signed_story), context))
    finally:
        close_all()


@pytest.mark.parametrize("lies", [True, False])
def test_a_lender_that_was_told_another_story_answers_no_other_batch(
    made: AskedConsortium, lies: bool
) -> None:
    """The sum is over four; L05, whose masked numbers were lost, is told that it was over five, and
    answers. Nobody can prove that to it, so it takes no part in another set-up. Control: without
    the lie it does.
    """
    run = made.started(made.asks("L01", FOLK[1]), "first")
    made.carried(run, faults=["drop L05 asked", "away L05 close never"])
    if lies:
        assert isinstance(lied_to(made, run, "L05"), Answer)
    before = len(made.outbox("L05"))
    made.carried(made.started(made.asks("L03", FOLK[2]), "second"))
    kinds = {line["kind"] for line in made.outbox("L05")[before:]}
    assert kinds == ({"refusal"} if lies else {"keys", "shares", "ready"})


Change = Callable[[AskedConsortium], None]


def unasked(made: AskedConsortium) -> None:
    made.settings("L02", "")


def not_named(made: AskedConsortium) -> None:
    made.settings("L02", '[asked]\naskers = ["L03"]\n')


def nothing_kept(made: AskedConsortium) -> None:
    (made.home / "L02/own/borrowing/kept/epoch-1.rows").unlink()


@pytest.mark.parametrize("change", [unasked, not_named, nothing_kept])
def test_a_lender_answers_only_if_it_will(made: AskedConsortium, change: Change) -> None:
    """Off without the section; for askers it names; with events kept. The others go on without it,
    as this is the first batch: it gave neither keys nor numbers. Control: the other four did.
    """
    change(made)
    made.carried(made.started(made.asks("L01", FOLK[1]), "first"))
    assert kept_answer(made.folder / "runs" / "first").lenders == ("L01", "L03", "L04", "L05")
    kinds = {line["kind"] for line in made.outbox("L02")}
    assert kinds == {"refusal"}
    assert "masked" in {line["kind"] for line in made.outbox("L03")}


def test_an_asker_may_ask_so_often_a_day(made: AskedConsortium) -> None:
    """The second batch of L01 is refused by L02, which allows one; L03's is answered."""
    made.settings("L02", f"{ASKED}daily = 1\n")
    made.carried(made.started(made.asks("L01", FOLK[1]), "first"))
    with pytest.raises(VoidStageError, match="L02"):
        made.carried(made.started(made.asks("L01", FOLK[2]), "second"))
    assert made.carried(made.started(made.asks("L03", FOLK[2]), "third")).finished


def test_three_lenders_are_too_few_and_each_lender_says_so(made: AskedConsortium) -> None:
    """Also to a coordinator that would make do with three; in training three do. A lender may want
    more. Control: with a fourth it opens.
    """
    careless = replace(HASTY, minimum=3)
    run = made.started(made.asks("L01", FOLK[1]), "first")
    with pytest.raises(VoidStageError, match=r"refused \(cohort"):
        made.carried(run, only=CODES[:3], policy=careless)
    made.settings("L02", f"{ASKED}lenders = 5\n")
    with pytest.raises(VoidStageError, match=r"L02: refused \(cohort"):
        made.carried(run, only=CODES[:4], policy=careless, resume=True)
    made.settings("L02", ASKED)
    assert made.carried(run, only=CODES[:4], policy=careless, resume=True).finished


def test_a_forged_batch_or_answer_is_refused(made: AskedConsortium) -> None:
    """A batch that its asker did not sign; an answer over lenders other than answered."""
    batch = made.asks("L01", FOLK[1])
    honest = made.batch(batch)
    batch.write_bytes(text_of(replace(honest, asker="L02")))
    with pytest.raises(VoidStageError, match="asked"):
        made.carried(made.started(batch, "forged"))
    batch.write_bytes(text_of(honest))
    run = made.started(batch, "honest")
    made.carried(run)
    answer = kept_answer(run)
    rogue = identity_under(made.authority, "coordinator", "coordinator", now=now())
    fewer = replace(answer, lenders=CODES[:4], certificate=rogue.member.certificate)
    (run / "answer.json").write_bytes(text_of(_signed(fewer, rogue.private)))
    with pytest.raises(PeerError, match="over the lenders that the answer names"):
        made.asking("L01", lambda desk: desk.open(run / "answer.json"))
