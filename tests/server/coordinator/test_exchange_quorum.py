"""Who is waited for, how long, and what happens when too few answer."""

import numpy as np
import pytest
from flwr.app import Error
from scripted_grid import SILENT, TERMS, Lender, Node, asking, honest, sums

from server.coordinator.exchange import Policy, VoidStageError
from shared.training.run import Run
from shared.wire.messages import Refused, Sum


def test_everybody_answers_and_the_total_is_their_sum():
    exchange, clock = asking(honest(4))
    got = exchange.collect(Run(TERMS), [])
    assert np.unique(got.total).tolist() == [1111]
    assert got.members == ("L01", "L02", "L03", "L04")
    assert got.missing == ()
    assert got.traffic.messages == 8
    assert clock.now < 1


def test_a_silent_lender_is_waited_for_until_patience_is_over_and_no_longer():
    exchange, clock = asking(honest(3) | {4: Node(lambda ask: SILENT)})
    got = exchange.collect(Run(TERMS), [])
    assert got.members == ("L01", "L02", "L03")
    assert got.missing == ("the lender at node 4: no answer in time",)
    assert 10 < clock.now < 11


def test_a_lender_within_patience_is_in_the_total_and_ends_the_wait():
    exchange, clock = asking(honest(3) | {4: Node(sums("L04", 1000), delay=6.0)})
    assert exchange.collect(Run(TERMS), []).total[0] == 1111
    assert 6 <= clock.now < 7


def test_a_silent_lender_that_was_heard_before_is_called_by_its_code():
    nodes = honest(4)
    exchange, _ = asking(nodes)
    exchange.collect(Run(TERMS), [])
    nodes[4].lender = lambda ask: SILENT
    assert exchange.collect(Run(TERMS), []).missing == ("L04: no answer in time",)


def test_below_the_quorum_the_stage_is_void_and_says_who_where_and_what_to_do():
    nodes = honest(2) | {3: Node(lambda ask: SILENT), 4: Node(lambda ask: Refused("L04", "peer"))}
    exchange, clock = asking(nodes)
    run = Run(TERMS)
    before = run.digest
    with pytest.raises(VoidStageError) as caught:
        exchange.collect(run, [])
    text = str(caught.value)
    assert "stage census: 2 lenders answered, 3 are needed" in text
    assert "L04: refused (peer error; see the lender's own log)" in text
    assert "the lender at node 3: no answer in time" in text
    assert "--resume" in caught.value.remedy
    assert 100 < clock.now < 101  # a silent lender may still save the stage: the deadline counts
    assert (run.absorbed, run.digest) == (0, before)


def test_when_everybody_has_refused_the_stage_is_void_after_patience():
    exchange, clock = asking({i: Node(lambda ask: Refused("L01", "operator")) for i in range(1, 4)})
    with pytest.raises(VoidStageError):
        exchange.collect(Run(TERMS), [])
    assert 10 < clock.now < 11


def test_with_nobody_connected_the_stage_is_void_after_patience():
    exchange, clock = asking({})
    with pytest.raises(VoidStageError, match="0 lenders answered, 3 are needed"):
        exchange.collect(Run(TERMS), [])
    assert 10 < clock.now < 11


def test_when_all_that_took_part_are_gone_the_stage_waits_a_minute_for_them():
    """However little patience there is: it may be the coordinator's own way to them that broke."""
    nodes = honest(3)
    exchange, clock = asking(nodes)
    exchange.collect(Run(TERMS), [])
    nodes.clear()
    began = clock.now
    with pytest.raises(VoidStageError, match="0 lenders answered"):
        exchange.collect(Run(TERMS), [])
    assert 60 < clock.now - began < 61


def test_the_quorum_is_a_share_of_those_who_took_part_before():
    nodes = honest(8)
    exchange, _ = asking(nodes)
    exchange.collect(Run(TERMS), [])
    for number in (4, 5, 6, 7, 8):
        nodes[number].lender = lambda ask: Error(code=0)
    with pytest.raises(VoidStageError, match="3 lenders answered, 4 are needed"):
        exchange.collect(Run(TERMS), [])


def test_a_resumed_run_remembers_its_quorum_and_names_who_has_not_come_back():
    earlier = [f"L{i:02d}" for i in range(1, 9)]
    exchange, _ = asking(honest(3), known=earlier)
    with pytest.raises(VoidStageError, match=r"4 are needed\n  L04: not heard from"):
        exchange.collect(Run(TERMS), [])


def test_a_lender_that_is_no_longer_connected_is_named():
    nodes = honest(4)
    exchange, clock = asking(nodes)
    exchange.collect(Run(TERMS), [])
    nodes[4].up_until = clock.now
    got = exchange.collect(Run(TERMS), [])
    assert got.missing == ("L04: not heard from",)
    assert np.unique(got.total).tolist() == [111]


def test_a_lender_that_can_no_longer_read_its_settings_is_still_called_by_its_code():
    nodes = honest(4)
    exchange, _ = asking(nodes)
    exchange.collect(Run(TERMS), [])
    nodes[4].lender = lambda ask: Refused("unknown", "operator")
    missing = exchange.collect(Run(TERMS), []).missing
    assert missing == ("L04: refused (operator error; see the lender's own log)",)


def test_a_lender_that_never_took_part_does_not_raise_the_quorum():
    nodes = honest(3) | {i: Node(lambda ask: Refused("x", "operator")) for i in range(4, 20)}
    exchange, _ = asking(nodes)
    assert exchange.collect(Run(TERMS), []).members == ("L01", "L02", "L03")


def test_a_lender_that_connects_while_the_stage_waits_is_asked_and_takes_part():
    nodes = honest(3)
    nodes[3].up_from = 4.0
    exchange, clock = asking(nodes)
    assert exchange.collect(Run(TERMS), []).total[0] == 111
    assert 4 <= clock.now < 7


def test_a_lender_that_joins_a_run_under_way_is_sent_everything_and_counts():
    nodes = honest(4)
    nodes[4].up_from = 1.0
    exchange, clock = asking(nodes)
    run = Run(TERMS)
    released = [_census(exchange.collect(run, []).total)]
    run.absorb(released[0])
    clock.now = 1.0
    for number, node in nodes.items():
        node.lender = _zeros(run, f"L{number:02d}")
    got = exchange.collect(run, released)
    assert got.members == ("L01", "L02", "L03", "L04")
    assert [len(ask.released) for ask in nodes[4].asked] == [1]


def test_a_question_that_the_grid_did_not_take_is_asked_again():
    exchange, clock = asking(honest(3), deaf=2)
    assert exchange.collect(Run(TERMS), []).total[0] == 111
    assert 1 < clock.now < 3


@pytest.mark.parametrize(
    ("known", "needed"), [(0, 3), (3, 3), (6, 3), (7, 4), (12, 6), (13, 7), (100, 50)]
)
def test_a_stage_needs_the_minimum_and_half_of_the_known(known: int, needed: int):
    assert Policy(minimum=3).needed(known) == needed


def _census(total: np.ndarray) -> np.ndarray:
    """A total that a census can be: ten rows, four of them bad."""
    census = np.zeros_like(total)
    census[:5], census[5 + 4] = (10, 4, 1, 2, 1), 1  # one lender of 8 to 15 rows
    return census


def _zeros(run: Run, member: str) -> Lender:
    vector = np.zeros(run.question().length, dtype=np.int64)
    return lambda ask: Sum(member, ask.stage, vector)
