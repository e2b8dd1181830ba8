"""Flower's own state at the coordinator (`state.db`): set aside where it is damaged.

Invariants:
- Nothing of ours rests on it: a run's truth is in `runs/`, who is a member in `members.json`. One
  that is made anew has the nodes registered again, and runs that were at work are resumed.
- A sound one is left as it is, also with a log (WAL) that a killed process left beside it.
- Look at it only while no SuperLink runs on it.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from shared.errors import OperatorError

_PARTS = ("-wal", "-shm", "")
_log = logging.getLogger("lianfang.deployment")


def set_aside_if_damaged(database: Path) -> Path | None:
    """Where a damaged one, with what belongs to it, is then; None when it is sound or there is
    none. It takes the place of an earlier one. OperatorError when it cannot be read or moved.
    """
    if not database.exists():
        return None
    why = _damage(database)
    if not why:
        return None
    aside = database.with_name(f"{database.name}.damaged")
    try:
        for part in _PARTS:
            part_of = database.with_name(database.name + part)
            to = aside.with_name(aside.name + part)
            to.unlink(missing_ok=True)
            if part_of.exists():
                part_of.replace(to)
    except OSError as error:
        raise _unusable(database, error.strerror or type(error).__name__) from error
    _log.error(
        "%s is damaged (%s): it is now %s, and begun anew; runs go on from runs/, and lenders "
        "connect again by themselves; if it happens again, check the disk",
        *(database.name, why, aside.name),
    )
    return aside


def _damage(database: Path) -> str:
    """What is wrong with it; "" when nothing is."""
    try:
        with closing(sqlite3.connect(database, timeout=5.0)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise _unusable(database, str(error)) from error
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else "its check failed"


def _unusable(database: Path, why: str) -> OperatorError:
    return OperatorError(
        f"{database} cannot be read or moved: {why}",
        remedy="mend the disk or the folder's permissions; or move state.db, state.db-wal and "
        "state.db-shm away: runs go on from runs/",
    )
