"""A batch and another run of one consortium: which begins beside which, and what it would cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server.coordinator.asked import kept_answer
from server.coordinator.exchange import VoidStageError
from server.demo.identities import people
from server.deployment.runs import resume_run
from server.one_at_a_time import alone_in
from shared.errors import OperatorError
from shared.training.run import Run
from tests.asked_consortium import CODES, AskedConsortium, applied
from tests.deployment.consortium import TERMS
from tests.federation import SIZES, table

FOLK = [one.resident_id for one in people(8, 3)]
FOUNDING = {"schema": TERMS[TERMS.index("[table]") :].encode(), "terms": {"rounds": 1}}


@pytest.fixture
def made(tmp_path: Path) -> AskedConsortium:
    """Five lenders with a table to train on and events to answer from."""
    rows = table(SIZES)
    tables = {
        code: rows[rows["lender"] == code].drop(columns="lender").to_csv(index=False)
        for code in CODES
    }
    found = AskedConsortium(tmp_path, founding=FOUNDING, tables=tables)
    for code in CODES:
        found.keeps(code, applied(FOLK[0], code))
    return found


def trains(made: AskedConsortium, name: str) -> Path:
    """A training that is started."""
    return made.began(made.consortium.agreement(seed=len(name), name=name), name)


def asks(made: AskedConsortium, name: str) -> Path:
    """A batch that is started."""
    return made.started(made.asks("L01", FOLK[0]), name)


def test_a_batch_that_was_not_heard_to_its_end_and_a_training_both_go_through(
    made: AskedConsortium,
) -> None:
    """Nobody is at work on the batch, so the training begins, takes the lenders' keys and ends with
    a model; then the batch is brought to its end. The control: before that it has no answer.
    """
    batch = asks(made, "batch")
    with pytest.raises(VoidStageError, match="close"):
        made.carried(batch, faults=["away L02 close never"])
    assert not (batch / "answer.json").exists()
    assert isinstance(made.conducted(trains(made, "spring")), Run)
    made.carried(batch, resume=True)
    assert kept_answer(batch).lenders == CODES


@pytest.mark.parametrize("beside", [True, False])
def test_a_training_in_the_midst_of_a_batch_would_cost_it_its_sum(
    made: AskedConsortium, beside: bool
) -> None:
    """Why they are kept apart: the batch has masked numbers and is not opened; a training that gets
    as far as its set-up takes the keys to them. Control: without it the batch goes on.
    """
    batch = asks(made, "batch")
    with pytest.raises(VoidStageError, match="asked"):
        made.carried(batch, faults=["drop L04 asked", "drop L05 asked"])
    if not beside:
        assert made.carried(batch, resume=True).finished
        return
    with pytest.raises(VoidStageError, match="census"):
        made.conducted(trains(made, "spring"), faults=[f"drop {code} census" for code in CODES])
    with pytest.raises(VoidStageError, match="asked"):
        made.carried(batch, resume=True)


Begin = Callable[[AskedConsortium, str], Path]


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (asks, trains, "it is a batch: a run beside it would take the lenders' keys"),
        (trains, asks, "a batch would disturb it"),
        (asks, asks, "a batch would disturb it"),
    ],
)
def test_a_batch_is_refused_beside_a_run_and_a_run_beside_a_batch(
    made: AskedConsortium, first: Begin, second: Begin, told: str
) -> None:
    """While the first is accepted, or a process has it; not started, and not resumed. The control:
    once the first is over the second begins.
    """
    earlier = second(made, "earlier")
    made.superlink.ended[1] = "failed"
    run = first(made, "first")
    with pytest.raises(OperatorError, match=told):
        second(made, "second")
    made.superlink.ended[2] = "failed"
    turn = alone_in(run)
    with pytest.raises(OperatorError, match=told):
        second(made, "second")
    with pytest.raises(OperatorError, match=told):
        resume_run(made.folder, earlier.name, made.superlink)
    turn.release()
    assert not (made.folder / "runs" / "second").exists()
    resume_run(made.folder, earlier.name, made.superlink)
    made.superlink.ended[3] = "failed"
    assert second(made, "second").is_dir()
