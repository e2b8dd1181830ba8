"""A run from the first question to the last: our own loop, so that every stage has a quorum, a
deadline and a checkpoint.

    question ─► Exchange.collect ─► absorb ─► checkpoint (durable) ─► next question

Invariants:
- The loop decides nothing: what comes next is the pure `Run`'s business.
- A run that was resumed gives the model of an undisturbed one, provided the same lenders answer.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray

from server.coordinator.asked import counted_before, write_answer
from server.coordinator.checkpoint import Checkpoints, StageRecord, unwritable, write_durably
from server.coordinator.conversation import Conversation
from server.coordinator.exchange import Collected, Exchange, Policy, VoidStageError
from server.coordinator.kept_rounds import ROUNDS, KeptRounds
from server.coordinator.places import AGREEMENT as AGREEMENT
from server.coordinator.places import MODEL as MODEL
from server.coordinator.places import STAGES as STAGES
from server.coordinator.plain_exchange import PlainExchange
from server.coordinator.progress import NoWatcher, Watcher
from server.coordinator.refusals import REFUSALS, Refusals
from server.coordinator.secure_exchange import SecureExchange
from server.coordinator.set_up import Means, SettingUp
from server.coordinator.told import Told
from server.keys import read_identity
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Member
from shared.model.saved import digest_of, from_files, to_files
from shared.model.shared_model import SharedModel
from shared.secure_sum.floors import Floors
from shared.secure_sum.suite import STANDARD, Randomness
from shared.secure_sum.trust import Trust
from shared.training.agreement import Agreement
from shared.training.asked_run import AskedRun, AskedTerms, terms_from
from shared.training.fold import Fold
from shared.training.question import Question
from shared.training.run import Run

_log = logging.getLogger("lianfang.coordinator")


def _now() -> datetime:
    return datetime.now(UTC)


def read_agreement(folder: Path) -> Agreement:
    """The agreement kept in a run's folder; OperatorError when there is none, or the run is a batch
    about borrowing.
    """
    terms = read_terms(folder)
    if isinstance(terms, AskedTerms):
        raise OperatorError(
            f"{folder} is a batch about borrowing: it has an answer, and no model",
            remedy="name the folder of another run",
        )
    return terms


def read_terms(folder: Path) -> Agreement | AskedTerms:
    """What the run in a folder is about; OperatorError when there is none."""
    path = folder / AGREEMENT
    if (folder / "client.toml").exists():
        raise OperatorError(f"{folder} is a lender's folder", remedy="name the folder of a run")
    try:
        return terms_from(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise OperatorError(
            f"{folder} holds no run: {AGREEMENT} is missing",
            remedy=f"name the folder of a run{_likely(folder)}",
        ) from error
    except json.JSONDecodeError as error:
        raise OperatorError(f"{path}: {error}", remedy="restore it from a lender's copy") from error
    except PeerError as error:
        raise OperatorError(f"{path}: {error.what}", remedy="start the batch anew") from error


def fold_of(terms: Agreement | AskedTerms) -> Run | AskedRun:
    """A run at its beginning."""
    return AskedRun(terms) if isinstance(terms, AskedTerms) else Run(terms)


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
    watcher: Watcher | None = None,
    shut_out: Callable[[str], str] = lambda code: "",
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = _now,
    randomness: Randomness = secrets.token_bytes,
) -> Run | AskedRun:
    """Carry a run in `folder` to its end and write there what it ends with: the shared model, or
    the answer to a batch.

    `shut_out`: why a lender, by code, cannot come, "" if that is not known; it is told where the
    lender is missing. Without `resume` earlier stages of a plain run in the folder are forgotten. A
    secure run that began is not begun again, as lenders mask no number twice: OperatorError, and
    nothing changes.
    Raises VoidStageError when too few lenders answer; everything up to that stage is kept and can
    be resumed.
    """
    run, watcher = fold_of(read_terms(folder)), watcher or NoWatcher()
    _keep_private(folder)
    checkpoints, kept = Checkpoints(folder / STAGES), KeptRounds(folder / ROUNDS)
    if not resume:
        _check_new(folder, run, checkpoints, kept)
        checkpoints.clear()
    totals, records = checkpoints.replay(run)
    released = [run.told(total) for total in totals]
    watcher.goes_on(records)
    if run.agreement.sums == "plain":
        _log.warning("plain sums: not secure, single lenders' numbers can be seen here")
        conversation = Conversation(
            grid, policy, watcher=watcher, shut_out=shut_out, clock=clock, sleep=sleep
        )
        known = {member for record in records for member in record.members}
        exchange: Exchange = PlainExchange(conversation, known=known)
    else:
        means = _means(folder, run, now, randomness)
        counted = counted_before(folder, run) if isinstance(run, AskedRun) else ()
        members: dict[str, Member] = {}
        refusals = Refusals(folder / REFUSALS, means.suite, members.get)
        conversation = Conversation(
            grid,
            policy,
            refusals=refusals,
            watcher=watcher,
            shut_out=shut_out,
            clock=clock,
            sleep=sleep,
        )
        setting_up = SettingUp(means, conversation, kept, members)
        exchange = SecureExchange(means, conversation, kept, setting_up, records, counted)
    told = Told("stage %s went on without %s"), Told("stage %s was opened without the help of %s")
    while not run.finished:
        question, start = run.question(), clock()
        watcher.stage(question.stage, run.absorbed, run.steps)
        got = exchange.collect(run, released)
        _absorb(run, got.total)
        record = _record(question, got, round(clock() - start, 4))
        checkpoints.write(len(released), got.total, record, run.digest)
        released.append(run.told(got.total))
        records.append(record)
        watcher.recorded(record)
        _tell(run, record, told)
    if isinstance(run, AskedRun):
        write_answer(folder, run, records, read_identity(folder, now())[0])
    else:
        _write_model(run, folder / MODEL)
    return run


def _keep_private(folder: Path) -> None:
    """Take the run's folder away from all but its owner, where it is ours to do so."""
    mode = folder.stat().st_mode & 0o777
    if not mode & 0o077:
        return
    try:
        folder.chmod(mode & 0o700)
    except OSError as error:
        _log.warning("%s can be used by others, and that cannot be changed: %s", folder, error)


def _check_new(folder: Path, run: Fold, checkpoints: Checkpoints, kept: KeptRounds) -> None:
    """Without `resume`: that no secure run has begun in this folder."""
    done = len(checkpoints.paths())
    if not kept.began() and (done == 0 or run.agreement.sums == "plain"):
        return
    raise OperatorError(
        f"the secure run in {folder} has begun ({done} stages done), and no lender masks the same "
        "numbers twice; nothing was changed",
        remedy="go on with it: simulate.py --resume, or resume=true in the run configuration; or "
        "start a new run in a new folder, on new terms (another name or seed in the agreement)",
    )


def _means(folder: Path, run: Fold, now: Callable[[], datetime], randomness: Randomness) -> Means:
    identity, authority = read_identity(folder, now())
    agreement = bytes.fromhex(run.agreement.digest())
    same = Floors.of(run.agreement.profile).same_lenders
    return Means(STANDARD, identity, Trust(authority, now), agreement, randomness, now, same)


def _absorb(run: Fold, total: NDArray[np.int64]) -> None:
    stage = run.question().stage
    try:
        run.absorb(total)
    except PeerError as error:
        again = "go on with --resume" if run.agreement.sums == "plain" else "start a new run"
        raise VoidStageError(
            f"stage {stage}: the total cannot be used: {error.what}",
            remedy="check the lenders' tables and labels; if they are right, one lender sends "
            f"false numbers: find out which, leave it out, then {again}",
            where=f"{stage}, total",
        ) from error


def _record(question: Question, got: Collected, seconds: float) -> StageRecord:
    spent, set_up = got.traffic, got.set_up
    return StageRecord(
        question.stage,
        got.members,
        got.missing,
        spent.messages,
        spent.bytes_up,
        spent.bytes_down,
        seconds,
        question.kind,
        got.round,
        got.agreed,
        (set_up.messages, set_up.bytes_up, set_up.bytes_down),
        got.lost,
    )


def _tell(run: Fold, record: StageRecord, told: tuple[Told, Told]) -> None:
    about = {"stage": record.stage, "done": run.absorbed, "steps": run.steps}
    _log.info("stage %s: %d lenders", record.stage, len(record.members), extra=about)
    without, unhelped = told
    without.warn(record.stage, record.missing, record.members)
    lost = {line.partition(": ")[0] for line in record.lost}
    unhelped.warn(record.stage, record.lost, set(record.members) - lost)


def _write_model(run: Run, folder: Path) -> None:
    model = run.model()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in to_files(model).items():
            write_durably(folder / name, content)
    except OSError as error:
        raise unwritable(folder, error) from error
    _log.info("the shared model is %s", digest_of(model)[:16])
