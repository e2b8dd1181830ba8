"""One stage over the grid: ask every lender, wait with quorum and deadline, add up.

Invariants:
- The only thing taken from a reply is an integer vector of the asked length; at most one per
  member, and a node keeps to one member's code. It is added at once and not kept.
- A stage ends when everybody has answered, or when the quorum has and `patience` has passed, or at
  the `deadline`; without the quorum it is void and raises, naming stage, lenders and remedy.
- A lender that was away is sent what it missed; one that fails does not hold up the others. Every
  lender known to the run that is not in a total is named with the reason, also if not connected.

This is the plain sum: the coordinator's process sees single lenders' vectors. The secure sum
replaces this file behind the same two names, `collect` and `Collected`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from flwr.app import ArrayRecord, Message, RecordDict
from flwr.serverapp import Grid
from numpy.typing import NDArray

from shared.errors import LianfangError, PeerError
from shared.training.question import Question
from shared.training.run import Run
from shared.wire.messages import (
    QUERY,
    Ask,
    Behind,
    Refused,
    Sum,
    pack_ask,
    parse_reply,
)

FIRST_POLL_SECONDS, POLL_SECONDS = 0.002, 0.1
_ROLL_CALL_SECONDS = 1.0
_RETURN_SECONDS = 60.0  # how long a stage without its quorum hopes for lenders to come back
_MOST_REPEATS = 3


class VoidStageError(LianfangError):
    """Too few lenders answered; nothing was released and the stage can be asked again."""


@dataclass(frozen=True)
class Policy:
    """`minimum` lenders at least, and `quorum` (0 … 1) of those that took part before; seconds."""

    minimum: int
    quorum: float = 0.5
    patience: float = 600.0  # a busy lender must not be left out quietly
    deadline: float = 3600.0

    def needed(self, known: int) -> int:
        """Lenders a stage needs when `known` have taken part in the run."""
        return max(self.minimum, math.ceil(self.quorum * known))


@dataclass(frozen=True, eq=False)
class Collected:
    """The total of a stage, who is in it, who is missing with the reason, and the traffic."""

    total: NDArray[np.int64]
    members: tuple[str, ...]
    missing: tuple[str, ...]
    messages: int
    bytes_up: int
    bytes_down: int


@dataclass(eq=False)
class _Stage:
    number: int
    question: Question
    total: NDArray[np.int64]
    members: set[str] = field(default_factory=set)
    missing: dict[int, str] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    waiting: dict[str, int] = field(default_factory=dict)
    repeats: dict[int, int] = field(default_factory=dict)
    messages: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


class Exchange:
    """Asks one run's questions over a grid; remembers how many totals each node holds.

    `known`: codes of the lenders that took part before a resumed run was interrupted, so that the
    quorum is not forgotten with the process.
    """

    def __init__(
        self,
        grid: Grid,
        policy: Policy,
        *,
        known: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._grid = grid
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._holds: dict[int, int] = {}
        self._names: dict[int, str] = {}  # as a node last called itself: for messages only
        self._codes: dict[int, str] = {}  # the code a node keeps to
        self._known = set(known)

    def collect(self, run: Run, released: Sequence[NDArray[np.int64]]) -> Collected:
        """The sum of all lenders' answers to the run's question at hand."""
        question = run.question()
        stage = _Stage(len(released), question, np.zeros(question.length, dtype=np.int64))
        start = roll_call = self._clock()
        pause = FIRST_POLL_SECONDS
        self._ask_everybody(stage, run, released)
        while not self._over(stage, self._clock() - start):
            self._take_replies(stage, run, released)
            if self._clock() - roll_call > _ROLL_CALL_SECONDS:
                roll_call = self._clock()
                self._ask_everybody(stage, run, released)
            self._sleep(pause)
            pause = min(POLL_SECONDS, pause * 1.5)
        return self._collected(stage)

    def _over(self, stage: _Stage, waited: float) -> bool:
        if waited > self._policy.deadline:
            return True
        enough = len(stage.members) >= self._policy.needed(len(self._known))
        if enough:
            return not stage.waiting or waited > self._policy.patience
        # Nobody left to wait for: only a lender that comes back can save the stage.
        hope = min(self._policy.patience, _RETURN_SECONDS)
        return not stage.waiting and bool(stage.settled) and waited > hope

    def _ask_everybody(
        self, stage: _Stage, run: Run, released: Sequence[NDArray[np.int64]]
    ) -> None:
        asked = stage.settled | set(stage.waiting.values())
        for node in sorted(set(self._grid.get_node_ids()) - asked):
            self._ask(stage, run, released, node)

    def _ask(
        self, stage: _Stage, run: Run, released: Sequence[NDArray[np.int64]], node: int
    ) -> None:
        first = min(self._holds.get(node, 0), len(released))
        ask = Ask(
            run.agreement.digest(),
            stage.question.stage,
            first,
            run.digest,
            tuple(released[first:]),
        )
        content = pack_ask(ask)
        message = Message(content, node, QUERY, group_id=str(len(released)))
        for number in filter(None, self._grid.push_messages([message])):
            stage.waiting[number] = node
            stage.messages += 1
            stage.bytes_down += content_bytes(content)

    def _take_replies(self, stage: _Stage, run: Run, released: Sequence[NDArray[np.int64]]) -> None:
        for message in self._grid.pull_messages(list(stage.waiting)):
            node = stage.waiting.pop(message.metadata.reply_to_message_id, None)
            if node is None:
                continue
            try:
                behind = self._take(stage, node, message)
            except PeerError as error:
                self._miss(stage, node, error.what)
                continue
            if behind is None:
                continue
            stage.repeats[node] = stage.repeats.get(node, 0) + 1
            # The next try goes to a fresh start: a node may be served by several processes (Ray),
            # each with its own copy of the run, and the resent part reach one that holds less.
            self._holds[node] = behind if stage.repeats[node] == 1 else 0
            if stage.repeats[node] > _MOST_REPEATS:
                self._miss(stage, node, "keeps falling behind")
            else:
                self._ask(stage, run, released, node)

    def _take(self, stage: _Stage, node: int, message: Message) -> int | None:
        """Add an answer to the total; returns how many totals a lender that is behind holds."""
        stage.messages += 1
        if not message.has_content():
            raise PeerError("unavailable")  # its reason is Flower's text about the node: left out
        stage.bytes_up += content_bytes(message.content)
        reply = parse_reply(message.content)
        if not reply.member.isprintable():
            raise PeerError("its code is not a printable text")
        self._names[node] = reply.member
        if isinstance(reply, Refused):
            raise PeerError(f"refused ({reply.code} error; see the lender's own log)")
        if self._codes.setdefault(node, reply.member) != reply.member:
            raise PeerError("answers under another code than before")
        match reply:
            case Behind():
                return reply.have
            case Sum():
                if reply.stage != stage.question.stage:
                    raise PeerError("answered another stage")
                if reply.member in stage.members:
                    raise PeerError("another node answers under the same code")
                stage.total += stage.question.check(reply.vector)
                stage.members.add(reply.member)
                self._known.add(reply.member)
                stage.settled.add(node)
                self._holds[node] = stage.number
        return None

    def _miss(self, stage: _Stage, node: int, why: str) -> None:
        stage.settled.add(node)
        stage.missing[node] = why
        self._holds.pop(node, None)

    def _collected(self, stage: _Stage) -> Collected:
        for node in stage.waiting.values():
            stage.missing[node] = "no answer in time"
            self._holds.pop(node, None)
        missing = self._missing(stage)
        needed = self._policy.needed(len(self._known))
        if len(stage.members) < needed:
            raise _void(
                stage, f"{len(stage.members)} lenders answered, {needed} are needed", missing
            )
        try:
            total = stage.question.check(stage.total)
        except PeerError as error:
            raise _void(
                stage, "the answers add up to more than a sum can carry", missing
            ) from error
        return Collected(
            total,
            tuple(sorted(stage.members)),
            missing,
            stage.messages,
            stage.bytes_up,
            stage.bytes_down,
        )

    def _missing(self, stage: _Stage) -> tuple[str, ...]:
        names = self._names | self._codes
        reasons = [(names.get(node, "a lender"), why) for node, why in stage.missing.items()]
        heard = stage.members | {name for name, _ in reasons}
        reasons += [(name, "not heard from") for name in self._known - heard]
        return tuple(sorted(f"{name}: {why}" for name, why in reasons))


def _void(stage: _Stage, why: str, missing: tuple[str, ...]) -> VoidStageError:
    return VoidStageError(
        f"stage {stage.question.stage}: {why}" + "".join(f"\n  {line}" for line in missing),
        remedy="bring the missing lenders back, then run the same command with --resume",
    )


def content_bytes(content: RecordDict) -> int:
    """Bytes of the arrays in a message: what its size is made of."""
    records = [record for record in content.values() if isinstance(record, ArrayRecord)]
    return sum(len(array.data) for record in records for array in record.values())
