"""kill -9 of one process after another while a run is under way, and what came of each.

Invariants:
- Which process is killed in which phase is deliberate: in each phase it is the one that was killed
  there least, and no phase is ahead of the others by more than a round of all processes (in the
  soak three). So 24 kills are one of each process in each phase.
- No kind of stage is left out: once only as many kills are left as kinds have not been struck, only
  stages of these kinds are.
- Which lender's, and how long after the phase has begun, follows from the seed alone.
- Only a process that was there and is gone afterwards counts as killed.
- After every kill what was acknowledged before is looked for; at the end the model is compared with
  the undisturbed one (`watched_run.py`).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from server.coordinator.status import Status
from tests.deployment.consortium import (
    Consortium,
    Running,
    coordinator_of,
    lender_of,
    processes,
    stopped,
)
from tests.deployment.watched_run import Acknowledged, Watched, until

TARGETS = (
    "run", "superlink", "gate", "executor of runs", "coordinator",
    "supernode", "executor", "lender",
)  # fmt: skip
"""The run's process; those that `lianfang-server start` keeps, and itself; the same of a lender."""
_CHILDREN = {
    "superlink": "superlink",
    "gate": "gate",
    "executor of runs": "runs",
    "supernode": "supernode",
    "executor": "executor",
}
_LENDERS = frozenset({"supernode", "executor", "lender"})
SET_UP, MASKED, UNMASK = PHASES = ("set-up of keys", "masked inputs", "unmasking")
KINDS = frozenset({"census", "refine", "bins", "trees", "mixture", "evaluation", "close"})
"""Of the stages of a run of the boosted family."""
_LATEST = {SET_UP: 0.05, MASKED: 0.2, UNMASK: 0.03}
"""At most how long after a phase was seen to begin it is struck (s). Never seconds: on a quick
machine stages would go by without a kill.
"""
BY_ITSELF, RESUMED = "by itself", "void, resumed by command"


@dataclass(frozen=True)
class Kill:
    """One kill and what came of it. `phase`: what the run was at; `seconds`: from the kill to the
    end of that stage, its own work included, or in a set-up to the first answer in the next
    exchange; `how`: by itself, or resumed by command; `lost`: what had been acknowledged and was
    gone.
    """

    seed: int
    target: str
    lender: str
    stage: str
    phase: str
    seconds: float
    how: str
    lost: tuple[str, ...] = ()

    @property
    def cell(self) -> tuple[str, str]:
        """The process and the phase."""
        return self.target, phase_of(self.phase)


def phase_of(label: str) -> str:
    """One of `PHASES`; "" where nothing is being asked."""
    if label.startswith("set-up/"):
        return SET_UP
    if label.endswith("/unmask"):
        return UNMASK
    return MASKED if label else ""


def kind_of(stage: str) -> str:
    """All trees are one kind."""
    return stage.partition("/")[0]


def stage_kinds(kills: Iterable[Kill]) -> set[str]:
    """Kinds of stages that were struck."""
    return {kind_of(kill.stage) for kill in kills}


@dataclass
class Disturbed(Watched):
    """A consortium that runs, its processes by name, and the kills so far. `ahead`: by how many
    rounds of all processes a phase may be ahead of the others; `up`: seconds that all took to
    start; `wanted`: kills, of all runs.
    """

    ahead: int = 1
    up: float = 0.0
    wanted: int = 0
    kills: list[Kill] = field(default_factory=list)
    models: list[tuple[str, str]] = field(default_factory=list)

    def run(self, name: str, seed: int, wanted: int, *, rounds: int | None = None) -> None:
        """One run, with kills in each exchange of its set-up of keys and one in each stage until
        there are `wanted` in all; then to its end.
        """
        rng, self.wanted = random.Random(seed), wanted
        options = [*("--seed", str(seed)), *(("--rounds", str(rounds)) if rounds else ())]
        self.command("start", name, *options, "--detach")
        seen, struck = Acknowledged(self.consortium, self.place(name)), set[str]()
        while True:
            status = self.moved(name, lambda s: s.ended or self._due(s, struck))
            if status.state == "finished":
                break
            if status.ended:
                self._resumed(name)
            elif self._kill(name, seed, rng, seen):
                struck.add(_moment(status))
        self.models.append((status.model, self.undisturbed(name)))

    def next_target(self, phase: str) -> str:
        """The process that was killed least in this phase; of these, the one killed least."""
        cells, all_ = [kill.cell for kill in self.kills], [kill.target for kill in self.kills]
        first = PHASES.index(phase) * 3  # each phase begins with another process
        order = TARGETS[first:] + TARGETS[:first]
        return min(order, key=lambda target: (cells.count((target, phase)), all_.count(target)))

    def open_to(self, phase: str) -> bool:
        """Whether this phase is not too far ahead: of each 24 kills it has 8."""
        struck = sum(phase_of(kill.phase) == phase for kill in self.kills)
        turn = len(self.kills) // (len(TARGETS) * len(PHASES))
        return struck < (turn + self.ahead) * len(TARGETS)

    def spare(self, kind: str) -> bool:
        """Whether, with a kill in a stage of this kind, there is one left for each other kind."""
        missing = KINDS - stage_kinds(self.kills)
        return kind in missing or self.wanted - len(self.kills) > len(missing)

    def _wanting(self, status: Status) -> bool:
        """Whether a kill in this phase of this stage is one of those that are left."""
        phase = phase_of(status.phase)
        left = len(self.kills) < self.wanted and self.spare(kind_of(status.stage))
        return bool(phase) and left and self.open_to(phase)

    def _due(self, status: Status, struck: set[str]) -> bool:
        """Whether now is a moment to kill."""
        phase = phase_of(status.phase)
        if not self._wanting(status):
            return False
        if phase == SET_UP and sum(" " in moment for moment in struck) >= len(TARGETS):
            return False  # a run that is interrupted again and again in one stage is given up
        return _moment(status) not in struck and (phase != MASKED or not self._later(status))

    def _later(self, status: Status) -> bool:
        """Whether a stage is to be struck in its second exchange, not in its first."""
        if status.stage == "close" or not self.open_to(UNMASK):
            return False
        phases = [phase_of(kill.phase) for kill in self.kills]
        ahead = phases.count(MASKED) - phases.count(UNMASK)
        return ahead > 0 or (ahead == 0 and status.done % 2 == 1)

    def _kill(self, name: str, seed: int, rng: random.Random, seen: Acknowledged) -> bool:
        """Kill what is due; whether something was killed."""
        time.sleep(rng.uniform(0.0, _LATEST[phase_of(self.status(name).phase) or UNMASK]))
        seen.look()
        before = self.status(name)
        if before.ended or not self._wanting(before):
            return False
        target = self.next_target(phase_of(before.phase))
        lender = rng.choice(sorted(self.consortium.lenders)) if target in _LENDERS else ""
        began = time.monotonic()
        number = before.process if target == "run" else self._number(target, lender)
        if not killed(number):
            return False
        self._again(target, lender, number)
        print(f"killed: {target} {lender} in {before.phase}")  # shown where the test fails
        how = self._gone_on(name, before)
        seconds, lost = round(time.monotonic() - began, 1), tuple(seen.look())
        kill = Kill(seed, target, lender, before.stage, before.phase, seconds, how, lost)
        self.kills.append(kill)
        return True

    def _gone_on(self, name: str, before: Status) -> str:
        """Wait until the run is past where it was struck; how it came there."""
        how = BY_ITSELF
        while (status := self.moved(name, lambda s: s.ended or past(s, before))).ended:
            if status.state == "finished":
                break
            how = RESUMED
            self._resumed(name)
        return how

    def _resumed(self, name: str) -> None:
        self.command("resume", name, "--detach")
        self.moved(name, lambda s: not s.ended)

    def _again(self, target: str, lender: str, old: int) -> None:
        """Wait until it runs again. Only what nobody supervises is started by hand, as systemd
        would.
        """
        if target in ("coordinator", "lender"):
            name = lender or "coordinator"
            self.running[name].process.wait(10)
            self.running[name].stop()  # closes its files
            made = lender_of(self.consortium, lender) if lender else coordinator_of(self.consortium)
            self.running[name] = made
            made.line(120.0)
        elif target != "run":
            until(lambda: self._number(target, lender) not in (0, old), f"{target} again")

    def _number(self, target: str, lender: str) -> int:
        if target in ("coordinator", "lender"):
            return self.running[lender or "coordinator"].process.pid
        folder = self.consortium.lenders[lender] if lender else self.consortium.coordinator
        try:
            return processes(folder).get(_CHILDREN[target], 0)
        except (OSError, ValueError):
            return 0


def killed(number: int) -> bool:
    """Kill a process; whether it was at work until then and is not any more."""
    if not at_work(number):
        return False
    with suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)
        until(lambda: not at_work(number), f"{number} ends")
        return True
    return False


def at_work(number: int) -> bool:
    """Whether there is such a process, and not one that has ended and was not asked after."""
    try:
        about = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return number > 0 and about.rpartition(")")[2].split()[0] not in ("Z", "X")


def _moment(status: Status) -> str:
    """What is struck once: a stage, and each exchange of a set-up as often as it is begun."""
    if phase_of(status.phase) == SET_UP:
        return f"{status.stage} {status.phase} {status.attempt}"
    return status.stage


def past(status: Status, before: Status) -> bool:
    """Whether the run has come further: by a stage, or in a set-up to a lender's answer in another
    exchange. That it asks the next is not enough: the answers may have been there before the kill.
    """
    if status.done > before.done or phase_of(before.phase) != SET_UP:
        return status.done > before.done
    another = (status.attempt, status.phase) != (before.attempt, before.phase)
    return another and bool(status.phase and status.answered)


@contextmanager
def started(consortium: Consortium) -> Iterator[Disturbed]:
    """All processes of a founded consortium; whatever runs at the end is ended."""
    running: dict[str, Running] = {}
    made = Disturbed(consortium, running)
    began = time.monotonic()
    try:
        running["coordinator"] = coordinator_of(consortium)
        for code in consortium.lenders:
            running[code] = lender_of(consortium, code)
        for one in running.values():
            one.line(180.0)
        made.up = time.monotonic() - began
        yield made
    finally:
        stopped(list(running.values()))
