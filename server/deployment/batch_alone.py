"""Whether a run may begin beside the others of its consortium: a batch is alone, or it waits.

    under way        a batch       a training
    nothing          begins        begins
    a training       refused       begins (as ever: one waits for the other's lenders)
    a batch          refused       refused
    a batch whose total was opened and whose end was not heard by all, with nobody at work on it:
                     refused       begins; the batch can be brought to its end afterwards

Invariants:
- Lenders keep the keys of one set-up: a run that opens another takes those of a batch between its
  two exchanges, and no lender masks the same numbers twice. So whoever comes second is refused,
  whether it is started, resumed, or taken up by itself.
- What was accepted and has no process yet is under way, too.
"""

from __future__ import annotations

from pathlib import Path

from server.coordinator.asked import batch_of, unfinished_of
from server.deployment.control import Control
from server.deployment.runs import (
    CLOSED,
    RUNS,
    at_work,
    names_of,
    read_started,
    readable_status,
)
from shared.errors import OperatorError
from shared.training.asked_run import AskedTerms


def check_alone(folder: Path, batch: AskedTerms | None, control: Control, name: str = "") -> None:
    """OperatorError where a run would disturb another one, or be disturbed. `batch`: its terms, or
    None of a training; `name`: its own, where it is there already.
    """
    others = [one for one in names_of(folder) if one != name]
    if batch is not None:
        _check_ended(folder, batch, name)
        why = "a batch would disturb it"
    else:
        others = [one for one in others if batch_of(folder / RUNS / one)]
        why = "it is a batch: a run beside it would take the lenders' keys, and void it"
    busy = next((one for one in others if under_way(folder / RUNS / one, control)), "")
    if busy:
        raise OperatorError(
            f"run {busy} is at work, and {why}",
            remedy=f"wait for its end: lianfang-server run status {folder} {busy} --watch",
        )


def under_way(place: Path, control: Control) -> bool:
    """Whether a process is at work on a run, or the SuperLink means to have one. Where its status
    says how it ended, its process has nothing left to do but to let the lock go.
    """
    status = readable_status(place)
    if status is not None and status.ended:
        return False
    if at_work(place):
        return True
    if status is None or (place / CLOSED).exists():
        return False
    try:
        number = read_started(place).flower_run
    except OperatorError:  # a damaged file: nothing is asked of the SuperLink for it
        return False
    found = control.run(number) if number else None
    return found is not None and not found.ended


def _check_ended(folder: Path, batch: AskedTerms, name: str) -> None:
    """Lenders answer no batch before they have heard the end of the one answered last."""
    still = unfinished_of(folder / RUNS, batch.batch.context, besides=name)
    if still:
        raise OperatorError(
            f"the end of batch {still} was not heard by all, and they answer no other before",
            remedy=f"bring it to its end: lianfang-server run resume {folder} {still}; where it "
            f"never comes: lianfang-server run give-up {folder} {still}",
        )
