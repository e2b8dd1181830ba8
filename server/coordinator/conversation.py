"""Asking many lenders one thing over the grid, and waiting for their replies as a policy says.

Invariants:
- An exchange ends when nobody is left to wait for, when enough have answered and `patience` has
  passed, when nobody has come in that time, or at the `deadline`. A lender that is disconnected or
  has failed is not waited for, but asked again while the others' replies are not enough. One that
  nobody can stand in for is waited for with all patience while it is gone, and a minute when it
  answers that it cannot.
- Nobody waits for a lender that is revoked: it does not come back. An exchange that comes to
  nothing without it ends at once, and those who are at work on it then are not to blame.
- Who is there and silent for much longer than it took for such a question before is asked the same
  again, less and less often, at last every minute: a reply that a crash cut off on its way is not
  sent twice by itself, and lenders keep what they worked out.
- At most one reply counts for each lender, and a node keeps to one lender's code. A reply that does
  not fit leaves its lender out, with the reason, and changes nothing else.
- An error's text never goes further: it may quote rows.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from server.coordinator.exchange import Policy
from server.coordinator.progress import NoWatcher, Watcher
from server.coordinator.refusals import BLAMES, Refusals, Where
from server.coordinator.remedies import NOT_AWAITED, REVOKED
from server.coordinator.topic import RETURN_SECONDS, Topic
from server.coordinator.traffic import Traffic, content_bytes
from shared.errors import PeerError
from shared.wire.failures import shown
from shared.wire.messages import (
    QUERY,
    UNKNOWN,
    Question,
    Refused,
    pack_question,
    parse_reply,
)

_log = logging.getLogger("lianfang.coordinator")
FIRST_POLL_SECONDS, POLL_SECONDS = 0.002, 0.1
_POLL_SHARE = 0.05
"""The next look comes after this share of the time waited so far: a fortieth is lost on average."""
_ROLL_CALL_SECONDS = 1.0
_FIRST_RETRY_SECONDS = 2.0
_FIRST_AGAIN_SECONDS, _AGAIN_SHARE = 15.0, 4.0
"""Asked again at first after that share of the time it took before, or after so many seconds."""
_LONGEST_AGAIN_SECONDS = 60.0
"""At last so often: what several crashes cut off one after another must not cost an hour."""
_MOST_REPEATS = 3


@dataclass(eq=False)
class Heard:
    """How one exchange went: the node that answered for each code, and why others did not.

    `lost`: lenders that do not come back, as far as the run knows them.
    """

    start: float
    answered: dict[str, int] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    away: set[int] = field(default_factory=set)
    repeats: dict[int, int] = field(default_factory=dict)
    failures: dict[int, int] = field(default_factory=dict)
    again: dict[int, float] = field(default_factory=dict)
    asked: dict[int, tuple[float, int]] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    unable: set[int] = field(default_factory=set)
    lost: frozenset[str] = frozenset()
    told: bool = False
    packed: dict[int, tuple[Question, RecordDict]] = field(default_factory=dict)

    @property
    def expected(self) -> set[int]:
        """Nodes at work on the question, as far as can be seen."""
        return set(self.waiting.values()) - self.away


class Conversation:
    """All exchanges of one run over a grid.

    `codes`: the lender each node speaks for, once it has shown it; `hints`: the same of an earlier
    process, believed for addressing only; `shut_out`: why a lender that is not heard from cannot
    come, "" if that is not known.
    """

    def __init__(
        self,
        grid: Grid,
        policy: Policy,
        *,
        refusals: Refusals | None = None,
        watcher: Watcher | None = None,
        shut_out: Callable[[str], str] = lambda code: "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.policy = policy
        self.codes: dict[int, str] = {}
        self.hints: dict[int, str] = {}
        self._grid = grid
        self._refusals = refusals
        self._watcher = watcher or NoWatcher()
        self._shut_out = shut_out
        self.blamed: set[str] = set()  # codes that signed refusals name as the cause
        self._clock = clock
        self._sleep = sleep
        self._names: dict[int, str] = {}  # as a node last called itself: for messages only
        self._overdue: dict[str, int] = {}
        self._took: dict[tuple[int, str], float] = {}  # by node and kind of question: seconds
        self._traffic = Traffic()
        self._exchanges = 0

    def hold(self, topic: Topic) -> Heard:
        """Ask, wait, take; returns when the exchange is over, whatever came of it."""
        heard = Heard(self._clock())
        self._exchanges += 1
        self._watcher.asking(topic.label)
        roll_call = heard.start
        self._ask_missing(topic, heard)
        while not self._over(topic, heard, self._clock() - heard.start):
            if self._clock() - roll_call > _ROLL_CALL_SECONDS:
                roll_call = self._clock()
                self._ask_missing(topic, heard)
                self._tell_awaited(topic, heard)
            pause = _POLL_SHARE * (self._clock() - heard.start)
            self._sleep(min(POLL_SECONDS, max(FIRST_POLL_SECONDS, pause)))
            self._take_replies(topic, heard)
        given_up = topic.hopeless(heard.lost)
        for node in set(heard.waiting.values()):
            self._miss(topic, heard, node, self._why_silent(heard, node, given_up))
        self._overdue |= heard.waiting
        return heard

    def connected(self) -> set[int]:
        """Nodes that are there. One whose lender is shut out looks so for a while, and is not."""
        found = set(self._grid.get_node_ids())
        return {node for node in found if not self.silence(self.code(node), "")}

    def busy(self) -> set[int]:
        """Nodes that owe a reply to an exchange that went on without them."""
        self._forget_overdue()
        return set(self._overdue.values())

    def code(self, node: int) -> str | None:
        """The lender at a node, as far as is known."""
        return self.codes.get(node, self.hints.get(node))

    def nodes_of(self, codes: Set[str], connected: Set[int]) -> set[int]:
        """Nodes of these lenders; while one is not to be found, also those never heard from."""
        found = {node for node in connected if self.code(node) in codes}
        if codes <= {self.code(node) for node in found}:
            return found
        return found | self.strangers(connected)

    def strangers(self, connected: Set[int]) -> set[int]:
        """Nodes of whom it is not known whose they are, and who have not said."""
        return {n for n in connected if self.code(n) is None and n not in self._names}

    def known(self) -> set[str]:
        """Lenders that the run has to do with, here or not."""
        return {*self.codes.values(), *self.hints.values()}

    def name(self, node: int) -> str:
        """What to call a node in a message to the operator."""
        code, claimed = self.code(node), self._names.get(node)
        if code is not None:
            return code
        if claimed is None or claimed == UNKNOWN:
            return f"the lender at node {node}"
        return f"a lender as {claimed}" if claimed in self.codes.values() else claimed

    def silence(self, code: str | None, usual: str = "not heard from") -> str:
        """Why a lender is not heard from: what is known against it, else `usual`."""
        return (self._shut_out(code) if code is not None else "") or usual

    def lost(self, codes: Iterable[str]) -> frozenset[str]:
        """Those of these lenders that do not come back: others may do so, whatever keeps them."""
        return frozenset(code for code in codes if REVOKED in self.silence(code, ""))

    def spent(self) -> Traffic:
        """The traffic since this was last asked."""
        spent, self._traffic = self._traffic, Traffic()
        return spent

    def _over(self, topic: Topic, heard: Heard, waited: float) -> bool:
        if topic.complete() or waited > self.policy.deadline:
            return True
        if topic.hopeless(heard.lost):
            return True
        expected, awaited = heard.expected, topic.awaited() - heard.lost
        able = awaited - {self.code(node) for node in heard.unable}
        if topic.enough():
            most = topic.patience(self.policy)
            most = most if expected or able else min(most, topic.hope(self.policy, able))
            return not (expected or awaited) or waited > most
        # Nobody left to wait for: only a lender that comes, or comes back, can save the exchange.
        if expected:
            return False
        if not (heard.answered or heard.missing or heard.away):
            known = self.codes or self.hints  # gone together: rather our own way to them
            return waited > max(self.policy.patience, RETURN_SECONDS if known else 0.0)
        settled = topic.final and heard.refused and heard.refused >= heard.missing.keys()
        alone = heard.lost and self.known() | topic.awaited() <= heard.lost | heard.answered.keys()
        return bool(settled or alone) or waited > topic.hope(self.policy, able)

    def _ask_missing(self, topic: Topic, heard: Heard) -> None:
        connected, now = self.connected(), self._clock()
        heard.lost = self.lost((self.known() | topic.awaited()) - heard.answered.keys())
        back, before = heard.away & connected, heard.away
        heard.away = {*heard.waiting.values(), *heard.missing} - connected
        for node in sorted(heard.away - before):
            if known := self.silence(self.code(node), ""):
                self._watcher.missed(self.name(node), known)
        retry = bool(topic.awaited()) or not topic.enough()
        answered, waiting = set(heard.answered.values()), set(heard.waiting.values())
        for node in sorted(set(topic.nodes(connected)) & connected - answered):
            due = retry and now >= heard.again.get(node, 0.0) and node not in heard.refused
            silent = node in waiting and self._silent(topic, heard, node, now)
            if (
                node in back
                or silent
                or (node not in waiting and (node not in heard.missing or due))
            ):
                self._ask(topic, heard, node)

    def _silent(self, topic: Topic, heard: Heard, node: int, now: float) -> bool:
        when, times = heard.asked[node]
        usual = _AGAIN_SHARE * self._took.get((node, _kind(topic)), _FIRST_AGAIN_SECONDS)
        first = max(self.policy.soonest_again, min(_FIRST_AGAIN_SECONDS, usual))
        wait = first * (1 << min(times - 1, 10))
        return now - when >= min(wait, max(first, _LONGEST_AGAIN_SECONDS))

    def _ask(self, topic: Topic, heard: Heard, node: int) -> None:
        question = topic.question(node)
        if id(question) not in heard.packed:
            heard.packed[id(question)] = (question, pack_question(question, topic.label))
        content = heard.packed[id(question)][1]
        message = Message(content, node, QUERY, group_id=str(self._exchanges))
        heard.asked[node] = self._clock(), heard.asked.get(node, (0.0, 0))[1] + 1
        for number in filter(None, self._grid.push_messages([message])):
            heard.waiting[number] = node
            self._count(down=content_bytes(content))

    def _tell_awaited(self, topic: Topic, heard: Heard) -> None:
        awaited = topic.awaited()
        if awaited and not heard.expected and not heard.told:
            heard.told = True
            why = {self.code(node): why for node, why in heard.missing.items()}
            for code in sorted(awaited):
                if known := self.silence(code, ""):
                    self._watcher.missed(code, known)
                    why[code] = known
            text = f"{topic.label} waits for {', '.join(sorted(awaited))}"
            told = ", ".join(
                f"{code}: {why.get(code, '')}".rstrip(": ") for code in sorted(awaited)
            )
            _log.warning("%s waits for %s", topic.label, told, extra={"stage": text})

    def _take_replies(self, topic: Topic, heard: Heard) -> None:
        for message in self._grid.pull_messages(list(heard.waiting)):
            node = heard.waiting.pop(message.metadata.reply_to_message_id, None)
            if node is None or node in heard.answered.values():
                continue
            heard.away.discard(node)
            for number in [one for one, other in heard.waiting.items() if other == node]:
                del heard.waiting[number]  # the same was asked twice, and one answer is enough
            try:
                if self._take(topic, heard, node, message):
                    heard.missing.pop(node, None)
                else:
                    self._repeat(topic, heard, node)
            except PeerError as error:
                self._miss(topic, heard, node, error.what)

    def _take(self, topic: Topic, heard: Heard, node: int, message: Message) -> bool:
        heard.unable.discard(node)
        if not message.has_content():
            self._count()
            usual = shown(message.error.reason if message.has_error() else None)
            raise PeerError(self.silence(self.code(node), usual))
        self._count(up=content_bytes(message.content))
        reply = parse_reply(message.content)
        if not reply.member.isprintable():
            raise PeerError("its code is not a printable text")
        self._names[node] = reply.member
        if isinstance(reply, Refused):
            heard.unable.add(node)
            if reply.refusal is not None and topic.final and self.code(node) is not None:
                heard.refused.add(node)
            attempt = 1 + heard.failures.get(node, 0) + heard.repeats.get(node, 0)
            raise PeerError(self._refused(topic, node, reply, attempt))
        if self.codes.get(node, reply.member) != reply.member:
            raise PeerError("answers under another code than before")
        if reply.member in heard.answered:
            raise PeerError("another node answers under the same code")
        answer = topic.take(node, reply)
        if answer:
            self.codes[node] = reply.member
            heard.answered[reply.member] = node
            when, times = heard.asked[node]
            if times == 1:  # else it is not known which question this answers
                self._took[node, _kind(topic)] = self._clock() - when
            waited, size = self._clock() - heard.start, content_bytes(message.content)
            self._watcher.answered(reply.member, waited, size)
        return answer

    def _refused(self, topic: Topic, node: int, reply: Refused, attempt: int) -> str:
        if reply.refusal is None or self._refusals is None:
            return f"refused ({reply.code} error; see the lender's own log)"
        where = Where(topic.label, topic.round, attempt)
        told = self._refusals.taken(reply.member, reply.refusal, topic.asked_of(node), where)
        if reply.refusal.reason in BLAMES:
            self.blamed.add(reply.refusal.came)
        return told

    def _repeat(self, topic: Topic, heard: Heard, node: int) -> None:
        heard.repeats[node] = heard.repeats.get(node, 0) + 1
        if heard.repeats[node] > _MOST_REPEATS:
            raise PeerError("keeps falling behind")
        self._ask(topic, heard, node)

    def _miss(self, topic: Topic, heard: Heard, node: int, why: str) -> None:
        heard.missing[node] = why
        self._watcher.missed(self.name(node), why)
        heard.failures[node] = heard.failures.get(node, 0) + 1
        wait = _FIRST_RETRY_SECONDS * 2 ** (heard.failures[node] - 1)
        heard.again[node] = self._clock() + wait
        topic.missed(node)

    def _why_silent(self, heard: Heard, node: int, given_up: bool) -> str:
        usual = NOT_AWAITED if given_up else "no answer in time"
        usual = "disconnected" if node in heard.away else usual
        return self.silence(self.code(node), usual)

    def _forget_overdue(self) -> None:
        for message in self._grid.pull_messages(list(self._overdue)):
            self._overdue.pop(message.metadata.reply_to_message_id, None)

    def _count(self, *, up: int = 0, down: int = 0) -> None:
        before = self._traffic
        self._traffic = Traffic(before.messages + 1, before.bytes_up + up, before.bytes_down + down)


def _kind(topic: Topic) -> str:
    """Questions of one kind take a lender about as long: their labels differ in numbers only."""
    return re.sub(r"\d+", "", topic.label)
