"""Faults a researcher can ask for, to see what a run does then.

    drop   L03 trees/5          L03 does not answer that stage
    error  L03 trees/5          L03's handler fails
    slow   L03 trees/5 2.5      L03 answers 2.5 seconds late
    away   L03 trees/5 trees/9  L03 is disconnected from one stage until another
    kill   coordinator trees/5  the whole process is killed (SIGKILL) when the stage begins

Invariants:
- A fault happens at the named stage and nowhere else, so a run with faults can be repeated.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field

from flwr.app import Error, Message

from shared.errors import OperatorError

KINDS = {"drop": 3, "error": 3, "slow": 4, "away": 4, "kill": 3}


@dataclass(frozen=True)
class Fault:
    """One fault: `kind` at `member`'s `stage`; `extra` is seconds or the last stage away."""

    kind: str
    member: str
    stage: str
    extra: str = ""


def parse_fault(text: str) -> Fault:
    """Read one fault as written above; raises OperatorError."""
    words = text.split()
    if not words or words[0] not in KINDS or len(words) != KINDS[words[0]]:
        raise OperatorError(
            f"fault {text!r} is not understood",
            remedy="write for example 'drop L03 trees/5' or 'slow L03 trees/5 2.5'",
        )
    if words[0] == "slow" and not words[3].replace(".", "", 1).isdigit():
        raise OperatorError(f"fault {text!r}: {words[3]!r} is not a number of seconds")
    return Fault(*words)


@dataclass(eq=False)
class Faults:
    """The faults of a run and which lenders are away just now."""

    planned: tuple[Fault, ...] = ()
    _away: set[str] = field(default_factory=set)

    def away(self, member: str) -> bool:
        """Whether a lender is disconnected now."""
        return member in self._away

    def before(self, stage: str, member: str) -> None:
        """A message is about to be sent."""
        for fault in self.planned:
            if fault.kind == "kill" and fault.stage == stage:
                os.kill(os.getpid(), signal.SIGKILL)
            if fault.kind == "away" and fault.stage == stage:
                self._away.add(fault.member)
            if fault.kind == "away" and fault.extra == stage:
                self._away.discard(fault.member)

    def during(self, stage: str, member: str) -> None:
        """A lender is about to work on a message."""
        if self._asked("error", stage, member):
            raise RuntimeError("fault asked for")
        slow = self._asked("slow", stage, member)
        if slow is not None:
            time.sleep(float(slow.extra))

    def after(self, stage: str, member: str, message: Message, reply: Message) -> Message:
        """A lender has answered."""
        if self._asked("drop", stage, member) or member in self._away:
            return Message(Error(code=0, reason="fault"), reply_to=message)
        return reply

    def _asked(self, kind: str, stage: str, member: str) -> Fault | None:
        for fault in self.planned:
            if (fault.kind, fault.stage, fault.member) == (kind, stage, member):
                return fault
        return None
