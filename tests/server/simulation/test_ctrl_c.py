"""Ctrl-C during a run stops it once, at its next look at the grid, wherever the signal arrived."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from server.simulation.ctrl_c import stopped_by_ctrl_c
from server.simulation.faults import Faults, parse_fault
from server.simulation.grid import InProcessGrid

worked: list[str] = []
app = ClientApp()


@app.query("answer")
def answer(message: Message, context: Context) -> Message:
    worked.append(str(message.content["ask"]["stage"]))
    return Message(message.content, reply_to=message)


@pytest.fixture
def grid() -> Iterator[InProcessGrid]:
    faults = Faults((parse_fault("slow L01 trees/0 600"),))
    worked.clear()
    with closing(InProcessGrid(app, [Path("L01")], faults=faults)) as made:
        yield made


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """Python's own handler, however these tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _press() -> None:
    signal.raise_signal(signal.SIGINT)


class Finalised:
    """Ctrl-C is pressed just when this is taken away."""

    def __del__(self) -> None:
        _press()


def _steps_done(grid: InProcessGrid, *steps: Callable[[], object]) -> int:
    """How many steps of a run are done before it is stopped."""
    done = 0
    try:
        with stopped_by_ctrl_c(grid):
            for step in steps:
                step()
                done += 1
    except KeyboardInterrupt:
        return done
    pytest.fail("it was not stopped")


def test_pressed_in_a_finaliser_pythons_own_handler_loses_it_and_ours_does_not(
    grid: InProcessGrid, monkeypatch: pytest.MonkeyPatch
):
    dropped: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: dropped.append(args.exc_type))
    Finalised()
    assert dropped == [KeyboardInterrupt]
    assert _steps_done(grid, Finalised, grid.get_node_ids) == 1
    assert dropped == [KeyboardInterrupt]


@pytest.mark.parametrize("name", ["get_node_ids", "push_messages", "pull_messages"])
def test_the_run_stops_where_it_next_looks_at_the_grid_and_not_before(
    name: str, grid: InProcessGrid
):
    given: list[list[str]] = [] if name == "get_node_ids" else [[]]
    look = partial(getattr(grid, name), *given)
    assert _steps_done(grid, look, _press, look, look) == 2


def test_pressed_twice_it_is_raised_at_once(grid: InProcessGrid):
    assert _steps_done(grid, _press, _press, _press) == 1


def test_pressed_after_the_last_look_it_is_raised_at_the_end(grid: InProcessGrid):
    assert _steps_done(grid, _press) == 1


def test_afterwards_ctrl_c_does_what_it_did_before(grid: InProcessGrid):
    with stopped_by_ctrl_c(grid):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it(grid: InProcessGrid):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stopped_by_ctrl_c(grid):
        _press()
        assert grid.get_node_ids() == [1000]


def test_a_closed_grid_waits_for_no_slow_lender_and_lets_it_begin_nothing(grid: InProcessGrid):
    """It is ten minutes late; that it ends at all is the proof."""
    values = ArrayRecord({"values": Array(np.arange(3))})
    content = RecordDict({"ask": ConfigRecord({"stage": "trees/0"}), "values": values})
    grid.push_messages([grid.create_message(content, "query.answer", 1000, "g")])
    grid.close()
    assert worked == []
