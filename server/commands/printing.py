"""What the server's commands say beside their result: errors, and how far long work is.

Invariants:
- People read standard error. With --json an error is one line on standard output as well, for
  whoever reads that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.errors import LianfangError

console = Console(stderr=True)
FAILED = 2


def fail(error: LianfangError, *, as_json: bool) -> int:
    """Say what went wrong and what to do; the exit status."""
    console.print("error:", style="bold red", end=" ")
    console.print(str(error), highlight=False, markup=False, soft_wrap=True)
    if as_json:
        text = json.dumps({"error": error.what, "remedy": error.remedy}, ensure_ascii=False)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    return FAILED


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar, where a person looks: what it gives is told how many more are done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, advance=done)
