"""kill -9 of one process after another while a run is under way, and what came of each.

Invariants:
- Which process, and when within a stage, follows from the seed alone.
- What a lender or the coordinator has acknowledged once is looked for again after every kill: stage
  files must be the same bytes, a lender's outbox must begin with all it held before.
- The model at the end is compared with the one that the same lenders' folders give in one process,
  without any fault.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client.app import app as client_app
from client.desk import close_all
from server.coordinator.checkpoint import SUFFIX
from server.coordinator.exchange import Policy
from server.coordinator.rounds import STAGES, conduct
from server.coordinator.status import Status, read_status
from server.deployment.runs import RUNS
from server.simulation.grid import InProcessGrid
from shared.model.saved import digest_of
from tests.deployment.consortium import Consortium, Running, coordinator_of, lender_of, processes

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
_LONGEST = 240.0
"""Seconds after which a run that does nothing more counts as hanging."""


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
class Disturbed:
    """A consortium that runs, its processes by name, and the kills so far."""

    consortium: Consortium
    running: dict[str, Running]
    kills: list[Kill] = field(default_factory=list)
    models: list[tuple[str, str]] = field(default_factory=list)
    fresh: Path = field(init=False)

    def __post_init__(self) -> None:
        self.fresh = self.consortium.home / "fresh"
        for code, folder in self.consortium.lenders.items():
            _copied(folder, self.fresh / code)

    def run(self, name: str, seed: int, wanted: int, *, rounds: int | None = None) -> None:
        """One run with a kill in each stage until there are `wanted` in all; then to its end."""
        rng = random.Random(seed)
        options = [*("--seed", str(seed)), *(("--rounds", str(rounds)) if rounds else ())]
        self._command("start", name, *options, "--detach")
        seen = _Acknowledged(self.consortium, self._place(name))
        known = ""
        while True:
            status = self._moved(name, lambda s, known=known: s.ended or s.stage != known)
            if status.state == "finished":
                break
            if status.ended:
                self._command("resume", name, "--detach")
                self._moved(name, lambda s: not s.ended)
                continue
            known = status.stage
            if len(self.kills) < wanted:
                self._kill(name, seed, rng, seen)
        self.models.append((status.model, self._undisturbed(name)))

    def _kill(self, name: str, seed: int, rng: random.Random, seen: _Acknowledged) -> None:
        target = TARGETS[len(self.kills) % len(TARGETS)]
        lender = rng.choice(sorted(self.consortium.lenders)) if target in _LENDERS else ""
        time.sleep(rng.uniform(0.0, 3.0))
        seen.look()
        before = self._status(name)
        if before.ended:
            return
        began = time.monotonic()
        old = self._struck(target, lender, before)
        self._again(target, lender, old)
        how = "by itself"
        while (status := self._moved(name, lambda s: s.ended or s.done > before.done)).ended:
            if status.state == "finished":
                break
            how = "void, resumed by command"
            self._command("resume", name, "--detach")
            self._moved(name, lambda s: not s.ended)
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
            _until(lambda: self._number(target, lender) not in (0, old), f"{target} again")

    def _number(self, target: str, lender: str) -> int:
        if target in ("coordinator", "lender"):
            return self.running[lender or "coordinator"].process.pid
        folder = self.consortium.lenders[lender] if lender else self.consortium.coordinator
        try:
            return processes(folder).get(_CHILDREN[target], 0)
        except (OSError, ValueError):
            return 0

    def _place(self, name: str) -> Path:
        return self.consortium.coordinator / RUNS / name

    def _status(self, name: str) -> Status:
        return read_status(self._place(name)) or Status(name, "starting")

    def _moved(self, name: str, enough: Callable[[Status], bool]) -> Status:
        return _until(lambda: s if enough(s := self._status(name)) else None, f"{name} goes on")

    def _command(self, word: str, name: str, *options: str) -> None:
        words = [sys.executable, "-P", "-m", "server.cli", "run", word]
        words += [str(self.consortium.coordinator), name, *options]
        for _ in range(20):  # the SuperLink may be on its way back
            done = subprocess.run(
                words, cwd=self.consortium.home, capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return
            time.sleep(1.0)
        raise AssertionError(f"{word} {name}: {done.stdout}{done.stderr}")

    def _undisturbed(self, name: str) -> str:
        """The model of the same run in one process, over copies of the untouched folders."""
        home = self.fresh.parent / "undisturbed" / name
        folders = []
        for code, lender in self.consortium.lenders.items():
            folders.append(_copied(self.fresh / code, home / code))
            shutil.copytree(lender / "terms", home / code / "terms", dirs_exist_ok=True)
        run = home / "run"
        run.mkdir()
        for own in ("agreement.json", "authority.crt", "coordinator.crt", "coordinator.key"):
            shutil.copy2(self._place(name) / own, run / own)
        close_all()
        grid = InProcessGrid(client_app, folders)
        try:
            return digest_of(conduct(grid, run, Policy(minimum=len(folders))).model())
        finally:
            grid.close()
            close_all()


class _Acknowledged:
    """What was acknowledged: stage files of a run, lenders' outboxes."""

    def __init__(self, consortium: Consortium, place: Path) -> None:
        self._consortium = consortium
        self._place = place
        self._stages: dict[str, bytes] = {}
        self._outboxes: dict[str, bytes] = {}

    def look(self) -> list[str]:
        """What is gone or changed since the last look."""
        stages = {p.name: p.read_bytes() for p in (self._place / STAGES).glob(f"*{SUFFIX}")}
        lost = [name for name, content in self._stages.items() if stages.get(name) != content]
        self._stages = stages
        for code, folder in self._consortium.lenders.items():
            path = folder / "own" / "outbox.jsonl"
            content = path.read_bytes() if path.exists() else b""
            content = content[: content.rfind(b"\n") + 1]  # a line cut off said nothing
            if not content.startswith(self._outboxes.get(code, b"")):
                lost.append(f"outbox of {code}")
            self._outboxes[code] = content
        return lost


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
        for one in reversed(list(running.values())):
            one.stop()


def _copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, symlinks=True)
    target.chmod(0o700)
    return target


def _until(what: Callable[[], Any], name: str) -> Any:
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing happened for {_LONGEST:.0f} s: {name}")
