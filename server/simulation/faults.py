"""Faults a researcher can ask for, to see what a run does then.

    drop   L03 trees/5          L03 works on that stage, but its answer is lost
    error  L03 trees/5          L03's handler fails
    slow   L03 trees/5 2.5      L03 answers 2.5 seconds late
    away   L03 trees/5 trees/9  L03 is disconnected from one stage on, and back when another begins
    kill   coordinator trees/5  the whole process is killed (SIGKILL) when the stage begins

With secure sums a stage has two messages, trees/5 and trees/5/unmask, and a set-up has three:
set-up/keys, set-up/shares, set-up/ready. Each may stand in place of a stage.

Invariants:
- A fault happens at the named message and nowhere else, so a run with faults can be repeated.
- A fault that never happened (no such lender or stage) is told, see `idle`.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field

from shared.errors import OperatorError

KINDS = {"drop": 3, "error": 3, "slow": 4, "away": 4, "kill": 3}


@dataclass(frozen=True)
class Fault:
    """One fault: `kind` at `member`'s `stage`; `extra` is seconds or the stage of its return."""

    kind: str
    member: str
    stage: str
    extra: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.member, self.stage, self.extra)))


def parse_fault(text: str) -> Fault:
    """Read one fault as written above; raises OperatorError."""
    words = text.split()
    if not words or words[0] not in KINDS or len(words) != KINDS[words[0]]:
        raise OperatorError(
            f"fault {text!r} is not understood",
            remedy="write for example 'drop L03 trees/5' or 'slow L03 trees/5 2.5'",
        )
    if words[0] == "slow" and not words[3].replace(".", "", 1).isdecimal():
        raise OperatorError(
            f"fault {text!r}: {words[3]!r} is not a number of seconds",
            remedy="write for example 'slow L03 trees/5 2.5'",
        )
    if (words[0] == "kill") != (words[1] == "coordinator"):
        raise OperatorError(
            f"fault {text!r}: only the coordinator can be killed, and nothing else done to it",
            remedy="write 'kill coordinator trees/5', or name a lender",
        )
    return Fault(*words)


@dataclass(eq=False)
class Faults:
    """The faults of a run and which lenders are away just now."""

    planned: tuple[Fault, ...] = ()
    _away: set[str] = field(default_factory=set)
    _happened: set[Fault] = field(default_factory=set)

    @property
    def idle(self) -> tuple[Fault, ...]:
        """The faults that have not happened."""
        return tuple(fault for fault in self.planned if fault not in self._happened)

    def away(self, member: str) -> bool:
        """Whether a lender is disconnected now."""
        return member in self._away

    def before(self, stage: str) -> None:
        """A message of this stage is about to be sent to some lender."""
        for fault in self.planned:
            if fault.kind == "kill" and fault.stage == stage:
                os.kill(os.getpid(), signal.SIGKILL)
            if fault.kind == "away" and fault.stage == stage:
                self._away.add(fault.member)
            if fault.kind == "away" and fault.extra == stage:
                self._away.discard(fault.member)

    def cut_off(self, stage: str, member: str) -> bool:
        """Whether a message cannot reach a lender at all: it is away."""
        leaving = self._asked("away", stage, member) is not None
        return leaving or member in self._away

    def during(self, stage: str, member: str) -> float:
        """A lender is about to work on a message; returns the seconds it is to be late."""
        if self._asked("error", stage, member):
            raise RuntimeError("fault asked for")
        slow = self._asked("slow", stage, member)
        return 0.0 if slow is None else float(slow.extra)

    def lost(self, stage: str, member: str) -> bool:
        """Whether a lender's answer does not arrive."""
        return self._asked("drop", stage, member) is not None

    def _asked(self, kind: str, stage: str, member: str) -> Fault | None:
        for fault in self.planned:
            if (fault.kind, fault.stage, fault.member) == (kind, stage, member):
                self._happened.add(fault)
                return fault
        return None
