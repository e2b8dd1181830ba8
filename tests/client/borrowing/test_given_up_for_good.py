"""What was given up stays so: where `run resume` crosses it, and where its terms are gone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from client.borrowing import giving_up
from client.borrowing.asked_book import AskedBook
from client.borrowing.asked_settings import Willing
from server.coordinator import attempt as attempting
from server.coordinator.asked import kept_answer
from server.coordinator.exchange import VoidStageError
from server.coordinator.places import ANSWER, GIVEN_UP
from server.coordinator.status import read_status
from server.demo.identities import people
from server.deployment.given_up import give_up
from server.deployment.interrupted_runs import interrupted
from server.deployment.runs import CLOSED, resume_run
from server.deployment.terms_page import TermsPage
from shared.errors import OperatorError
from shared.secure_sum.floors import RefusedError
from tests.asked_consortium import CODES, AskedConsortium, applied

PERSON = people(1, 5)[0].resident_id


@pytest.fixture
def stuck(tmp_path: Path) -> tuple[AskedConsortium, Path]:
    """A batch whose end L02 did not hear, and its run's folder."""
    made = AskedConsortium(tmp_path)
    for code in CODES:
        made.keeps(code, applied(PERSON, code))
    run = made.started(made.asks("L01", PERSON), "first")
    with pytest.raises(VoidStageError, match="close"):
        made.carried(run, faults=["away L02 close never"])
    return made, run


def test_what_was_given_up_while_it_was_resumed_gets_no_answer(
    stuck: tuple[AskedConsortium, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`resume` has looked, `give-up` ends, then the SuperLink starts the process: it does not begin
    and says why; nobody is shown the terms, and nothing takes the run up by itself. A process that
    came through all the same writes no answer. Controls: without the word of giving up the process
    begins, and the same run ends with its answer.
    """
    made, run = stuck
    begun: list[bool] = []
    start = made.superlink.start

    def crossed(*words: Any) -> int:
        give_up(made.folder, "first", made.superlink, lambda: datetime.now(UTC))
        return start(*words)

    monkeypatch.setattr(made.superlink, "start", crossed)
    monkeypatch.setattr(attempting, "conduct", lambda *_, **__: begun.append(True))
    resume_run(made.folder, "first", made.superlink)
    (run / CLOSED).unlink()
    with pytest.raises(OperatorError, match="was given up here"):
        attempting.attempt(None, run, resume=True)  # type: ignore[arg-type]
    status = read_status(run)
    assert status is not None
    assert (begun, status.state, status.error) == ([], "failed", "batch first was given up here")
    assert TermsPage(made.folder).digests() == []
    assert interrupted(made.folder, made.superlink) == []
    with pytest.raises(OperatorError, match="was given up here"):
        made.carried(run, resume=True)
    assert not (run / ANSWER).exists()
    (run / GIVEN_UP).unlink()
    with pytest.raises(AttributeError):  # of a run that is none: `conduct` was asked
        attempting.attempt(None, run, resume=True)  # type: ignore[arg-type]
    assert begun == [True]
    made.carried(run, resume=True)
    assert kept_answer(run).lenders == CODES


@pytest.mark.parametrize("kept", [True, False])
def test_a_batch_whose_terms_are_kept_no_more_is_over_too(
    stuck: tuple[AskedConsortium, Path], kept: bool
) -> None:
    """Its terms' file was removed, or pushed out by others, before two persons at L02 gave it up:
    it is not answered again, whatever run asks, and its numbers are gone. Control: where nothing is
    kept of which batch it was, as by an older program, it would be.
    """
    made, _ = stuck
    home = made.home / "L02"
    asked = home / "own" / "borrowing" / "asked"
    for path in (home / "terms").glob("*.json"):
        path.unlink()
    (about,) = asked.glob("*.batch")
    if not kept:
        about.unlink()
    for operator in ("Li Na", "Wang Wei"):
        words = giving_up.give_up(home, operator).words
    assert (words, about.exists()) == (2, False)
    assert giving_up.waiting(home) is None
    assert bool(list(asked.glob("*.numbers"))) == (not kept)
    batch, willing = made.batch(made.home / "L01" / "batch.json"), Willing(None, daily=9)
    if kept:
        with pytest.raises(RefusedError, match="one that is over"):
            AskedBook(asked).take(batch, willing, batch.day)
    else:
        AskedBook(asked).take(batch, willing, batch.day)


def test_a_damaged_record_of_the_batch_is_said(stuck: tuple[AskedConsortium, Path]) -> None:
    """Nothing is closed then, since another batch could be; put back (the control) it is."""
    home = stuck[0].home / "L02"
    for path in (home / "terms").glob("*.json"):
        path.unlink()
    (about,) = (home / "own" / "borrowing" / "asked").glob("*.batch")
    content = about.read_bytes()
    about.write_bytes(content[1:])
    giving_up.give_up(home, "Li Na")
    with pytest.raises(OperatorError, match="changed or cut short"):
        giving_up.give_up(home, "Wang Wei")
    assert giving_up.waiting(home) is not None
    about.write_bytes(content)
    assert giving_up.give_up(home, "Wang Wei").words == 2
