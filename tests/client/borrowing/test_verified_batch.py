"""`lianfang-server verify` and `status` of a batch's run: its answer against what was opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from server.cli import main
from server.coordinator.asked import kept_answer
from server.coordinator.exchange import VoidStageError
from server.demo.identities import people
from server.keys import read_identity
from shared.borrowing.batch import BatchAnswer, _signed, made_answer
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import text_of
from tests.asked_consortium import CODES, AskedConsortium, applied
from tests.consortium_folders import now
from tests.identities import identity_under

FOLK = [one.resident_id for one in people(8, 2)]


@pytest.fixture
def made(tmp_path: Path) -> AskedConsortium:
    found = AskedConsortium(tmp_path)
    for code in CODES:
        found.keeps(code, applied(FOLK[0], code))
    return found


Forge = Callable[[AskedConsortium, Path, BatchAnswer, Identity], BatchAnswer]


def another_total(
    made: AskedConsortium, run: Path, honest: BatchAnswer, own: Identity
) -> BatchAnswer:
    batch = made.batch(made.home / "L01" / "batch.json")
    return made_answer(batch, honest.lenders, honest.numbers + 1, own)


def other_lenders(
    made: AskedConsortium, run: Path, honest: BatchAnswer, own: Identity
) -> BatchAnswer:
    batch = made.batch(made.home / "L01" / "batch.json")
    return made_answer(batch, (*CODES[:4], "L09"), honest.numbers, own)


def somebody_elses(
    made: AskedConsortium, run: Path, honest: BatchAnswer, own: Identity
) -> BatchAnswer:
    rogue = identity_under(made.authority, "coordinator", "coordinator", now=now())
    unsigned = replace(honest, certificate=rogue.member.certificate, signature=b"")
    return _signed(unsigned, rogue.private)


def test_the_answer_to_a_batch_is_verified_and_a_changed_one_is_not(
    made: AskedConsortium, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before its end there is a word, and no answer. Then it is right; with another total, over
    other lenders, or signed by somebody else it is not. No number of the total is printed.
    """
    run = made.started(made.asks("L01", FOLK[0]), "first")
    with pytest.raises(VoidStageError, match="close"):
        made.carried(run, faults=["away L02 close never"])
    assert main(["verify", str(run)]) == 1
    assert "not finished: the next stage is close" in capsys.readouterr().out
    made.carried(run, resume=True)
    assert main(["verify", str(run)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("verified: the signed answer to L01's batch")
    assert "that 5 lenders opened and ended" in said
    assert main(["status", str(run)]) == 0
    assert "2 stages; finished" in capsys.readouterr().out
    honest, own = kept_answer(run), read_identity(run, now())[0]
    forgeries: tuple[tuple[Forge, str], ...] = (
        (another_total, "another total"),
        (other_lenders, "other lenders"),
        (somebody_elses, "certificate"),
    )
    for forged, told in forgeries:
        (run / "answer.json").write_bytes(text_of(forged(made, run, honest, own)))
        assert main(["verify", str(run), "--json"]) == 1
        about = json.loads(capsys.readouterr().out)
        assert (about["verified"], told in about["why"]) == (False, True)
    (run / "answer.json").write_bytes(text_of(honest))
    assert main(["verify", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True


def test_a_batch_that_was_given_up_is_said_to_be(
    made: AskedConsortium, capsys: pytest.CaptureFixture[str]
) -> None:
    """And is not taken for one that goes on."""
    run = made.started(made.asks("L01", FOLK[0]), "first")
    with pytest.raises(VoidStageError, match="close"):
        made.carried(run, faults=["away L02 close never"])
    (run / "given-up").touch()
    for word in ("status", "verify"):
        assert main([word, str(run)]) == 1
        assert "given up" in capsys.readouterr().out
