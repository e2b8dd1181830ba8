"""Lenders whose ways to the gate go wrong while a run is under way, and what came of each fault.

Invariants:
- Each lender has a way of its own: what is wrong with one is wrong for no other.
- A fault counts only if it met something: a strike that no byte was under way for is no strike.
- At the end the model is compared with the undisturbed one, processes with those at the beginning.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from server.coordinator.status import Status
from tests.deployment.consortium import (
    Consortium,
    coordinator_of,
    lender_of,
    processes,
    stopped,
)
from tests.deployment.watched_run import Acknowledged, Watched, until
from tests.faulty_way import NONE, Fault, FaultyWay

MASKED, UNMASK, SET_UP = "masked inputs", "unmasking", "set-up"
_FIRST = "census"
GROWTH = 200 << 20
"""Bytes that a process may grow by at most."""


@dataclass(frozen=True)
class Plan:
    """A fault to come in one stage. `lasts`: seconds, None for one that strikes once by itself or,
    if it does not, lasts as long as the stage.
    """

    words: str
    fault: Fault
    phase: str = MASKED
    lasts: float | None = None


SLOW = Fault("slow", latency=0.05, rate=200_000)
PLANS = (
    Plan("partition", Fault("partition"), SET_UP, 1.5),
    Plan("slow: 50 ms for each piece, 200 kB/s", SLOW),
    Plan("partition", Fault("partition"), MASKED, 1.5),
    Plan("partition", Fault("partition"), UNMASK, 1.5),
    Plan("reset in mid-message, on its way up", Fault("cut", after=2000)),
    Plan("reset in mid-message, on its way down", Fault("cut", direction="down")),
    Plan("bytes sent twice, on their way up", Fault("twice", after=2000)),
    Plan("bytes sent twice, on their way down", Fault("twice", direction="down")),
    Plan("half open for good", Fault("half open"), MASKED, 1.0),
)
"""One in each stage; what is sent again after a reset comes to the coordinator twice."""


@dataclass(frozen=True)
class Struck:
    """A plan that was carried out. `seconds`: from its beginning to the end of the stage."""

    plan: Plan
    lender: str
    stage: str
    met: int
    seconds: float
    lost: tuple[str, ...]


@dataclass
class Faulty(Watched):
    """A consortium that runs. `answers`: seconds that each lender took in a stage of a run."""

    ways: dict[str, FaultyWay] = field(default_factory=dict)
    struck: list[Struck] = field(default_factory=list)
    answers: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def run(
        self, name: str, seed: int, rounds: int, plans: Sequence[Plan] = (), *options: str
    ) -> Status:
        """A run with one of the plans in each stage while there are some; then to its end.
        `options`: of the command that starts it.
        """
        self.begin(name, seed, rounds, *options)
        self.strike(name, seed, plans)
        return self._noted(name, lambda s: s.ended)

    def begin(self, name: str, seed: int, rounds: int, *options: str) -> None:
        """Start a run."""
        terms = ("--seed", str(seed), "--rounds", str(rounds))
        self.command("start", name, *terms, *options, "--detach")

    def strike(self, name: str, seed: int, plans: Sequence[Plan]) -> None:
        """Carry out one plan in each stage, at a lender that follows from the seed."""
        rng = random.Random(seed)
        seen, known = Acknowledged(self.consortium, self.place(name)), ""
        for plan in plans:
            status = self._noted(name, lambda s, known=known: s.ended or s.stage != known)
            if status.ended:
                return
            known = status.stage
            self._strike(name, plan, rng.choice(sorted(self.ways)), status, seen)

    def numbers(self) -> dict[str, int]:
        """Processes that are kept running, by "place/name"."""
        folders = {"coordinator": self.consortium.coordinator, **self.consortium.lenders}
        return {
            f"{place}/{name}": number
            for place, folder in folders.items()
            for name, number in processes(folder).items()
        }

    def _strike(
        self, name: str, plan: Plan, lender: str, begun: Status, seen: Acknowledged
    ) -> None:
        way, done = self.ways[lender], begun.done
        self._noted(name, lambda s: s.ended or s.done > done or _within(s, plan.phase))
        seen.look()
        before, began = way.struck, time.monotonic()
        way.set(plan.fault)
        if plan.lasts is None:
            self._noted(name, lambda s: s.ended or s.done > done or way.fault is NONE)
        else:
            until(lambda: way.struck > before, f"{plan.words} meets something")
            time.sleep(plan.lasts)
        way.set(NONE)
        self._noted(name, lambda s: s.ended or s.done > done)
        spent = round(time.monotonic() - began, 1)
        lost, met = tuple(seen.look()), way.struck - before
        self.struck.append(Struck(plan, lender, begun.stage, met, spent, lost))

    def _noted(self, name: str, enough) -> Status:  # type: ignore[no-untyped-def]
        def looked(status: Status) -> bool:
            for code, part in status.lenders.items():
                if part.stage:
                    self.answers[name, part.stage, code] = part.seconds
            return bool(enough(status))

        return self.moved(name, looked)

    def ninety_ninth(self, names: Sequence[str]) -> float:
        """Seconds: 99th percentile of answers of lenders whose own way was sound in that stage. The
        first stage is left out: its questions wait for terms and keys.
        """
        own = {(one.stage, one.lender) for one in self.struck}
        sound = [
            seconds
            for (name, stage, code), seconds in self.answers.items()
            if name in names and (stage, code) not in own and stage != _FIRST
        ]
        return quantiles(sound, n=100, method="inclusive")[98]


def _within(status: Status, phase: str) -> bool:
    if phase == SET_UP:
        return status.phase.startswith("set-up")
    if phase == UNMASK:
        return status.phase.endswith("/unmask")
    return bool(status.phase) and not status.phase.startswith("set-up")


@contextmanager
def started(consortium: Consortium) -> Iterator[Faulty]:
    """All processes, each lender at a way of its own; all of it ends."""
    with through_ways(consortium) as made:
        running = made.running
        try:
            running["coordinator"] = coordinator_of(consortium)
            running |= {code: lender_of(consortium, code) for code in consortium.lenders}
            for one in running.values():
                one.line(180.0)
            yield made
        finally:
            stopped(list(running.values()))


@contextmanager
def through_ways(consortium: Consortium) -> Iterator[Faulty]:
    """A way of its own for each lender; whoever enters has the processes started, and ended."""
    ways: dict[str, FaultyWay] = {}
    made = Faulty(consortium, {}, ways)
    try:
        for code, folder in consortium.lenders.items():
            ways[code] = FaultyWay(int(consortium.gate.rpartition(":")[2]))
            path = folder / "client.toml"
            told = f'gate = "127.0.0.1:{ways[code].port}"'
            path.write_text(path.read_text().replace(f'gate = "{consortium.gate}"', told))
        yield made
    finally:
        for way in ways.values():
            way.close()


def memory(number: int) -> int:
    """Bytes that a process has in memory."""
    text = Path(f"/proc/{number}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


def unharmed(faulty: Faulty, before: dict[str, int], sizes: dict[str, int]) -> bool:
    """Whether all processes are those there were, and none has grown beyond `GROWTH`."""
    return faulty.numbers() == before and not grown(before, sizes)


def grown(numbers: dict[str, int], sizes: dict[str, int]) -> list[str]:
    """Which of these processes have grown by `GROWTH` or more."""
    return [name for name, number in numbers.items() if memory(number) >= sizes[name] + GROWTH]
