"""The secure sum of one stage: the coordinator sees the total and no single lender's numbers.

    set-up, where one is due ─► RoundOpen ─► masked inputs ─► survivors ─► answers ─► total

Invariants:
- Lenders that come, or come back, are taken in between two stages, never within one.
- A stage is opened for one RoundOpen, once, and closed with one set of survivors. A process that
  goes on asks the very same questions again; a stage that cannot be finished is void, and names
  lenders, phase and remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from server.coordinator.catching_up import Agreed, CatchingUp, StageAsks
from server.coordinator.checkpoint import StageRecord
from server.coordinator.conversation import Conversation, Heard
from server.coordinator.counted import NOT_COUNTED, CountedLenders, singled_out
from server.coordinator.exchange import BRING_BACK, Collected, VoidStageError, void
from server.coordinator.kept_rounds import KeptRounds
from server.coordinator.membership import Membership
from server.coordinator.plain_exchange import PlainStage
from server.coordinator.remedies import UNOPENED, unopened
from server.coordinator.round_phases import MaskedPhase, UnmaskPhase
from server.coordinator.set_up import Means, SettingUp
from server.coordinator.traffic import NO_TRAFFIC, Traffic
from shared.errors import PeerError
from shared.secure_sum.coordinator_round import Closed, Collecting, Opening, open_round
from shared.secure_sum.coordinator_side import SetUp
from shared.secure_sum.statements import Payload, RoundOpen
from shared.training.fold import Fold
from shared.training.question import Question

_REMEDY = (
    "bring the missing lenders back, then run the same command with --resume; where they will not "
    "come back, start a new run on new terms, as no lender masks the same numbers twice"
)
_END = (
    f"{BRING_BACK}; all that are in the sum have to hear its end, and answer no other batch until "
    "then: where one will never come, lianfang-server run give-up says what ending without it costs"
)


class SecureExchange:
    """`records`: of the stages before, when a run goes on; `counted`: the lenders of sums of counts
    in runs before, where this one's are to be over the same.
    """

    def __init__(
        self,
        means: Means,
        conversation: Conversation,
        kept: KeptRounds,
        setting_up: SettingUp,
        records: Iterable[StageRecord] = (),
        counted: Iterable[str] = (),
    ) -> None:
        self._means = means
        self._conversation = conversation
        self._kept = kept
        self._setting_up = setting_up
        self._catching_up = CatchingUp(conversation.code)
        self._counted = CountedLenders(means.same_lenders)
        self._known: set[str] = set()
        self._counted.add("counts", counted)
        for record in records:
            self._known |= set(record.members)
            if record.round:
                self._released(record.kind, record.round, record.members, record.agreed)
        self._membership = Membership(conversation, kept, setting_up, self._counted)

    def collect(self, run: Fold, released: Sequence[NDArray[np.int64]]) -> Collected:
        """The total of the run's question at hand; VoidStageError."""
        question = run.question()
        if question.length == 0:
            return self._told(run, question, released)
        opened = self._kept.opened()
        if opened is not None and opened.payload.run.hex() == run.digest:
            set_up, spent = self._membership.set_up_of(opened), NO_TRAFFIC
            closed = self._kept.closed(opened)
        else:
            self._check_lost(question)
            set_up = self._membership.made_ready(run, question, self._needed())
            spent, closed = self._conversation.spent(), None
            opened = self._opened(run, question, set_up)
        missing: dict[str, str] = {}
        if closed is None:
            asks = self._asks(run, released, opened)
            closed, missing = self._closed(question, set_up, opened, asks)
        return self._unmasked(question, set_up, closed, missing, spent)

    def _asks(
        self, run: Fold, released: Sequence[NDArray[np.int64]], opened: RoundOpen | None = None
    ) -> StageAsks:
        return StageAsks(self._catching_up, run, released, opened, self._means.identity)

    def _needed(self, members: Set[str] = frozenset()) -> int:
        return self._conversation.policy.needed(len(self._known | members))

    def _needed_by_all(self, members: Set[str]) -> int:
        """As `_needed`, and more than there are until all lenders of the sums are among them."""
        missing = len(self._counted.first - members)
        return max(self._needed(members), len(members) + missing if missing else 0)

    def _told(
        self, run: Fold, question: Question, released: Sequence[NDArray[np.int64]]
    ) -> Collected:
        """A stage without numbers: it hands out the last total, to everybody."""
        needed = self._needed_by_all if run.all_hear else self._needed
        topic = PlainStage(question, self._asks(run, released), needed)
        heard = self._conversation.hold(topic)
        missing = self._reasons(heard)
        lines = self._missing(topic.members, missing)
        if not topic.enough():
            why = f"{len(topic.members)} lenders answered, {needed(topic.members)} are needed"
            raise void(question.stage, why, lines, _END if run.all_hear else BRING_BACK)
        members = tuple(sorted(topic.members))
        return Collected(topic.total, members, lines, self._conversation.spent())

    def _opened(self, run: Fold, question: Question, set_up: SetUp) -> RoundOpen:
        asked = self._membership.asked(question, self._needed())
        if not self._counted.allows(question.kind, asked):
            left_out, wanted = self._left_out(), self._counted.wanted(question.kind)
            silence = self._conversation.silence
            gone = {code: left_out.get(code) or silence(code) for code in wanted - asked}
            raise singled_out(f"{question.stage}, set-up", gone)
        slot, payload = self._membership.next_slot(), payload_of(run, question)
        opened = open_round(self._means.suite, self._means.identity, set_up, slot, payload)
        self._kept.keep_opened(opened)
        return opened

    def _check_lost(self, question: Question) -> None:
        """Nobody is asked for a sum that a lender is missing from for good."""
        if lost := self._conversation.lost(self._counted.wanted(question.kind)):
            silence = self._conversation.silence
            raise singled_out(f"{question.stage}, set-up", {code: silence(code) for code in lost})

    def _closed(
        self, question: Question, set_up: SetUp, opened: RoundOpen, asks: StageAsks
    ) -> tuple[Closed, dict[str, str]]:
        """The round with its survivors settled, and why others are not among them."""
        collecting = Collecting(self._means.suite, self._means.identity, set_up, opened)
        phase = MaskedPhase(
            self._conversation,
            collecting,
            asks,
            asked=self._membership.asked(question, self._needed()),
            enough=lambda alive: self._enough(question, set_up, alive),
            insists=bool(self._counted.wanted(question.kind)),
        )
        missing = self._reasons(self._conversation.hold(phase))
        if not phase.enough():
            raise self._unfinished(question, set_up, set(collecting.alive), missing)
        closed = collecting.close()
        self._kept.keep_closed(closed)
        return closed, missing

    def _enough(self, question: Question, set_up: SetUp, alive: Set[str]) -> bool:
        needed = max(self._needed(alive), set_up.threshold)
        return len(alive) >= needed and self._counted.allows(question.kind, alive)

    def _unfinished(
        self, question: Question, set_up: SetUp, alive: Set[str], missing: dict[str, str]
    ) -> VoidStageError:
        where = f"{question.stage}, masked input"
        needed = max(self._needed(alive), set_up.threshold)
        if len(alive) >= needed:
            gone = self._counted.wanted(question.kind) - alive
            silence = self._conversation.silence
            return singled_out(where, {c: missing.get(c) or silence(c) for c in gone})
        why = f"{len(alive)} lenders answered, {needed} are needed"
        return void(where, why, self._missing(alive, missing, question.kind), _REMEDY)

    def _unmasked(
        self,
        question: Question,
        set_up: SetUp,
        closed: Closed,
        missing: dict[str, str],
        spent: Traffic,
    ) -> Collected:
        opening = Opening(self._means.suite, set_up, closed)
        phase = UnmaskPhase(self._conversation, opening, closed)
        total, lost = self._total(question, opening, phase)
        opened, alive = closed.opened, closed.survivors.alive
        self._known |= set(alive)
        agreed = opening.agreed[: set_up.threshold]  # as many as lenders ask for
        self._released(opened.payload.kind, closed.survivors.round, alive, agreed)
        lines = self._missing(set(alive), missing, question.kind)
        return Collected(
            total,
            alive,
            lines,
            self._conversation.spent(),
            closed.survivors.round,
            agreed,
            spent,
            lost,
        )

    def _total(
        self, question: Question, opening: Opening, phase: UnmaskPhase
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """The total, and who did not help to open it, with the reason."""
        missing = self._reasons(self._conversation.hold(phase))
        total = _total_of(question, opening)
        if isinstance(total, str) and opening.enough and not phase.complete():
            phase.every = True  # another answer may make up for a wrong one
            missing = self._reasons(self._conversation.hold(phase))
            total = _total_of(question, opening)
        lines = [f"{code}: {why}" for code, why in sorted(missing.items())]
        if isinstance(total, str):
            where, needed = f"{question.stage}, unmasking", self._membership.set_up.threshold
            if not opening.enough:
                raise void(where, total, lines, _REMEDY)
            raise void(where, unopened(total, len(opening.answered), needed), lines, UNOPENED)
        if opening.liar:
            lines.append(f"{opening.liar}: its shares were wrong, and were done without")
        return total, tuple(lines)

    def _released(self, kind: str, name: bytes, members: Iterable[str], agreed: Agreed) -> None:
        self._catching_up.released(name, members, agreed)
        self._counted.add(kind, members)

    def _reasons(self, heard: Heard) -> dict[str, str]:
        return {self._conversation.name(node): why for node, why in heard.missing.items()}

    def _left_out(self) -> dict[str, str]:
        name = self._conversation.name
        return {name(node): why for node, why in self._setting_up.left_out.items()}

    def _missing(self, alive: Set[str], missing: dict[str, str], kind: str = "") -> tuple[str, ...]:
        """Every lender of the run that is not in the total, with the reason."""
        reasons = self._left_out() | missing
        for code in (self._known | self._membership.members()) - reasons.keys():
            reasons[code] = self._why_absent(code, kind)
        return tuple(sorted(f"{c}: {why}" for c, why in reasons.items() if c not in alive))

    def _why_absent(self, code: str, kind: str) -> str:
        wanted = self._counted.wanted(kind)
        if wanted and code not in wanted:
            return NOT_COUNTED
        busy = {self._conversation.code(node) for node in self._conversation.busy()}
        usual = "still at work on an earlier question" if code in busy else "not heard from"
        return self._conversation.silence(code, usual)


def payload_of(run: Fold, question: Question) -> Payload:
    """What a round for the run's question at hand is for."""
    return Payload(
        bytes.fromhex(run.digest),
        question.stage,
        question.kind,
        question.length,
        question.fraction_bits,
        float(question.clip),
        run.agreement.minimum_cell,
    )


def _total_of(question: Question, opening: Opening) -> NDArray[np.int64] | str:
    """The total, or why there is none."""
    try:
        return question.check(opening.total())
    except PeerError as error:
        return error.what
