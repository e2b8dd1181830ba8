"""kill -9 of one process after another while a run is under way, and what came of each.

Invariants:
- Which process is killed, and how long after the beginning of which exchange of a stage, follows
  from the seed alone.
- A stage has at most one kill: the next comes when that stage is over.
- After every kill what was acknowledged before is looked for; at the end the model is compared with
  the undisturbed one (`watched_run.py`).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
_UNMASKING, _LATEST = 0.4, 0.3
"""How often the second exchange of a stage is struck; at most how long after its beginning (s)."""


@dataclass(frozen=True)
class Kill:
    """One kill and what came of it. `phase`: what the run was at; `seconds`: from the kill to the
    end of that stage, its own work included; `how`: by itself, or resumed by command; `lost`: what
    had been acknowledged and was gone.
    """

    seed: int
    target: str
    lender: str
    stage: str
    phase: str
    seconds: float
    how: str
    lost: tuple[str, ...] = ()


@dataclass
class Disturbed(Watched):
    """A consortium that runs, its processes by name, and the kills so far."""

    kills: list[Kill] = field(default_factory=list)
    models: list[tuple[str, str]] = field(default_factory=list)

    def run(self, name: str, seed: int, wanted: int, *, rounds: int | None = None) -> None:
        """One run with a kill in each stage until there are `wanted` in all; then to its end."""
        rng = random.Random(seed)
        options = [*("--seed", str(seed)), *(("--rounds", str(rounds)) if rounds else ())]
        self.command("start", name, *options, "--detach")
        seen = Acknowledged(self.consortium, self.place(name))
        known = ""
        while True:
            status = self.moved(name, lambda s, known=known: s.ended or s.stage != known)
            if status.state == "finished":
                break
            if status.ended:
                self.command("resume", name, "--detach")
                self.moved(name, lambda s: not s.ended)
                continue
            known = status.stage
            if len(self.kills) < wanted:
                self._moment(name, status, rng)
                self._kill(name, seed, rng, seen)
        self.models.append((status.model, self.undisturbed(name)))

    def _moment(self, name: str, begun: Status, rng: random.Random) -> None:
        """Wait for the moment within the stage that has begun: in its first or its second exchange.
        Never for seconds: on a quick machine stages would go by without a kill.
        """
        if rng.random() < _UNMASKING:
            self.moved(
                name,
                lambda s: s.ended or s.stage != begun.stage or s.phase.endswith("/unmask"),
            )
        time.sleep(rng.uniform(0.0, _LATEST))

    def _kill(self, name: str, seed: int, rng: random.Random, seen: Acknowledged) -> None:
        target = TARGETS[len(self.kills) % len(TARGETS)]
        lender = rng.choice(sorted(self.consortium.lenders)) if target in _LENDERS else ""
        seen.look()
        before = self.status(name)
        if before.ended:
            return
        began = time.monotonic()
        old = self._struck(target, lender, before)
        self._again(target, lender, old)
        how = "by itself"
        while (status := self.moved(name, lambda s: s.ended or s.done > before.done)).ended:
            if status.state == "finished":
                break
            how = "void, resumed by command"
            self.command("resume", name, "--detach")
            self.moved(name, lambda s: not s.ended)
        seconds = round(time.monotonic() - began, 1)
        kill = Kill(
            seed, target, lender, before.stage, before.phase, seconds, how, tuple(seen.look())
        )
        self.kills.append(kill)

    def _struck(self, target: str, lender: str, status: Status) -> int:
        """Kill it; its number."""
        number = self._number(target, lender) if target != "run" else status.process
        if not number:  # it is about to be started
            return 0
        os.kill(number, signal.SIGKILL)
        return number

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


@contextmanager
def started(consortium: Consortium) -> Iterator[Disturbed]:
    """All processes of a founded consortium; whatever runs at the end is ended."""
    running: dict[str, Running] = {}
    made = Disturbed(consortium, running)
    try:
        running["coordinator"] = coordinator_of(consortium)
        for code in consortium.lenders:
            running[code] = lender_of(consortium, code)
        for one in running.values():
            one.line(180.0)
        yield made
    finally:
        stopped(list(running.values()))
