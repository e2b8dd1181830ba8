"""Runs of a consortium: one folder each, started, stopped and resumed over the Control API. Who
resumes those that were interrupted: `interrupted_runs.py`.

    runs/NAME/agreement.json   the terms, which lenders fetch and compare before they answer
    runs/NAME/{authority.crt, coordinator.crt, coordinator.key}   links to the coordinator's own
    runs/NAME/status.json      see server/coordinator/status.py
    runs/NAME/started.json     the run's number at the SuperLink, how often it was started
    runs/NAME/closed           it was stopped: lenders are not shown its terms any more
    runs/NAME/{stages, rounds, refusals, model}   see docs/deployment.md

Invariants:
- A run's folder appears whole, under a name that is safe in a path, and never over another.
- One process at a time works on a run (the lock of its folder); a run that is at work is not
  started again.
- A status that cannot be read holds up no other run; its own run begins a new one, and goes on from
  its stages.
- A run that is resumed goes on under the same terms; another agreement is another run.
- A batch and another run are not under way together (`batch_alone.py`).
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

from server.coordinator.asked import batch_of, check_not_given_up
from server.coordinator.checkpoint import SUFFIX, unwritable
from server.coordinator.places import AGREEMENT, ANSWER, MODEL, STAGES
from server.coordinator.status import Status, read_status, write_status
from server.deployment.control import Control, Value, bundle_of
from server.files import write_durably
from server.keys import AUTHORITY, COORDINATOR, COORDINATOR_KEY
from server.one_at_a_time import FILE as LOCK
from server.one_at_a_time import alone_in
from shared.errors import LianfangError, OperatorError
from shared.identity.certificate import CODE
from shared.training.agreement import Agreement
from shared.training.asked_run import AskedTerms
from shared.wire.bounds import MOST_VALUES

RUNS, STARTED, CLOSED = "runs", "started.json", "closed"
_STOP_SECONDS, _TERM_SECONDS = 2.0, 10.0
_log = logging.getLogger("lianfang.deployment")
_told: set[tuple[str, str]] = set()
"""What was said of runs that cannot be looked after."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Started:
    """What was last asked of the SuperLink. `fruitless`: starts since a stage was last done."""

    flower_run: int = 0
    attempt: int = 0
    stages: int = 0
    fruitless: int = 0
    patience: float = 0.0
    deadline: float = 0.0


def run_folder(folder: Path, name: str) -> Path:
    """Of a run that is there; OperatorError for a name that is none, or of no run."""
    path = _place(folder, name)
    if not (path / AGREEMENT).is_file():
        known = ", ".join(names_of(folder)) or "none yet"
        raise OperatorError(f"there is no run {name}", remedy=f"runs here: {known}")
    return path


def names_of(folder: Path) -> list[str]:
    """All runs of a coordinator's folder, the oldest first."""
    found = [path.parent for path in (folder / RUNS).glob(f"*/{AGREEMENT}")]
    found = [path for path in found if CODE.fullmatch(path.name)]
    return [path.name for path in sorted(found, key=lambda one: (one.stat().st_ctime, one.name))]


def found_run(folder: Path, name: str, agreement: Agreement | AskedTerms) -> Path:
    """Make a new run's folder; OperatorError, and nothing is changed, if it is there already."""
    place = _place(folder, name)
    partial = place.with_name(f".{name}.new")
    try:
        place.parent.mkdir(mode=0o700, exist_ok=True)
        rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        terms = json.dumps(agreement.to_dict(), indent=1, ensure_ascii=False)
        write_durably(partial / AGREEMENT, terms.encode())
        for own in (AUTHORITY, COORDINATOR, COORDINATOR_KEY):
            (partial / own).symlink_to(Path("..", "..", own))
        if place.exists():
            raise OperatorError(
                f"a run {name} is there already",
                remedy=f"choose another name, or: lianfang-server run resume {folder} {name}",
            )
        partial.rename(place)
    except OSError as error:
        raise unwritable(place.parent, error) from error
    finally:
        rmtree(partial, ignore_errors=True)
    return place


def start_run(
    folder: Path,
    name: str,
    agreement: Agreement | AskedTerms,
    control: Control,
    *,
    patience: float = 0.0,
    deadline: float = 0.0,
    now: Callable[[], datetime] = _now,
) -> Path:
    """Found a run and start it; its folder. `patience`, `deadline`: seconds, 0 as usual.

    OperatorError, and nothing is changed, where an answer would be larger than messages are, or
    another run that is under way would be disturbed.
    """
    from shared.training.longest import check_longest  # loads torch: for this command alone

    batch = agreement if isinstance(agreement, AskedTerms) else None
    if not isinstance(agreement, AskedTerms):
        check_longest(agreement, MOST_VALUES)
    _check_alone(folder, batch, control)
    bundle = bundle_of(folder)
    place = found_run(folder, name, agreement)
    started = Started(patience=patience, deadline=deadline)
    _launch(place, bundle, control, started, resume=False, now=now)
    return place


def resume_run(
    folder: Path,
    name: str,
    control: Control,
    *,
    patience: float | None = None,
    deadline: float | None = None,
    now: Callable[[], datetime] = _now,
) -> Path:
    """Let a run go on that failed, was stopped or was interrupted; its folder.

    Without `patience` or `deadline` they are as before. OperatorError when it is finished, or given
    up, when a process is at work on it, or another run would be disturbed.
    """
    place, bundle = run_folder(folder, name), bundle_of(folder)
    status, before = readable_status(place), read_started(place)
    if status is not None and status.state == "finished":
        raise OperatorError(f"run {name} is finished", remedy="start another one")
    if at_work(place):
        raise OperatorError(
            f"run {name} is at work",
            remedy=f"watch it: lianfang-server run status {folder} {name} --watch",
        )
    check_not_given_up(place)  # its process looks again, under the lock
    _check_alone(folder, batch_of(place), control, name)
    if before.flower_run:
        control.stop(before.flower_run)
    (place / CLOSED).unlink(missing_ok=True)
    asked = replace(
        before,
        patience=before.patience if patience is None else patience,
        deadline=before.deadline if deadline is None else deadline,
    )
    _launch(place, bundle, control, asked, resume=True, now=now)
    return place


def stop_run(
    folder: Path,
    name: str,
    control: Control,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = _now,
) -> None:
    """End a run's process and close the run to lenders; what is done is kept and can be resumed.

    OperatorError when it is finished, or its process does not end.
    """
    place = run_folder(folder, name)
    status = readable_status(place)
    if status is not None and status.state == "finished":
        raise OperatorError(f"run {name} is finished", remedy="there is nothing to stop")
    number = read_started(place).flower_run
    (place / CLOSED).touch(mode=0o600)  # first: a run that just ends and is open is taken up again
    if number:
        control.stop(number)
    for kind, seconds in ((None, _STOP_SECONDS), (signal.SIGTERM, _TERM_SECONDS)):
        if kind is not None:
            _signal(place, kind)
        until = clock() + seconds
        while at_work(place) and clock() < until:
            sleep(0.1)
    turn = alone_in(place)
    try:
        status = readable_status(place) or Status(name, "stopped", started=_iso(now()))
        write_status(place, replace(status, state="stopped", process=0, updated=_iso(now())))
    finally:
        turn.release()


def read_started(place: Path) -> Started:
    """What was last asked of the SuperLink about a run; all zero before."""
    try:
        return Started(**json.loads((place / STARTED).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Started()
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(
            f"{place / STARTED} cannot be read", remedy="remove it, then resume the run"
        ) from error


def _check_alone(folder: Path, batch: AskedTerms | None, control: Control, name: str = "") -> None:
    from server.deployment import batch_alone  # it looks at runs by this module

    batch_alone.check_alone(folder, batch, control, name)


def at_work(place: Path) -> bool:
    """Whether a process holds the run's lock. It is let go of when its holder ends, however."""
    try:
        handle = os.open(place / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def readable_status(place: Path) -> Status | None:
    """None, too, where it is damaged: the run is in its stages, and its status begins anew."""
    try:
        return read_status(place)
    except OperatorError as error:
        tell_once(place.name, error)
        return None


def tell_once(name: str, error: Exception) -> None:
    """Log what keeps a run from being looked after, the first time."""
    what = error.what if isinstance(error, LianfangError) else type(error).__name__
    if (name, what) not in _told:
        _told.add((name, what))
        _log.error("run %s: %s", name, what, extra={"run": name})


def _launch(
    place: Path,
    bundle: bytes,
    control: Control,
    before: Started,
    *,
    resume: bool,
    now: Callable[[], datetime],
) -> None:
    fresh = Status(place.name, "starting", started=_iso(now()))
    status = readable_status(place) or fresh
    started = replace(
        before,
        flower_run=0,
        attempt=before.attempt + 1,
        stages=_stages(place),
        fruitless=fruitless(place) if resume else 0,
    )
    clean = replace(status, state="starting", updated=_iso(now()))
    write_status(place, replace(clean, error="", remedy="", where="", blamed=(), process=0))
    config: dict[str, Value] = {"run-directory": str(place.resolve()), "resume": resume}
    config |= {"patience": float(before.patience)} if before.patience else {}
    config |= {"deadline": float(before.deadline)} if before.deadline else {}
    number = control.start(bundle, config)
    _write_started(place, replace(started, flower_run=number))


def _write_started(place: Path, started: Started) -> None:
    try:
        write_durably(place / STARTED, json.dumps(started.__dict__).encode())
    except OSError as error:
        raise unwritable(place, error) from error


def fruitless(place: Path) -> int:
    """Starts in a row, the next one among them, since a stage was last done."""
    before = read_started(place)
    return 1 + (before.fruitless if _stages(place) <= before.stages else 0)


def _stages(place: Path) -> int:
    return len(list((place / STAGES).glob(f"*{SUFFIX}")))


def _signal(place: Path, kind: signal.Signals) -> None:
    """To the process that holds the run's lock and says so in its status."""
    status = readable_status(place)
    if status is not None and status.process and at_work(place):
        try:
            os.kill(status.process, kind)
        except OSError:
            return


def has_model(place: Path) -> bool:
    """Whether the run in this folder has written what it ends with: a model, or an answer."""
    return (place / MODEL).is_dir() or (place / ANSWER).is_file()


def _place(folder: Path, name: str) -> Path:
    if not CODE.fullmatch(name):
        raise OperatorError(
            "that is no name for a run",
            remedy="letters, digits, '_', '-' and '.', at most 64, such as spring-2027",
        )
    return folder / RUNS / name


def _iso(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds")
