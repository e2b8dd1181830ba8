"""Runs that nobody works on though nothing ended them: found, and resumed by themselves.

Invariants:
- A run that was stopped or given up, failed or is finished stays so.
- Each is resumed at most `MOST_FRUITLESS` times without a stage done in between, and fails then.
- What keeps one run from being looked after is said once, and keeps no other from it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

from server.coordinator.places import GIVEN_UP
from server.coordinator.status import STATUS, Status, read_status, write_status
from server.deployment.control import Control, control_of
from server.deployment.runs import (
    CLOSED,
    RUNS,
    STARTED,
    at_work,
    fruitless,
    has_model,
    names_of,
    read_started,
    readable_status,
    resume_run,
    tell_once,
)
from shared.errors import LianfangError, OperatorError

MOST_FRUITLESS = 5
"""How often an interrupted run is resumed by itself without a stage done in between."""
_YOUNG_SECONDS = 5.0
_log = logging.getLogger("lianfang.deployment")


def interrupted(folder: Path, control: Control) -> list[str]:
    """Runs that nobody works on, though nothing ended them: the SuperLink gave them up, or never
    had them.
    """
    found = []
    for name in names_of(folder):
        place = folder / RUNS / name
        try:
            if not _unended(place):
                continue
            number = read_started(place).flower_run
        except (LianfangError, OSError) as error:
            tell_once(name, error)
            continue
        flower = control.run(number) if number else None
        young = _age(place / STATUS) < _YOUNG_SECONDS  # it may just be about to be told a number
        if (flower is None and not young) or (flower is not None and flower.ended):
            found.append(name)
    return found


def resume_interrupted(folder: Path) -> list[str]:
    """Resume them, each at most `MOST_FRUITLESS` times without a stage done; who was. Raises
    nothing: a supervisor calls it again and again.
    """
    resumed = []
    try:
        with control_of(folder) as control:
            for name in interrupted(folder, control):
                try:
                    resumed += [name] if _resumed(folder, name, control) else []
                except (LianfangError, OSError) as error:
                    tell_once(name, error)
    except (LianfangError, OSError) as error:
        _log.debug("runs could not be looked after: %s", type(error).__name__)
    return resumed


def _unended(place: Path) -> bool:
    """Whether a run was begun, nothing ended it, and nobody is at work on it."""
    if (place / CLOSED).exists() or (place / GIVEN_UP).exists() or at_work(place):
        return False
    try:
        status = read_status(place)
    except OperatorError as error:
        tell_once(place.name, error)
        return (place / STARTED).exists() and not has_model(place)
    return status is not None and not status.ended


def _resumed(folder: Path, name: str, control: Control) -> bool:
    place = folder / RUNS / name
    if fruitless(place) > MOST_FRUITLESS:
        _give_up(place)
        return False
    _log.warning("run %s was interrupted and goes on", name, extra={"run": name})
    resume_run(folder, name, control)
    return True


def _give_up(place: Path) -> None:
    status = readable_status(place) or Status(place.name, "starting")
    if not status.ended:
        write_status(
            place,
            replace(
                status,
                state="failed",
                process=0,
                where=status.phase or status.stage or "start",
                error=f"its process ended {MOST_FRUITLESS} times without a stage done",
                remedy=f"see log/; then lianfang-server run resume {place.name}",
            ),
        )


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
