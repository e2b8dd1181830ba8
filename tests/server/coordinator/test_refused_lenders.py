"""A lender that answers that it will not or cannot: how long it is waited for, what is told, and
what the operator is advised.
"""

import logging

import numpy as np
import pytest
from flwr.app import Error
from scripted_grid import SILENT, TERMS, Answer, Clock, Node, ScriptedGrid, honest, sums

from server.coordinator.catching_up import CatchingUp, StageAsks
from server.coordinator.conversation import Conversation, Heard
from server.coordinator.counted import singled_out
from server.coordinator.exchange import Policy, void
from server.coordinator.plain_exchange import PlainStage
from server.coordinator.told import Told
from shared.training.run import Run
from shared.wire.messages import Refused

PATIENT = Policy(minimum=3)
CANNOT = Refused("L04", "operator")
FAILED = Error(code=0, reason="gone")


class Counted(PlainStage):
    """A stage that needs L04: nobody can stand in for it. `sure`: the others would be enough."""

    sure = False

    def awaited(self) -> set[str]:
        return {"L04"} - self.members

    def enough(self) -> bool:
        return self.sure or not self.awaited()


def _held(answer: Answer, *, sure: bool = False, delay: float = 0.0) -> tuple[Heard, Clock]:
    """A conversation with three honest lenders and L04, known from before, which gives `answer`."""
    clock = Clock()
    nodes = honest(3) | {4: Node(lambda ask: answer, delay)}
    conversation = Conversation(ScriptedGrid(nodes, clock), PATIENT, clock=clock, sleep=clock.sleep)
    conversation.hints = {4: "L04"}
    run = Run(TERMS)
    asks = StageAsks(CatchingUp(conversation.code), run, [])
    topic = Counted(run.question(), asks, lambda members: 3)
    topic.sure = sure
    return conversation.hold(topic), clock


@pytest.mark.parametrize("sure", [False, True])
@pytest.mark.parametrize("code", ["operator", "internal", "unexpected", "peer"])
def test_who_answers_that_it_cannot_is_waited_for_a_minute_and_no_longer(code: str, sure: bool):
    heard, clock = _held(Refused("L04", code), sure=sure)
    assert 60 < clock.now < 62
    assert heard.missing == {4: f"refused ({code} error; see the lender's own log)"}
    assert heard.failures[4] > 3  # it was asked again meanwhile: it may have been mended


@pytest.mark.parametrize("sure", [False, True])
def test_who_is_gone_is_waited_for_with_all_patience(sure: bool):
    """The positive control: the same wait without an answer."""
    assert 600 < _held(FAILED, sure=sure)[1].now < 602


def test_who_is_mended_within_the_minute_takes_part():
    answers = iter([CANNOT, CANNOT, CANNOT])
    good = sums("L04", 1000)
    clock = Clock()
    nodes = honest(3) | {4: Node(lambda ask: next(answers, None) or good(ask))}
    conversation = Conversation(ScriptedGrid(nodes, clock), PATIENT, clock=clock, sleep=clock.sleep)
    run = Run(TERMS)
    topic = Counted(run.question(), StageAsks(CatchingUp(conversation.code), run, []), len)
    assert "L04" in conversation.hold(topic).answered
    assert np.unique(topic.total).tolist() == [1111]
    assert 14 <= clock.now < 20  # asked again after 2, 4 and 8 seconds


def test_another_lender_cannot_shorten_the_wait_in_its_name():
    """Node 3 says that L04 cannot; L04 itself is gone."""
    clock = Clock()
    nodes = honest(2) | {3: Node(lambda ask: CANNOT), 4: Node(lambda ask: FAILED)}
    conversation = Conversation(ScriptedGrid(nodes, clock), PATIENT, clock=clock, sleep=clock.sleep)
    conversation.hints = {4: "L04"}
    run = Run(TERMS)
    conversation.hold(
        Counted(run.question(), StageAsks(CatchingUp(conversation.code), run, []), len)
    )
    assert clock.now > 600


def test_the_warning_that_somebody_is_waited_for_says_why(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        _held(CANNOT)
    assert "census waits for L04: refused (operator error" in caplog.text


@pytest.mark.parametrize(("answer", "why"), [(CANNOT, "refused"), (SILENT, "no answer in time")])
def test_a_lender_that_cannot_say_who_it_is_is_called_by_its_node(answer: Answer, why: str):
    clock = Clock()
    if answer is CANNOT:
        answer = Refused("unknown", "operator")
    grid = ScriptedGrid(honest(3) | {7: Node(lambda ask: answer)}, clock)
    conversation = Conversation(grid, Policy(3, patience=10.0), clock=clock, sleep=clock.sleep)
    run = Run(TERMS)
    topic = PlainStage(run.question(), StageAsks(CatchingUp(conversation.code), run, []), len)
    heard = conversation.hold(topic)
    assert conversation.name(7) == "the lender at node 7"
    assert heard.missing[7].startswith(why)
    conversation.codes[7] = "L04"
    assert conversation.name(7) == "L04"


REMEDIES = {
    "operator error; see the lender's own log": "own log of L03",
    "no-keys": "the lost keys of L03 cannot be made again: start a new run",
    "clip): a larger clip than this lender allows (expected 16 at most, came 99": "[floors]",
    "again): the same update has been masked before": "start a new run on new terms",
    "agreement): another": "compare agreement, certificates and version with L03",
}


@pytest.mark.parametrize("reason", REMEDIES)
def test_where_a_lender_refused_the_remedy_is_about_its_reason(reason: str):
    """To bring it back would not help."""
    told = singled_out("bins, masked input", {"L03": f"refused ({reason})"})
    assert REMEDIES[reason] in told.remedy
    assert "bring" not in told.remedy
    told = void("bins", "too few", [f"L03: refused ({reason})"])
    assert REMEDIES[reason] in told.remedy
    assert "bring" not in told.remedy


@pytest.mark.parametrize("why", ["unavailable", "not heard from", "refused in another's name"])
def test_where_a_lender_is_gone_the_remedy_is_to_bring_it_back(why: str):
    """One that did not even refuse rightly has not told what to change."""
    told = singled_out("bins, masked input", {"L03": why})
    assert told.remedy.startswith("bring L03 back, then run the same command with --resume")
    assert void("bins", "too few", [f"L03: {why}"]).remedy.startswith("bring the missing lenders")
    assert void("bins", "too few", []).remedy.startswith("bring the missing lenders")


def test_where_some_are_gone_and_some_refused_both_remedies_are_told():
    missing = {"L02": "unavailable", "L03": "refused (clip): x", "L04": "refused (kind): y"}
    told = singled_out("bins, masked input", missing)
    assert "[floors] in client.toml of L03, L04" in told.remedy
    assert "bring L02 back" in told.remedy


def test_a_trouble_of_a_lender_is_told_once_until_it_took_part_again(
    caplog: pytest.LogCaptureFixture,
):
    told = Told("stage %s went on without %s")
    gone, refused = "L03: unavailable", "L03: refused (clip): x"
    with caplog.at_level(logging.WARNING):
        for number in range(5):
            other = f"L04: refused (kind): y (came {number})"
            told.warn(f"trees/{number}", [gone, other], ["L01", "L02"])
        told.warn("trees/5", [refused], ["L01", "L02"])
        told.warn("trees/6", [], ["L01", "L02", "L03"])
        told.warn("trees/7", [gone], ["L01", "L02"])
    assert [record.getMessage() for record in caplog.records] == [
        f"stage trees/0 went on without {gone}",
        "stage trees/0 went on without L04: refused (kind): y (came 0)",
        f"stage trees/5 went on without {refused}",
        f"stage trees/7 went on without {gone}",
    ]
