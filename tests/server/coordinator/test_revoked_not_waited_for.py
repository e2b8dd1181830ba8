"""A lender that is revoked is not waited for; one that is merely silent has all patience.

Time is that of the run: only waiting moves it, and waiting takes none here.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

import pytest

import client.app
from client.desk import close_all
from server.coordinator.catching_up import CatchingUp, StageAsks
from server.coordinator.checkpoint import StageRecord, records_in
from server.coordinator.conversation import Conversation, Heard
from server.coordinator.exchange import Policy, VoidStageError, void
from server.coordinator.plain_exchange import PlainExchange, PlainStage
from server.coordinator.remedies import NOT_AWAITED
from server.coordinator.rounds import STAGES, conduct
from server.coordinator.status import failure_of
from server.simulation.faults import Faults, parse_fault
from server.simulation.grid import InProcessGrid, _stage
from shared.training.run import Run
from tests.federation import Consortium, Hurried, founded_in
from tests.server.coordinator.scripted_grid import SILENT, TERMS, Clock, ScriptedGrid, honest

POLICY = Policy(minimum=3, patience=600.0, deadline=3600.0)
REVOKED = "it is revoked"
WITHOUT = "L03 does not come back: start a new run without it"


class Watched(InProcessGrid):
    """`asked`: stages and phases; who is `revoked` is so from the first question `at` one on."""

    def __init__(self, consortium: Consortium, at: str, revoked: str) -> None:
        faults = Faults((parse_fault(f"away L03 {at} never"),))
        super().__init__(client.app.app, consortium.homes, workers=2, faults=faults)
        self.asked: list[str] = []
        self._at, self._revoked = at, revoked

    def push_messages(self, messages):  # type: ignore[no-untyped-def]
        sent = list(messages)
        self.asked += map(_stage, sent)
        return super().push_messages(sent)

    def why(self, code: str) -> str:
        """What the coordinator knows against a lender."""
        return REVOKED if code == self._revoked and self._at in self.asked else ""


@dataclass(frozen=True)
class Ended:
    """How a run without L03 ended: error, seconds, what was asked, records of its stages."""

    error: VoidStageError
    seconds: float
    asked: list[str]
    records: dict[str, StageRecord]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("secure") / "run")


def _ended(
    consortium: Consortium,
    at: str,
    *,
    revoked: str,
    resume: bool = False,
    policy: Policy = POLICY,
) -> Ended:
    close_all()
    if not resume:
        consortium.lenders_forget()
        consortium.coordinator_forgets()
    grid = Watched(consortium, at, revoked)
    time = Hurried(grid)
    began = time.clock()
    try:
        with pytest.raises(VoidStageError) as caught:
            conduct(
                grid,
                consortium.folder,
                policy,
                resume=resume,
                shut_out=grid.why,
                clock=time.clock,
                sleep=time.sleep,
            )
    finally:
        seconds = time.clock() - began
        grid.close()
        close_all()
    records = {one.stage: one for one in records_in(consortium.folder / STAGES)}
    return Ended(caught.value, seconds, grid.asked, records)


def test_a_count_that_a_revoked_lender_was_asked_for_is_void_at_once(secure: Consortium) -> None:
    """Resumed, too; control: silent for a reason nobody knows, the same lender has all patience."""
    for resume in (False, True):
        ended = _ended(secure, "evaluation", revoked="L03", resume=resume)
        assert ended.seconds < 60.0
        assert (ended.error.remedy, ended.error.missing) == (WITHOUT, (f"L03: {REVOKED}",))
    ended = _ended(secure, "evaluation", revoked="nobody")
    assert ended.seconds > POLICY.patience
    assert ended.error.remedy.startswith("bring L03 back")


def test_a_run_goes_on_without_a_revoked_lender_to_the_count_that_needs_it(
    secure: Consortium,
) -> None:
    """Both trees are without it, and nobody is asked for keys or numbers in vain; control: silent
    for a reason nobody knows, it is waited for with all patience.
    """
    ended = _ended(secure, "trees/0", revoked="L03")
    assert ended.seconds < 60.0
    assert ended.error.remedy == WITHOUT
    for stage in ("trees/0", "trees/1"):
        assert ended.records[stage].members == ("L01", "L02", "L04", "L05")
    assert not {"mixture", "set-up/keys"} & {*ended.asked[ended.asked.index("trees/1") :]}
    ended = _ended(secure, "trees/0", revoked="nobody")
    assert ended.seconds > POLICY.patience


class All(PlainStage):
    """A stage that all of L01, L02, L03 are needed for and worth all patience."""

    def enough(self) -> bool:
        return self.complete()

    def complete(self) -> bool:
        return len(self.members) == 3

    def awaited(self) -> Set[str]:
        return {"L01", "L02", "L03"} - self.members

    def hopeless(self, lost: Set[str]) -> bool:
        return bool(lost - self.members)


def _held(revoked: str) -> tuple[float, Heard]:
    """Seconds and reasons when L02 is slow, L03 silent, and one revoked after half a second."""
    clock, nodes = Clock(), honest(3)
    conversation = Conversation(
        ScriptedGrid(nodes, clock),
        POLICY,
        shut_out=lambda who: REVOKED if who == revoked and clock.now > 0.5 else "",
        clock=clock,
        sleep=clock.sleep,
    )
    conversation.hints = {3: "L03"}
    nodes[2].delay, nodes[3].lender = 30.0, lambda ask: SILENT
    run = Run(TERMS)
    asks = StageAsks(CatchingUp(conversation.code), run, [])
    heard = conversation.hold(All(run.question(), asks, lambda members: 3))
    return clock.now, heard


def test_whose_answer_would_be_of_no_use_is_not_waited_for_nor_blamed() -> None:
    """Control: nobody is revoked, and who is at work has its time."""
    seconds, heard = _held("L03")
    assert (seconds < 3.0, heard.missing) == (True, {2: NOT_AWAITED, 3: REVOKED})
    lines = [f"L0{node}: {why}" for node, why in heard.missing.items()]
    told = failure_of(void("census", "too few", lines), "spring", "census")
    assert (told["blamed"], told["remedy"]) == (("L03",), WITHOUT)
    seconds, heard = _held("nobody")
    assert (seconds > POLICY.patience, heard.missing) == (True, {3: "no answer in time"})


@pytest.mark.parametrize(("revoked", "longest"), [("L03", 3.0), ("nobody", 100.0)])
def test_too_few_are_left_and_nobody_else_is_known(revoked: str, longest: float) -> None:
    """The second stage is void at once; control: a lender that may come back is hoped for."""
    clock, nodes, silent = Clock(), honest(3), False
    conversation = Conversation(
        ScriptedGrid(nodes, clock),
        POLICY,
        shut_out=lambda who: REVOKED if silent and who == revoked else "",
        clock=clock,
        sleep=clock.sleep,
    )
    exchange, run = PlainExchange(conversation), Run(TERMS)
    exchange.collect(run, [])
    silent, began, nodes[3].up_until = True, clock.now, clock.now
    with pytest.raises(VoidStageError) as caught:
        exchange.collect(run, [])
    seconds = clock.now - began
    assert seconds < longest
    assert (seconds < 3.0) is (WITHOUT in caught.value.remedy) is (revoked == "L03")


def test_a_set_up_that_a_revoked_lender_leaves_too_few_for_fails_at_once_and_names_it(
    secure: Consortium,
) -> None:
    """All are needed for a tree. Control: silent for a reason nobody knows, it is hoped for."""
    needs_all = replace(POLICY, minimum=5)
    ended = _ended(secure, "trees/0/unmask", revoked="L03", policy=needs_all)
    assert (ended.error.where, ended.seconds < 60.0) == ("trees/1, set-up", True)
    assert (ended.error.remedy, ended.error.missing) == (WITHOUT, (f"L03: {REVOKED}",))
    ended = _ended(secure, "trees/0/unmask", revoked="nobody", policy=needs_all)
    assert ended.seconds > 60.0
