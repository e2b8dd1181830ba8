"""A run of real processes that is disturbed, its records, and the same run left undisturbed.

Invariants:
- What a lender or the coordinator has acknowledged once is looked for again: stage files must be
  the same bytes, a lender's outbox must begin with all it held before.
- The undisturbed run is that of the same lenders' untouched folders in one process.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import server.cli
from client.app import app as client_app
from client.desk import close_all
from server.coordinator.checkpoint import SUFFIX
from server.coordinator.exchange import Policy
from server.coordinator.rounds import STAGES, conduct, read_agreement
from server.coordinator.status import Status, read_status
from server.deployment.runs import RUNS
from server.simulation.faults import Faults
from server.simulation.grid import InProcessGrid
from shared.model.saved import digest_of
from tests.deployment.consortium import Consortium, Running

_LONGEST = 240.0
"""Seconds after which a run that does nothing more counts as hanging."""
_LAST_LINES = 12


@dataclass
class Watched:
    """A consortium that runs, and its processes by name. Make it before the first run."""

    consortium: Consortium
    running: dict[str, Running]
    fresh: Path = field(init=False)

    def __post_init__(self) -> None:
        self.fresh = self.consortium.home / "fresh"
        for code, folder in self.consortium.lenders.items():
            _copied(folder, self.fresh / code)

    def place(self, name: str) -> Path:
        """A run's folder."""
        return self.consortium.coordinator / RUNS / name

    def status(self, name: str) -> Status:
        """How a run stands."""
        return read_status(self.place(name)) or Status(name, "starting")

    def moved(self, name: str, enough: Callable[[Status], bool]) -> Status:
        """Its status as soon as it is `enough`."""
        try:
            return until(lambda: s if enough(s := self.status(name)) else None, f"{name} goes on")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story(name)}") from None

    def story(self, name: str) -> str:
        """The run's status and the last lines of every log: why it hangs, for whom only reads."""
        home = self.consortium.home
        lines = [str(self.status(name))]
        for path in sorted(home.glob("*.log")) + sorted(home.glob("*/log/*.log")):
            last = path.read_text(errors="replace").splitlines()[-_LAST_LINES:]
            lines += [f"--- {path.relative_to(home)}", *last]
        return "\n".join(lines)

    def command(self, word: str, name: str, *options: str) -> None:
        """`lianfang-server run WORD`, until it is taken; here, as a process of its own would load
        all of it anew.
        """
        words, said = ["run", word, str(self.consortium.coordinator), name, *options], StringIO()
        for _ in range(20):  # the SuperLink may be on its way back
            with redirect_stdout(said), redirect_stderr(said):
                status = server.cli.main(words)
            if status == 0:
                return
            time.sleep(1.0)
        raise AssertionError(f"{word} {name}: {said.getvalue()}")

    def undisturbed(self, name: str, faults: Faults | None = None) -> str:
        """Digest of the model of the same run in one process, over copies of untouched folders.
        `faults`: who is to be missing from a total there, too.
        """
        home = self.fresh.parent / "undisturbed" / name
        folders = []
        for code, lender in self.consortium.lenders.items():
            folders.append(_copied(self.fresh / code, home / code))
            shutil.copytree(lender / "terms", home / code / "terms", dirs_exist_ok=True)
        run = home / "run"
        run.mkdir()
        for own in ("agreement.json", "authority.crt", "coordinator.crt", "coordinator.key"):
            shutil.copy2(self.place(name) / own, run / own)
        close_all()
        grid = InProcessGrid(client_app, folders, faults=faults)
        fewest = len(folders) if faults is None else read_agreement(run).minimum_lenders
        try:
            return digest_of(conduct(grid, run, Policy(minimum=fewest)).model())
        finally:
            grid.close()
            close_all()


class Acknowledged:
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


def _copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, symlinks=True)
    target.chmod(0o700)
    return target


def until(what: Callable[[], Any], name: str) -> Any:
    """What `what` gives as soon as it is something; AssertionError when nothing happens."""
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing happened for {_LONGEST:.0f} s: {name}")
