"""A run from the first question to the last: our own loop, so that every stage has a quorum, a
deadline and a checkpoint.

    question ─► Exchange.collect ─► checkpoint (durable) ─► absorb ─► next question

Invariants:
- The loop decides nothing: what comes next is the pure `Run`'s business.
- A run that was resumed gives the model of an undisturbed one, provided the same lenders answer.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from flwr.serverapp import Grid

from server.coordinator.checkpoint import Checkpoints, StageRecord, unwritable, write_durably
from server.coordinator.exchange import Exchange, Policy, VoidStageError
from shared.errors import OperatorError, PeerError
from shared.model.saved import digest_of, from_files, to_files
from shared.model.shared_model import SharedModel
from shared.training.agreement import Agreement, agreement_from
from shared.training.run import Run

AGREEMENT = "agreement.json"
STAGES = "stages"
MODEL = "model"
_log = logging.getLogger("lianfang.coordinator")


def read_agreement(folder: Path) -> Agreement:
    """The agreement kept in a run's folder; OperatorError when there is none."""
    path = folder / AGREEMENT
    if (folder / "client.toml").exists():
        raise OperatorError(f"{folder} is a lender's folder", remedy="name the folder of a run")
    try:
        return agreement_from(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise OperatorError(
            f"{folder} holds no run: {AGREEMENT} is missing",
            remedy=f"name the folder of a run{_likely(folder)}",
        ) from error
    except json.JSONDecodeError as error:
        raise OperatorError(f"{path}: {error}", remedy="restore it from a lender's copy") from error


def _likely(folder: Path) -> str:
    return f": {folder / 'run'}" if (folder / "run" / AGREEMENT).exists() else ""


def read_model(folder: Path) -> SharedModel:
    """The shared model of a finished run; OperatorError when it is missing or does not fit."""
    try:
        return from_files({path.name: path.read_bytes() for path in (folder / MODEL).iterdir()})
    except OSError as error:
        raise OperatorError(
            f"{folder} holds no model", remedy="let the run finish: simulate.py --resume"
        ) from error


def conduct(
    grid: Grid,
    folder: Path,
    policy: Policy,
    *,
    resume: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Run:
    """Carry a run in `folder` to its end and write the shared model there.

    Without `resume` earlier stages in the folder are forgotten. Raises VoidStageError when too few
    lenders answer; everything up to that stage is kept and can be resumed.
    """
    agreement = read_agreement(folder)
    if agreement.profile == "production":
        raise OperatorError(
            "the production profile refuses plain sums, and this version has no other",
            remedy='use profile = "demo", with data you may show to the coordinator',
        )
    run = Run(agreement)
    checkpoints = Checkpoints(folder / STAGES)
    if not resume:
        checkpoints.clear()
    released, records = checkpoints.replay(run)
    known = {member for record in records for member in record.members}
    exchange = Exchange(grid, policy, known=known, clock=clock, sleep=sleep)
    while not run.finished:
        question, start = run.question(), clock()
        got = exchange.collect(run, released)
        try:
            run.absorb(got.total)
        except PeerError as error:
            raise VoidStageError(
                f"stage {question.stage}: the total cannot be used: {error.what}",
                remedy="check the lenders' tables and labels; if they are right, one lender sends "
                "false numbers: find out which, leave it out, then go on with --resume",
            ) from error
        record = StageRecord(
            question.stage,
            got.members,
            got.missing,
            got.messages,
            got.bytes_up,
            got.bytes_down,
            round(clock() - start, 4),
        )
        checkpoints.write(len(released), got.total, record, run.digest)
        released.append(got.total)
        _tell(run, record)
    _write_model(run, folder / MODEL)
    return run


def _tell(run: Run, record: StageRecord) -> None:
    about = {"stage": record.stage, "done": run.absorbed, "steps": run.steps}
    _log.info("stage %s: %d lenders", record.stage, len(record.members), extra=about)
    for line in record.missing:
        _log.warning("stage %s went on without %s", record.stage, line)


def _write_model(run: Run, folder: Path) -> None:
    model = run.model()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in to_files(model).items():
            write_durably(folder / name, content)
    except OSError as error:
        raise unwritable(folder, error) from error
    _log.info("the shared model is %s", digest_of(model)[:16])
