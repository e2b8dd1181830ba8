"""What a researcher asked for, kept beside the run so that --resume needs nothing but the folder.

Invariants:
- Nothing of somebody else's in the folder is written over, and one simulation writes there at a
  time.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.errors import OperatorError

ASKED = "simulation.json"
RESULTS = ("report.json", "report.html")
_LOCK = ".lock"


@dataclass(frozen=True)
class Asked:
    """The command line, but for where and whether to go on. `seeds` empty: the study's own."""

    config: str
    backend: str
    family: str | None
    rounds: int | None
    lenders: int | None
    seeds: tuple[int, ...]
    references: bool
    out_of_time: bool
    plain: bool = False
    fraud_list: bool = True
    rings: int = 0
    decoys: int = 0
    ring_habits: str = "usual"
    borrowing: bool = False


def read_asked(out: Path, now: Asked, usual: Asked) -> Asked:
    """What the simulation in `out` began with, to go on with it.

    OperatorError when there is none, or when `now` asks for another choice: one that is neither
    what it began with nor the `usual` one.
    """
    path = out / ASKED
    if not path.exists():
        raise OperatorError(
            f"{out} holds no simulation to resume", remedy="name its folder with --out"
        )
    kept = _kept(path)
    if kept is None:
        raise OperatorError(f"{path} cannot be used", remedy="start again")
    if now.plain and not kept.plain:
        raise OperatorError(
            f"the run in {out} began with secure sums and cannot go on with plain ones",
            remedy="leave --plain out to go on with it; for a run with plain sums leave --resume "
            "out and name another folder with --out",
        )
    for name, value in now.__dict__.items():
        if value not in (usual.__dict__[name], kept.__dict__[name]):
            raise OperatorError(
                f"--resume goes on as the run began: its {name} was {kept.__dict__[name]}",
                remedy="leave the option out, or start again without --resume",
            )
    return kept


def keep_asked(asked: Asked, out: Path) -> None:
    """Note in `out` what was asked, and put an earlier report away: it belongs to an earlier run.

    OperatorError when a report there is not a simulation's.
    """
    ours = (out / ASKED).exists() and _kept(out / ASKED) is not None
    if not ours and any((out / name).exists() for name in (*RESULTS, ASKED)):
        raise OperatorError(
            f"{out} holds a report that is not an earlier simulation's; nothing was overwritten",
            remedy="choose another folder with --out, or move the report away",
        )
    for name in RESULTS:
        (out / name).unlink(missing_ok=True)
    (out / ASKED).write_text(json.dumps(asked.__dict__, indent=1), encoding="utf-8")


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold `out` for this process alone; OperatorError when another simulation writes there."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorError(
                f"another simulation is writing into {out}",
                remedy="wait for it to end, or choose another folder with --out",
            ) from error
        yield


def _kept(path: Path) -> Asked | None:
    """What was asked when the run began; None when the file is not of our making."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Asked(**(kept | {"seeds": tuple(kept["seeds"])}))
    except (ValueError, TypeError, KeyError):
        return None
