"""A batch whose end never comes is given up: it holds up no other one any more.

    stuck ──person, with --yes──► given up        its lenders that wait: `lianfang-client borrowing
                                                  give-up`, by two persons at each

Invariants:
- Only a batch whose total was opened, and whose end was not heard by all, can be given up, while
  nobody is at work on it. Nothing else holds up a batch.
- It cannot be taken back: the batch is not resumed, and its total is handed to nobody.
- This is the coordinator's word alone. A lender that waits for the end goes on waiting until people
  there say so as well: it insists by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from server.coordinator.asked import batch_of, is_stuck
from server.coordinator.checkpoint import records_in, unwritable
from server.coordinator.places import ANSWER, GIVEN_UP, STAGES
from server.coordinator.status import Status, write_status
from server.deployment.batch_alone import under_way
from server.deployment.control import Control
from server.deployment.runs import CLOSED, at_work, read_started, readable_status, run_folder
from server.files import write_durably
from server.one_at_a_time import alone_in
from shared.errors import OperatorError
from shared.training.asked_run import AskedRun

_NOBODY = "it was given up: nobody is given its total"
_ANEW = "its asker may ask anew, in another batch"


@dataclass(frozen=True)
class Stuck:
    """A batch that can be given up. `lenders`: in its total; `why`: what was said last of its end,
    empty where nothing was.
    """

    name: str
    agreement: str
    asker: str
    lenders: tuple[str, ...]
    why: str


def stuck_batch(folder: Path, name: str) -> Stuck:
    """What there is to give up; OperatorError where there is nothing."""
    place = run_folder(folder, name)
    terms = batch_of(place)
    if terms is None:
        raise OperatorError(
            f"run {name} is no batch about borrowing, and holds up none",
            remedy=f"to end a training: lianfang-server run stop {folder} {name}",
        )
    if not is_stuck(place):
        what, remedy = _not_stuck(folder, place)
        raise OperatorError(what, remedy=remedy)
    records, status = records_in(place / STAGES), readable_status(place)
    if len(records) == AskedRun.steps:
        raise OperatorError(
            f"batch {name} was heard to its end by all, and only its answer is not written",
            remedy=f"lianfang-server run resume {folder} {name}",
        )
    why = status.error if status is not None else ""
    lenders = tuple(sorted(records[0].members))
    return Stuck(name, terms.digest(), terms.batch.asker, lenders, why)


def _not_stuck(folder: Path, place: Path) -> tuple[str, str]:
    """What a batch is that needs no giving up, and what to do instead."""
    name = place.name
    if (place / GIVEN_UP).exists():
        return f"batch {name} was given up before", "there is nothing more to do here"
    if (place / ANSWER).exists():
        return f"batch {name} has an end and an answer", f"give {place / ANSWER} to its asker"
    return (
        f"no total of batch {name} was opened: it holds up no other",
        f"let it go on: lianfang-server run resume {folder} {name}; or start another",
    )


def idle_batch(
    folder: Path, name: str, reached: Callable[[Path], AbstractContextManager[Control]]
) -> Stuck:
    """As `stuck_batch`, and OperatorError where somebody is at work on it. Where no SuperLink is
    `reached` only a process that is there already can be.
    """
    place, stuck = run_folder(folder, name), stuck_batch(folder, name)
    try:
        with reached(folder) as control:
            busy = under_way(place, control)
    except OperatorError:
        busy = at_work(place)
    if busy:
        raise _busy(folder, name)
    return stuck


def give_up(folder: Path, name: str, control: Control, now: Callable[[], datetime]) -> Stuck:
    """End it for good; what was given up. OperatorError, and nothing is changed, where there is
    nothing to give up, or somebody is at work on it.
    """
    place = run_folder(folder, name)
    stuck_batch(folder, name)
    if under_way(place, control):
        raise _busy(folder, name)
    turn = alone_in(place)
    try:
        stuck = stuck_batch(folder, name)  # nobody changes it any more
        at = now().isoformat(timespec="milliseconds")
        write_durably(place / GIVEN_UP, at.encode())
        (place / CLOSED).touch(mode=0o600)
        status = readable_status(place) or Status(name, "stopped", started=at)
        ended = replace(status, state="stopped", process=0, updated=at)
        write_status(place, replace(ended, error=_NOBODY, remedy=_ANEW))
    except OSError as error:
        raise unwritable(place, error) from error
    finally:
        turn.release()
    if number := read_started(place).flower_run:
        control.stop(number)
    return stuck


def _busy(folder: Path, name: str) -> OperatorError:
    return OperatorError(
        f"batch {name} is at work: it may still come to its end",
        remedy=f"let it end, or first: lianfang-server run stop {folder} {name}",
    )


def costs(stuck: Stuck) -> tuple[str, ...]:
    """What is lost, a sentence each."""
    return (
        f"the total that {len(stuck.lenders)} lenders opened ({', '.join(stuck.lenders)}) is given "
        f"to nobody: {stuck.asker} has to ask anew, in another batch",
        "nobody will learn whether all of them were told the same of it; each that waits for that "
        "answers no batch until two persons there give it up as well: lianfang-client borrowing "
        "give-up",
        "it cannot be taken back",
    )
