"""A piece of work in a process of its own, beside what this one does: most machines have two cores,
and Python's lock lets one process use one.

Invariants:
- The result is the same as if the work were done here; only one of two things is shown at a time,
  so the other process shows nothing.
- It never outlives this process's interest: leaving the block, for whatever reason, ends it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from server.simulation.screen import console

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def beside(
    wanted: bool, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> Iterator[Callable[[], T]]:
    """Begin `work` in another process; the function given waits for what it returns or raises.

    Where that is not `wanted`, or there is one core only, the work is done here when it is asked
    for. Arguments and result are pickled; `work` is a function of a module.
    """
    if not wanted or (os.cpu_count() or 1) < 2:
        yield lambda: work(*args, **kwargs)
        return
    with get_context("spawn").Pool(1, initializer=_quiet) as pool:  # spawned: no thread is copied
        result = pool.apply_async(work, args, kwargs)
        yield result.get


def _quiet() -> None:
    """The first process takes Ctrl-C and ends this one; only it writes on the screen."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    console.quiet = True
