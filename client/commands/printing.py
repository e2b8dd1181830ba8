"""What every command prints with: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shared.errors import LianfangError

console = Console(stderr=True)
_OLD = timedelta(days=3)
DONE, ATTENTION, WRONG = 0, 1, 2
"""Exit status: done; done, and somebody should look at it; the input or a setting is wrong."""


def line(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(text + "\n")


def document(content: object) -> None:
    """A line of JSON."""
    line(json.dumps(content, ensure_ascii=False))


def note(text: str) -> None:
    """A line for people, on standard error."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def fail(error: LianfangError, *, as_json: bool, **known: object) -> int:
    """Say what went wrong and what to do; with --json as one line on standard output too, with what
    is `known` nevertheless. The exit status.
    """
    console.print("error:", style="bold red", end=" ")
    console.print(str(error), highlight=False, markup=False, soft_wrap=True)
    if as_json:
        document({"error": error.what, "remedy": error.remedy, **known})
        sys.stdout.flush()
    return WRONG


def warn_if_old(age: timedelta) -> None:
    """The registry publishes daily: a copy that is days old misses what came since."""
    if age > _OLD:
        note(
            f"warning: this copy of the list is {age.days} days old and misses what came since: "
            "lianfang-client list sync"
        )


@contextmanager
def bars() -> Iterator[Callable[[str, int | None], Callable[[int], None]]]:
    """Gives a bar for each part of long work: called with what it does and how many there are, it
    returns what is told how many more are done.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:

        def begin(what: str, total: int | None) -> Callable[[int], None]:
            task = progress.add_task(what, total=total)
            return lambda done: progress.update(task, advance=done)

        yield begin
