"""Ctrl-C while a run goes on over the in-process grid.

Invariants:
- The first Ctrl-C only leaves a note, and the run stops where it next looks at the grid. Python's
  own handler raises wherever the main thread is: where that is a finaliser or a callback the
  exception is dropped and the run goes on, where it is taking a lock the lock stays taken.
- A second one is raised at once.
- A process that was started to ignore Ctrl-C (in the background) ignores it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from server.simulation.grid import InProcessGrid


@contextmanager
def stopped_by_ctrl_c(grid: InProcessGrid) -> Iterator[None]:
    """While the block lasts Ctrl-C stops the grid's run; KeyboardInterrupt at its end at latest."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual == signal.SIG_IGN:
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if grid.stopped:
            raise KeyboardInterrupt
        grid.stop()

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if grid.stopped:
        raise KeyboardInterrupt
