"""A lender that is there and silent is asked the same again: a reply may be lost on its way."""

import pytest

from server.coordinator.conversation import Conversation
from server.coordinator.exchange import Policy
from server.coordinator.plain_exchange import PlainExchange
from shared.training.run import Run
from tests.server.coordinator.scripted_grid import (
    TERMS,
    Clock,
    Lender,
    Node,
    ScriptedGrid,
    honest,
)

PATIENT = Policy(minimum=3, patience=600.0, deadline=3600.0)


def _asking(nodes: dict[int, Node]) -> tuple[PlainExchange, Conversation, Clock]:
    clock = Clock()
    grid = ScriptedGrid(nodes, clock)
    conversation = Conversation(grid, PATIENT, clock=clock, sleep=clock.sleep)
    return PlainExchange(conversation), conversation, clock


def _losing(lender: Lender, replies: int) -> Lender:
    """A lender whose first replies do not arrive."""
    left = [replies]

    def answer(ask):  # type: ignore[no-untyped-def]
        left[0] -= 1
        return None if left[0] >= 0 else lender(ask)

    return answer


@pytest.mark.parametrize(("lost", "seconds"), [(1, 15), (2, 45), (3, 105)])
def test_a_lost_reply_costs_seconds_and_not_the_lender(lost: int, seconds: int) -> None:
    """After 15 seconds, then twice as many each time; the total has all three."""
    nodes = honest(3)
    nodes[3].lender = _losing(nodes[3].lender, lost)
    exchange, _, clock = _asking(nodes)
    got = exchange.collect(Run(TERMS), [])
    assert (got.members, got.missing) == (("L01", "L02", "L03"), ())
    assert int(got.total[0]) == 111
    assert seconds <= clock.now < seconds + 4
    assert [len(node.asked) for node in nodes.values()] == [1, 1, lost + 1]


def test_a_slow_lender_counts_once_and_is_not_taken_for_busy() -> None:
    """It answers each time it was asked; the first answer counts, the others are not waited for."""
    nodes = honest(3)
    nodes[3].delay = 50.0
    exchange, conversation, clock = _asking(nodes)
    got = exchange.collect(Run(TERMS), [])
    assert (int(got.total[0]), got.missing) == (111, ())
    assert len(nodes[3].asked) == 3  # at 0, 15 and 45 seconds
    assert 50 <= clock.now < 54
    assert conversation.busy() == set()


def test_who_was_quick_before_is_asked_again_sooner() -> None:
    """A reply lost in a later round of questions costs three seconds, where the same took none."""
    nodes = honest(3)
    exchange, _, clock = _asking(nodes)
    exchange.collect(Run(TERMS), [])
    nodes[3].lender, began = _losing(nodes[3].lender, 1), clock.now
    got = exchange.collect(Run(TERMS), [])
    assert (got.members, got.missing) == (("L01", "L02", "L03"), ())
    assert 3 <= clock.now - began < 5


def test_who_was_slow_before_is_given_the_time_again() -> None:
    """It is asked once: four times as long as it took, and never after more than 15 seconds."""
    nodes = honest(3)
    nodes[3].delay = 3.0
    exchange, _, _ = _asking(nodes)
    exchange.collect(Run(TERMS), [])
    nodes[3].delay, asked = 11.0, len(nodes[3].asked)
    exchange.collect(Run(TERMS), [])
    assert len(nodes[3].asked) == asked + 1


def test_at_last_it_is_asked_every_minute() -> None:
    """What several crashes cut off one after another costs minutes, not an hour."""
    nodes = honest(3)
    nodes[3].lender = _losing(nodes[3].lender, 6)
    exchange, _, clock = _asking(nodes)
    got = exchange.collect(Run(TERMS), [])
    assert got.missing == ()
    assert 285 <= clock.now < 300  # after 15, 30, 60, 60, 60 and 60 seconds
    assert len(nodes[3].asked) == 7
