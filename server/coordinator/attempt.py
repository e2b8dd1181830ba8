"""One process's attempt to carry a run to its end: alone in the run's folder, with its status kept.

Invariants:
- One process at a time conducts a run: it holds the lock of the run's folder from its first look at
  it to its end, however it ends.
- `status.json` says how the attempt ended before anybody else hears of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from flwr.serverapp import Grid

from server.coordinator.asked import check_not_given_up
from server.coordinator.exchange import Policy
from server.coordinator.measures import measures_of
from server.coordinator.rounds import conduct, read_terms
from server.coordinator.status import Status, StatusFile, read_status
from server.one_at_a_time import Alone, alone_in
from shared.errors import OperatorError
from shared.model.saved import digest_of
from shared.training.asked_run import AskedRun

TURN_SECONDS = 10.0
"""How long the process of an earlier attempt may take to end."""


def attempt(
    grid: Grid,
    folder: Path,
    *,
    resume: bool,
    patience: float = 0.0,
    deadline: float = 0.0,
    soonest_again: float = 0.0,
    flower_run: int = 0,
    shut_out: Callable[[str], str] = lambda code: "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    turn_seconds: float = TURN_SECONDS,
) -> None:
    """Conduct the run in `folder`. `patience`, `deadline`, `soonest_again`: seconds, 0 as usual;
    `flower_run`: its number at the SuperLink; `shut_out`: as `conduct` takes it. Raises what
    `conduct` raises, and OperatorError when another process is at it, or a batch was given up.
    """
    agreement = read_terms(folder)
    policy = Policy(
        agreement.minimum_lenders,
        patience=patience or Policy.patience,
        deadline=deadline or Policy.deadline,
        soonest_again=soonest_again or Policy.soonest_again,
    )
    turn = _turn(folder, turn_seconds)
    try:
        status = StatusFile(folder, _begun(folder, agreement.digest(), flower_run, now()), now)
        try:
            check_not_given_up(folder)  # perhaps since this process was asked for
            run = conduct(grid, folder, policy, resume=resume, watcher=status, shut_out=shut_out)
        except httpx.HTTPError:
            raise  # the SuperLink is gone; whoever carries the run starts it again: not its end
        except Exception as error:  # told in status.json, by kind and place, and raised again
            status.failed(error)
            raise
        if isinstance(run, AskedRun):
            status.finished("", {})
        else:
            status.finished(digest_of(run.model()), measures_of(run))
    finally:
        turn.release()


def _turn(folder: Path, seconds: float) -> Alone:
    until = time.monotonic() + seconds
    while True:
        try:
            return alone_in(folder)
        except OperatorError:
            if time.monotonic() >= until:
                raise
        time.sleep(0.1)


def _begun(folder: Path, agreement: str, flower_run: int, now: datetime) -> Status:
    began = now.isoformat(timespec="milliseconds")
    before = read_status(folder) or Status(folder.name, "starting", started=began)
    return replace(
        before,
        state="running",
        attempt=before.attempt + 1,
        agreement=agreement,
        flower_run=flower_run,
        process=os.getpid(),
        where="",
        blamed=(),
        error="",
        remedy="",
    )
