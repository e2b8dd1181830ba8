"""How far a run is, who took part, and why it ended as it did, in the run's folder.

    starting ─► running ─► finished | failed | stopped          resumed: … ─► starting ─► …

    status.json     as a stage, or the run, began or ended: durable
    watching.json   the same within a stage, each time a lender has answered: for who watches

Invariants:
- They are written by whoever has the run's turn: the run's own process, or a command while that
  process is gone. Each file is whole. A power cut may cost watching.json, which is not waited for,
  and no more: status.json is never written in another way than durably.
- It stops no run: where a disk does not take it, the log says so, and the run goes on while its
  stages find room.
- A process that is killed leaves "running" behind: whoever finds that and nobody at work knows that
  the run was interrupted. What is kept and counted is in `stages/`; nothing is resumed from here.
- Of an unforeseen error it holds kind and place, never the text.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from traceback import extract_tb
from typing import Literal, get_args

from server.coordinator.checkpoint import StageRecord, unwritable
from server.coordinator.exchange import VoidStageError
from server.coordinator.progress import Watcher
from server.coordinator.refusals import refusals_kept
from server.coordinator.remedies import to_blame
from server.files import write_durably, write_whole
from shared.errors import LianfangError, OperatorError
from shared.identity.certificate import CODE

STATUS, WATCHING = "status.json", "watching.json"
State = Literal["starting", "running", "finished", "failed", "stopped"]
ENDED: frozenset[str] = frozenset({"finished", "failed", "stopped"})
MOST_LISTED = 1000
"""Lenders in a status."""
_AGAIN = ("run the same command with --resume", "go on with --resume")
_log = logging.getLogger("lianfang.coordinator")


@dataclass(frozen=True)
class Part:
    """A lender's part in the stages so far: in how many totals it is, in how many it is not and the
    last reason why; what came of it in this stage, in seconds and bytes.
    """

    stages: int = 0
    missed: int = 0
    why: str = ""
    stage: str = ""
    seconds: float = 0.0
    size: int = 0

    @property
    def heard(self) -> bool:
        """Whether it has ever answered."""
        return bool(self.stages or self.stage)


@dataclass(frozen=True)
class Status:
    """How a run stands.

    `flower_run`: its number at the SuperLink; `attempt`: how many processes have begun on it;
    `phase`: what is being asked now; `answered` and `waiting`: lenders in this exchange; `lenders`:
    by code; `where`, `blamed`, `error`, `remedy`: of a failed run; `metrics`: read from totals.
    Times: ISO 8601, UTC.
    """

    run: str
    state: State
    agreement: str = ""
    flower_run: int = 0
    attempt: int = 0
    process: int = 0
    started: str = ""
    updated: str = ""
    stage: str = ""
    phase: str = ""
    done: int = 0
    steps: int | None = None
    answered: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    lenders: Mapping[str, Part] = field(default_factory=dict)
    where: str = ""
    blamed: tuple[str, ...] = ()
    error: str = ""
    remedy: str = ""
    refusals: tuple[str, ...] = ()
    model: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it is over, one way or another, until it is resumed."""
        return self.state in ENDED

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


def read_status(folder: Path) -> Status | None:
    """Of a run's folder; None when it has none yet. OperatorError when it is no status."""
    kept = _read(folder / STATUS)
    if kept is None or kept.ended:
        return kept
    try:
        told = _read(folder / WATCHING)
        newer = told is not None and _when(told) >= _when(kept)
    except (OperatorError, ValueError):
        return kept
    return told if newer and told is not None and told.attempt == kept.attempt else kept


def _when(status: Status) -> datetime:
    return datetime.fromisoformat(status.updated)


def _read(path: Path) -> Status | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["lenders"] = {code: Part(**part) for code, part in fields["lenders"].items()}
        lists = {n: tuple(fields[n]) for n in ("answered", "waiting", "blamed", "refusals")}
        status = Status(**fields | lists)
        if status.state not in get_args(State):
            raise ValueError
        return status
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OperatorError(
            f"{path}: it is not a run's status ({type(error).__name__})",
            remedy="move the file away: the run is in stages/, and resume goes on from there",
        ) from error


def write_status(folder: Path, status: Status) -> None:
    """Durably; OperatorError when the disk does not take it."""
    try:
        write_durably(folder / STATUS, json.dumps(status.to_dict(), indent=1).encode())
        (folder / WATCHING).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


class StatusFile(Watcher):
    """Keeps a run's status while its process works. `now`: with a zone."""

    def __init__(self, folder: Path, status: Status, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now
        self.status = status
        self._parts = dict(status.lenders)

    def goes_on(self, records: list[StageRecord]) -> None:
        """Earlier stages count, whoever carried them."""
        self._parts = {}
        for record in records:
            self._count(record)
        self._keep(done=len(records), lenders=dict(self._parts))

    def stage(self, stage: str, done: int, steps: int | None) -> None:
        """A stage is begun."""
        self._keep(stage=stage, phase="", done=done, steps=steps, answered=(), waiting=())

    def asking(self, label: str) -> None:
        """An exchange is begun: everybody who has ever answered is waited for."""
        known = tuple(code for code, part in sorted(self._parts.items()) if part.heard)
        self._tell(phase=label, answered=(), waiting=known)

    def answered(self, member: str, seconds: float, size: int) -> None:
        """A lender's answer is there."""
        before = self._parts.get(member, Part())
        again = before.stage == self.status.stage
        spent = (before.seconds, before.size) if again else (0.0, 0)
        self._parts[member] = replace(
            before,
            stage=self.status.stage,
            seconds=round(spent[0] + seconds, 3),
            size=spent[1] + size,
        )
        waiting = tuple(code for code in self.status.waiting if code != member)
        answered = tuple(sorted({*self.status.answered, member}))
        self._tell(answered=answered, waiting=waiting, lenders=dict(self._parts))

    def missed(self, name: str, why: str) -> None:
        """A lender did not answer, perhaps one that never has."""
        if self._is_lender(name):
            self._parts[name] = replace(self._parts.get(name, Part()), why=why)
        self._tell(lenders=dict(self._parts))

    def recorded(self, record: StageRecord) -> None:
        """A stage is over."""
        self._count(record)
        self._keep(done=self.status.done + 1, lenders=dict(self._parts), answered=(), waiting=())

    def finished(self, model: str, metrics: Mapping[str, float]) -> None:
        """The run is over, with a model of this digest."""
        self._keep(state="finished", phase="", model=model, metrics=dict(metrics), process=0)

    def failed(self, error: BaseException) -> None:
        """The run ended with this error, so far."""
        self._keep(
            state="failed",
            process=0,
            refusals=tuple(refusals_kept(self._folder)),
            **failure_of(error, self.status.run, self.status.phase or self.status.stage),
        )

    def _count(self, record: StageRecord) -> None:
        reasons = dict(_split(record.missing))
        for code in {*record.members, *filter(self._is_lender, reasons)}:
            before = self._parts.get(code, Part())
            if code in record.members:
                self._parts[code] = replace(before, stages=before.stages + 1, why="")
            else:
                self._parts[code] = replace(before, missed=before.missed + 1, why=reasons[code])

    def _is_lender(self, name: str) -> bool:
        """Whether a name is one to list: a code, of which a node that has shown none may claim any;
        so of those there are but so many.
        """
        return name in self._parts or (
            CODE.fullmatch(name) is not None and len(self._parts) < MOST_LISTED
        )

    def _change(self, **changes: object) -> None:
        updated = self._now().isoformat(timespec="milliseconds")
        self.status = replace(self.status, updated=updated, **changes)  # type: ignore[arg-type]

    def _keep(self, **changes: object) -> None:
        self._change(**changes)
        try:
            write_durably(self._folder / STATUS, self._content())
            (self._folder / WATCHING).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be written: %s", STATUS, error.strerror)

    def _tell(self, **changes: object) -> None:
        """For who watches: not worth waiting for a disk."""
        self._change(**changes)
        try:
            write_whole(self._folder / WATCHING, self._content())
        except OSError as error:
            _log.debug("%s cannot be written: %s", WATCHING, error.strerror)

    def _content(self) -> bytes:
        return json.dumps(self.status.to_dict(), indent=1).encode()


def failure_of(error: BaseException, run: str, at: str) -> dict[str, object]:
    """Lenders, stage and phase, what and remedy, for people. `at`: where the run was."""
    if isinstance(error, LianfangError):
        where, missing = at, tuple[str, ...]()
        if isinstance(error, VoidStageError):
            where, missing = error.where or at, error.missing
        blamed = tuple(to_blame(_split(missing)))
        remedy = error.remedy
        for words in _AGAIN:
            remedy = remedy.replace(words, f"lianfang-server run resume {run}")
        return {"error": error.what, "remedy": remedy, "where": where, "blamed": blamed}
    place = extract_tb(error.__traceback__)[-1:]
    lines = [f" at {Path(frame.filename).name}:{frame.lineno}" for frame in place]
    return {
        "error": type(error).__name__ + "".join(lines),
        "remedy": f"lianfang-server run resume {run}; if it happens again, report what log/ holds",
        "where": at,
        "blamed": (),
    }


def _split(missing: Iterable[str]) -> list[tuple[str, str]]:
    parts = (line.partition(": ") for line in missing)
    return [(name, why) for name, _, why in parts]
