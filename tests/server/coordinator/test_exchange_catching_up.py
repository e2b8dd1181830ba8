"""What a lender that was away is sent, and that it joins in the same stage."""

import numpy as np
from flwr.app import Error
from scripted_grid import TERMS, Node, asking

from shared.training.run import Run
from shared.wire.messages import Ask, Behind, Reply, Sum


class Copy:
    """A lender that keeps its own copy of the run as the real one does, and answers zeros."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.run = Run(TERMS)

    def __call__(self, ask: Ask) -> Reply:
        if not ask.first <= self.run.absorbed <= ask.first + len(ask.released):
            return Behind(self.member, self.run.absorbed)
        for total in ask.released[self.run.absorbed - ask.first :]:
            self.run.absorb(total)
        assert (self.run.digest, self.run.question().stage) == (ask.digest, ask.stage)
        return Sum(self.member, ask.stage, self._vector())

    def _vector(self) -> np.ndarray:
        vector = np.zeros(self.run.question().length, dtype=np.int64)
        if self.run.question().stage == "census":
            vector[:5], vector[5 + 4] = (10, 4, 1, 2, 1), 1  # a lender of 8 to 15 rows
        return vector


def _consortium():
    copies = [Copy(f"L{i:02d}") for i in range(1, 5)]
    nodes = {i: Node(copy) for i, copy in enumerate(copies, start=1)}
    exchange, clock = asking(nodes)
    return nodes, exchange, clock


def _go_on(exchange, run: Run, released: list) -> tuple[str, ...]:
    got = exchange.collect(run, released)
    run.absorb(got.total)
    released.append(got.total)
    return got.members


EVERYBODY = ("L01", "L02", "L03", "L04")


def test_a_lender_in_step_is_sent_one_total_a_stage():
    nodes, exchange, _ = _consortium()
    run, released = Run(TERMS), []
    while not run.finished:
        assert _go_on(exchange, run, released) == EVERYBODY
    sent = [(ask.first, len(ask.released)) for ask in nodes[1].asked]
    assert sent == [(0, 0), *((i, 1) for i in range(len(sent) - 1))]


def test_a_lender_that_lost_its_memory_says_so_and_joins_in_the_same_stage():
    nodes, exchange, clock = _consortium()
    run, released = Run(TERMS), []
    for _ in range(3):
        _go_on(exchange, run, released)
    nodes[2].lender = Copy("L02")
    nodes[2].asked.clear()
    assert _go_on(exchange, run, released) == EVERYBODY
    assert [(ask.first, len(ask.released)) for ask in nodes[2].asked] == [(2, 1), (0, 3)]
    assert clock.now < 1


def test_a_lender_that_was_away_for_two_stages_catches_up_on_its_return():
    nodes, exchange, clock = _consortium()
    run, released = Run(TERMS), []
    _go_on(exchange, run, released)
    nodes[3].up_until = clock.now
    assert _go_on(exchange, run, released) == ("L01", "L02", "L04")
    assert _go_on(exchange, run, released) == ("L01", "L02", "L04")
    nodes[3].up_until = np.inf
    assert _go_on(exchange, run, released) == EVERYBODY


def test_a_lender_that_failed_once_is_asked_again_at_the_next_stage():
    nodes, exchange, _ = _consortium()
    run, released = Run(TERMS), []
    _go_on(exchange, run, released)
    copy, nodes[4].lender = nodes[4].lender, lambda ask: Error(code=0)
    assert _go_on(exchange, run, released) == ("L01", "L02", "L03")
    nodes[4].lender = copy
    assert _go_on(exchange, run, released) == EVERYBODY


def test_a_node_served_by_several_processes_in_turn_never_stays_behind():
    """As with Ray: each message of one lender may reach another process with an older copy."""
    nodes, exchange, _ = _consortium()
    copies = [Copy("L01") for _ in range(8)]
    turn = iter(range(10**6))
    nodes[1].lender = lambda ask: copies[next(turn) % 7 if next(turn) % 3 else 7](ask)
    run, released = Run(TERMS), []
    while not run.finished:
        assert _go_on(exchange, run, released) == EVERYBODY
