"""The set-up in use, and when to make another.

A new one is due when there is none, its slots are used up, too few of its members are there, or
lenders are there that are not in it. One that could not be taken in is tried again after 2, 4, 8 …
stages, so that it does not cost the others a set-up each time.
"""

from __future__ import annotations

from collections.abc import Set

from server.coordinator.conversation import Conversation
from server.coordinator.counted import CountedLenders
from server.coordinator.kept_rounds import KeptRounds
from server.coordinator.set_up import Demand, SettingUp
from shared.errors import OperatorError
from shared.secure_sum.coordinator_side import SetUp
from shared.secure_sum.fixed_point import lender_bits
from shared.secure_sum.floors import least_threshold
from shared.secure_sum.statements import RoundOpen
from shared.training.fold import Fold
from shared.training.question import Question

_SPARE_ROUNDS = 10
_TRIES = 2


class Membership:
    """Lives as long as the coordinator's process; starts with what an earlier one kept."""

    def __init__(
        self,
        conversation: Conversation,
        kept: KeptRounds,
        setting_up: SettingUp,
        counted: CountedLenders,
    ) -> None:
        self._conversation = conversation
        self._setting_up = setting_up
        self._counted = counted
        self._set_up: SetUp | None = None
        self._slot = 0
        self._stages = 0
        self._failures: dict[int, int] = {}
        self._due: dict[int, int] = {}
        found, opened = kept.set_up(), kept.opened()
        if found is not None:
            self._set_up, conversation.hints = found
            setting_up.meet(self._set_up.roll)
            if opened is not None and opened.set_up == self._set_up.name:
                self._slot = opened.slot + 1

    @property
    def set_up(self) -> SetUp:
        """The set-up in use; OperatorError when an earlier process's is gone."""
        if self._set_up is None:
            raise OperatorError(
                "the key sets of the stage that was open are gone",
                remedy="restore the run's folder from a copy, or start a new run on new terms",
            )
        return self._set_up

    def members(self) -> Set[str]:
        """Of the set-up in use; empty when there is none."""
        return set() if self._set_up is None else set(self._set_up.members)

    def set_up_of(self, opened: RoundOpen) -> SetUp:
        """The set-up of a round that is open."""
        if self._set_up is None or self._set_up.name != opened.set_up:
            self._set_up = None
        return self.set_up

    def made_ready(self, run: Fold, question: Question, needed: int) -> SetUp:
        """The set-up for a stage that is about to be opened; VoidStageError."""
        self._stages += 1
        for _ in range(_TRIES):  # the first may be needed to learn who is at which node
            if self._serves(run, question, needed):
                break
            wanted = self._counted.wanted(question.kind)
            without = self._of_no_use(run, question)
            demand = Demand(question.stage, needed, wanted, without, _rounds_left(run))
            self._set_up = None  # lenders forget its keys as soon as they are asked for new ones
            self._set_up, self._slot = self._setting_up.made(demand), 0
            self._note_failures()
        return self.set_up

    def asked(self, question: Question, needed: int) -> frozenset[str]:
        """The lenders whose numbers a stage's round is to have: for counts always the same, for
        others all members, but those still at work on an earlier question, if enough remain.
        """
        members = frozenset(self.members())
        if wanted := self._counted.wanted(question.kind):
            return wanted & members
        free = members - self._there(self._conversation.busy())
        there = free & self._there(self._conversation.connected())
        return free if len(there) >= max(needed, self.set_up.threshold) else members

    def next_slot(self) -> int:
        """A slot that has served no round; call once a round."""
        self._slot += 1
        return self._slot - 1

    def _serves(self, run: Fold, question: Question, needed: int) -> bool:
        if self._set_up is None or self._slot >= self._set_up.slots:
            return False
        members, connected = self.members(), self._conversation.connected()
        there = self._there(connected)
        if wanted := self._counted.wanted(question.kind):
            # One that is in the set-up and away is waited for within the round.
            strangers = self._conversation.strangers(connected)
            found = wanted <= members and (wanted <= there or not strangers)
            return found and _opens(len(wanted), self._set_up.threshold)
        due = {node for node in self._newcomers() if self._due.get(node, 0) <= self._stages}
        take_in = due and self._all_fit(run, question)
        return not take_in and len(there & members) >= max(needed, self._set_up.threshold)

    def _newcomers(self) -> frozenset[int]:
        """Nodes that are there and not in the set-up."""
        code, members = self._conversation.code, self.members()
        return frozenset(n for n in self._conversation.connected() if code(n) not in members)

    def _all_fit(self, run: Fold, question: Question) -> bool:
        """Whether a sum over all that are there holds gradients of the largest lender: the scale
        was chosen for the lenders of the census, and some may have come later.
        """
        if question.kind != "gradients" or run.largest is None:
            return True
        lenders = max(1, len(self._conversation.connected()))
        largest = run.largest * question.clip * 2.0**question.fraction_bits
        return bool(largest < 2 ** (lender_bits(lenders) - 1))

    def _of_no_use(self, run: Fold, question: Question) -> frozenset[int]:
        """Nodes of lenders that came after the census, where a set-up is better without them: a sum
        of counts does not have them, and the scale of gradients may not do with them.
        """
        if self._all_fit(run, question) and not self._counted.wanted(question.kind):
            return frozenset()
        connected = self._conversation.connected()
        late = connected - self._conversation.nodes_of(self._counted.first, connected)
        return frozenset(late) if late < connected else frozenset()

    def _there(self, nodes: Set[int]) -> set[str]:
        codes = (self._conversation.code(node) for node in nodes)
        return {code for code in codes if code is not None}

    def _note_failures(self) -> None:
        for node in self._conversation.connected():
            if self._conversation.code(node) in self.members():
                self._failures.pop(node, None)
                self._due.pop(node, None)
            else:
                self._failures[node] = self._failures.get(node, 0) + 1
                self._due[node] = self._stages + 2 ** self._failures[node]


def _opens(lenders: int, threshold: int) -> bool:
    """Whether so many open a sum with one of them away, as far as any threshold lets them."""
    return lenders > threshold or threshold <= least_threshold(lenders)


def _rounds_left(run: Fold) -> int | None:
    """An upper bound, as far as the terms tell."""
    if run.steps is not None:
        return run.steps - run.absorbed + _SPARE_ROUNDS
    if run.agreement.rounds is not None:
        return 2 * run.agreement.rounds + _SPARE_ROUNDS  # a blend trains two families
    return None
